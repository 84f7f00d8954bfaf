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
from cityos.runtime.waiting import PATIENT, Waiting

HOST: Final = "127.0.0.1"
_POLL_S: Final = 0.03
_LONG_POLL_S: Final = 1.0  # each look is a line in its log
_TOLD_AFTER_S: Final = 5.0
_BUSY_S: Final = 6 * 3600.0
"""How long a server may be at work before its first answer: far beyond any log that it replays.

To end it sooner would be no help: it begins again at the same place.
"""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """What every server has, whichever it is."""

    stop_s: ClassVar[float] = 10.0
    """How long it may take to stop after each signal."""

    home: Path
    child: Child
    program: Program
    port: int

    def stop(self) -> int | None:
        """Return the exit code; None: it outlives even SIGKILL."""
        return self.child.stop(self.stop_s)

    def kill(self) -> None:
        """End it as a crash would."""
        self.child.kill()


class Launch:
    """A server of the state folder ``home``, from the clearing up before it to its first answer.

    ``place`` is where its files belong, with the first of ``accounts`` that there is to run it.
    """

    def __init__(
        self,
        home: Path,
        name: str,
        *,
        accounts: Sequence[str],
        stop_s: float,
        waiting: Waiting = PATIENT,
    ) -> None:
        """End what an earlier run left, within ``stop_s`` for each of its stop signals.

        Raises:
            SetupFailed: it does not stop, or there is no account.
        """
        self.home = home
        self.waiting = waiting
        self._name = name
        self._stop_s = stop_s
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
        busy: Callable[[], str] = lambda: "",
        stop_signals: Sequence[signal.Signals] = STOP_SIGNALS,
    ) -> Child:
        """Start the program and wait until it answers.

        ``busy`` says what keeps it from that; as long as it says something, the time does not run.

        Raises:
            SetupFailed: it ended, or did not answer in time; carries the end of its log.
            CalledOff: asked to stop meanwhile.
            OSError: the machine does not give it a process.
        """
        name = self._name
        self.waiting.pause(0)
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
        try:
            self._wait(child, answers=answers, within_s=within_s, busy=busy)
        except BaseException:
            self.give_up(child)
            raise
        return child

    def give_up(self, child: Child) -> None:
        """Stop what was started: it is of no use."""
        if child.stop(self._stop_s) is not None:
            self._records.forget(self._name)

    def _wait(
        self,
        child: Child,
        *,
        answers: Callable[[], bool],
        within_s: float,
        busy: Callable[[], str],
    ) -> None:
        begun_s = alive_s = time.monotonic()
        told = False
        while True:
            code = child.exit_code()
            if code is not None:
                child.stop(grace_s=1)
                message = f"{child.name} ended with code {code}. {_ending(child)}"
                raise SetupFailed(message)
            what = busy()
            if not what and answers():
                return
            now_s = time.monotonic()
            if what and now_s - begun_s < _BUSY_S:
                alive_s = now_s
            if what and not told and now_s - begun_s > _TOLD_AFTER_S:
                self.waiting.say(what)
                told = True
            if now_s - alive_s > within_s:
                message = (
                    f"{child.name} does not answer after {now_s - begun_s:.0f} s. {_ending(child)}"
                )
                raise SetupFailed(message)
            self.waiting.pause(_LONG_POLL_S if what and told else _POLL_S)


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
