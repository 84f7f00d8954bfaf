"""What the launchers of the embedded servers have in common."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cityos.errors import SetupFailed
from cityos.runtime.process import Child, Command
from cityos.runtime.records import Records

HOST: Final = "127.0.0.1"
_POLL_S: Final = 0.03


def start_service(
    command: Command,
    *,
    records: Records,
    answers: Callable[[], bool],
    within_s: float,
) -> Child:
    """Start a server and wait until it answers.

    Raises:
        SetupFailed: it ended, or did not answer in time; carries the end of its log.
    """
    child = Child(command)
    records.put(child)
    deadline = time.monotonic() + within_s
    while True:
        code = child.exit_code()
        if code is not None:
            child.stop(grace_s=1)
            records.forget(command.name)
            message = f"{command.name} ended with code {code}. {_ending(child)}"
            raise SetupFailed(message)
        if answers():
            return child
        if time.monotonic() > deadline:
            child.stop(grace_s=5)
            records.forget(command.name)
            message = f"{command.name} does not answer after {within_s:.0f} s. {_ending(child)}"
            raise SetupFailed(message)
        time.sleep(_POLL_S)


def listens(port: int, *, timeout_s: float = 0.5) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=timeout_s).close()
    except OSError:
        return False
    return True


def log_path(home: Path, name: str) -> Path:
    return home / "log" / f"{name}.log"


def _ending(child: Child) -> str:
    said = child.last_words().strip()
    where = child.command.log
    return f"The end of {where}:\n{said}" if said else f"It wrote nothing to {where}."
