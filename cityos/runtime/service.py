"""What the launchers of the embedded servers have in common."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from cityos.errors import SetupFailed
from cityos.runtime.account import place
from cityos.runtime.process import STOP_SIGNALS, Child, Command
from cityos.runtime.programs import Program
from cityos.runtime.records import Records

HOST: Final = "127.0.0.1"
_POLL_S: Final = 0.03


@dataclass(frozen=True, slots=True)
class RunningServer:
    """What every server has, whichever it is."""

    stop_s: ClassVar[float] = 10.0
    """How long it may take to stop after each signal."""

    home: Path
    child: Child
    program: Program
    port: int

    def stop(self) -> int:
        return self.child.stop(self.stop_s)

    def kill(self) -> None:
        """End it as a crash would."""
        self.child.kill()


class Launch:
    """A server of the state folder ``home``, from the clearing up before it to its first answer.

    ``place`` is where its files belong, with the first of ``accounts`` that there is to run it.
    """

    def __init__(self, home: Path, name: str, *, accounts: Sequence[str], stop_s: float) -> None:
        """End what an earlier run left, within ``stop_s`` for each of its stop signals.

        Raises:
            SetupFailed: it does not stop, or there is no account.
        """
        self.home = home
        self._name = name
        self._records = Records(home)
        self._records.clear(name, grace_s=stop_s)
        self.place = place(home, name, accounts)
        self.log = log_path(home, name)

    def start(
        self,
        argv: Sequence[str],
        *,
        answers: Callable[[], bool],
        within_s: float,
        stop_signals: Sequence[signal.Signals] = STOP_SIGNALS,
    ) -> Child:
        """Start the program and wait until it answers.

        Raises:
            SetupFailed: it ended, or did not answer in time; carries the end of its log.
        """
        name = self._name
        child = Child(
            Command(
                name=name,
                argv=argv,
                folder=self.place.folder,
                account=self.place.account,
                log=self.log,
                stop_signals=stop_signals,
            )
        )
        self._records.put(child)
        deadline = time.monotonic() + within_s
        while True:
            code = child.exit_code()
            if code is not None:
                child.stop(grace_s=1)
                self._records.forget(name)
                message = f"{name} ended with code {code}. {_ending(child)}"
                raise SetupFailed(message)
            if answers():
                return child
            if time.monotonic() > deadline:
                child.stop(grace_s=5)
                self._records.forget(name)
                message = f"{name} does not answer after {within_s:.0f} s. {_ending(child)}"
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
