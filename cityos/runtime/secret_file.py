"""Secrets that this machine made itself: random, one file, readable by its owner alone."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_BYTES: Final = 24


class SecretFile:
    """Named secrets in a JSON file of mode 600. A secret is made the first time it is asked for.

    They hold only ``A-Z a-z 0-9 _ -``: they stand in URLs, configuration files and shell lines
    as they are.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str) -> str:
        known = self._read().get(name)
        if known:
            return known
        with self._alone():
            return self._read().get(name) or self._make(name)

    def renew(self, name: str) -> str:
        """Return a new secret in the place of the old one."""
        with self._alone():
            return self._make(name)

    def _make(self, name: str) -> str:
        known = self._read()
        # letters first: a leading - would read as an option on a command line
        known[name] = "k" + secrets.token_urlsafe(_BYTES)
        self._write(known)
        return known[name]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time: of two that write, the later would lose what the other has just made."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = self._open(f".{self._path.name}.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _read(self) -> dict[str, str]:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        return {str(name): str(value) for name, value in json.loads(text).items()}

    def _write(self, known: dict[str, str]) -> None:
        draft = self._path.with_name(f".{self._path.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = self._open(draft.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(known, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    def _open(self, name: str, flags: int) -> int:
        """Open a file that the folder's owner can open again, also where a command ran as root.

        A link is not followed: it would give its owner whatever file of root's it names.
        """
        path = self._path.with_name(name)
        descriptor = os.open(path, flags | os.O_NOFOLLOW, 0o600)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor
