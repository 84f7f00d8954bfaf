"""Who the embedded servers run as, and where their files can live.

Root starts no server as root: PostgreSQL refuses it, and the others need none of root's rights.
The chosen system account must be able to reach its files; a state folder below a private
directory (root's home is mode 700) is not reachable, and widening a directory that is not ours
is out of the question, so that service's folder then lives below ``/var/lib/cityos`` and the
state folder holds a link to it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cityos.errors import SetupFailed

SHARED_ROOT: Final = Path("/var/lib/cityos")


@dataclass(frozen=True, slots=True)
class Account:
    """``uid`` and ``gid`` are None when the present user is the right one."""

    name: str
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A service's own folder, and the account that owns it."""

    folder: Path
    account: Account

    def write(self, name: str, text: str) -> Path:
        """Write a file that only the account can read, whole or not at all."""
        path = self.folder / name
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            # by descriptor: the account owns the folder and could put a link under the name
            _give(file.fileno(), self.account)
            file.write(text)
        draft.replace(path)
        return path

    def adopt(self, source: Path, name: str) -> Path:
        """Copy a program or a folder of programs in, for an account that cannot reach it.

        What was copied before is replaced. Copies stay ours, so the account cannot change them.
        """
        target = self.folder / name
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
        return target


def choose_account(preferred: Sequence[str]) -> Account:
    """Return the present user, or for root the first account of ``preferred`` that exists.

    Raises:
        SetupFailed: root, and no account to step down to.
    """
    if os.geteuid() != 0:
        return Account(pwd.getpwuid(os.geteuid()).pw_name if _has_name() else str(os.geteuid()))
    for name in (*preferred, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    accounts = ", ".join((*preferred, "nobody"))
    message = f"root needs a system account to run servers as; none of {accounts} exists"
    raise SetupFailed(message)


def place(home: Path, service: str, preferred: Sequence[str]) -> Place:
    """Return the folder of ``service``, made on the first call, found again on later ones.

    ``home`` is the state folder; it exists.
    """
    account = choose_account(preferred)
    folder = home / service
    if folder.is_symlink() and not folder.exists():
        folder.unlink()
    if not folder.exists():
        if account.uid is None or reachable(home, account):
            folder.mkdir(mode=0o700)
        else:
            SHARED_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
            apart = Path(tempfile.mkdtemp(prefix=f"{service}-", dir=SHARED_ROOT))
            folder.symlink_to(apart)
    found = Place(folder.resolve(), account)
    found.folder.chmod(0o700)
    _give(found.folder, account)
    return found


def reachable(path: Path, account: Account) -> bool:
    """Return whether the account may pass through every directory down to ``path``."""
    for directory in (path.resolve(), *path.resolve().parents):
        status = directory.stat()
        if status.st_uid == account.uid:
            bit = stat.S_IXUSR
        elif status.st_gid == account.gid:
            bit = stat.S_IXGRP
        else:
            bit = stat.S_IXOTH
        if not status.st_mode & bit:
            return False
    return True


def _give(what: Path | int, account: Account) -> None:
    if account.uid is not None and account.gid is not None:
        os.chown(what, account.uid, account.gid)


def _has_name() -> bool:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True
