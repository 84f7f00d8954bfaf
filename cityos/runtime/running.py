"""What is running in a state folder, for every command that wants to know; and the lock on it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Final

from cityos.errors import Conflict, NotFound, SetupFailed
from cityos.runtime.process import Mark, is_alive

_FILE: Final = "city.json"
_LOCK: Final = "lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the servers are. ``mqtt_urls`` is by user; the empty user is a given URL's own."""

    database_url: str
    redis_url: str
    mqtt_urls: Mapping[str, str]
    mqtt_has_access_list: bool = True

    def mqtt_url(self, user: str) -> str:
        """Raises NotFound: the broker was started without this user."""
        url = self.mqtt_urls.get(user) or self.mqtt_urls.get("")
        if not url:
            message = f"the broker knows no user {user!r}: {', '.join(sorted(self.mqtt_urls))}"
            raise NotFound(message)
        return url


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningCity:
    """``servers`` says for each server what it is, for a person."""

    supervisor: Mark
    addresses: Addresses
    http_url: str
    servers: Mapping[str, str] = field(default_factory=dict)
    ready: bool = False

    def write(self, home: Path) -> None:
        """Only the owner can read it: the URLs carry passwords."""
        draft = home / f".{_FILE}.new"
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)
        draft.replace(home / _FILE)

    @staticmethod
    def forget(home: Path) -> None:
        (home / _FILE).unlink(missing_ok=True)


def running_city(home: Path) -> RunningCity | None:
    """Return what runs there now; None when nothing does, whatever an earlier run has left."""
    try:
        text = (home / _FILE).read_text(encoding="utf-8")
        entry = json.loads(text)
        city = RunningCity(
            supervisor=Mark(**entry.pop("supervisor")),
            addresses=Addresses(**entry.pop("addresses")),
            **entry,
        )
    except PermissionError as error:
        message = f"{home} belongs to another user: run as that user, or set CITYOS_HOME"
        raise SetupFailed(message) from error
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return city if is_alive(city.supervisor) else None


def open_home(home: Path, *, others_may_pass: bool) -> None:
    """Make the state folder, or check that it is ours.

    ``others_may_pass`` lets the servers' accounts through to their own folders in it; nobody else
    sees what is inside.

    Raises:
        SetupFailed: it belongs to another user, or cannot be made.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711 if others_may_pass else 0o700)
        (home / "log").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        message = (
            f"the state folder {home} cannot be used ({error.strerror}): run as its owner, "
            "or set CITYOS_HOME to another folder"
        )
        raise SetupFailed(message) from error


def lock(home: Path) -> IO[bytes]:
    """Take the state folder for this process. The kernel gives it back when the process ends.

    Raises:
        Conflict: another one has it.
    """
    # opened to append: the loser must not empty what the winner has written
    descriptor = os.open(home / _LOCK, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    file = os.fdopen(descriptor, "ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        city = running_city(home)
        where = f" at {city.http_url} (process {city.supervisor.pid})" if city else ""
        message = f"CityOS is already running in {home}{where}; `cityos down` stops it"
        raise Conflict(message) from error
    return file
