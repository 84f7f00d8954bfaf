"""Keeps a city running: starts its parts in order, restarts what ends, stops all in order.

One thread does everything but restarting servers, which may take long. The kernel ties a child's
life to the thread that started it: the threads that restart servers live until all is stopped.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from cityos.errors import SetupFailed
from cityos.ports import Clock
from cityos.runtime.account import Account
from cityos.runtime.notify import VARIABLE, ReadySocket
from cityos.runtime.process import Child, Command
from cityos.runtime.records import Records
from cityos.runtime.service import log_path
from cityos.runtime.stack import Stack
from cityos.runtime.trouble import Trouble
from cityos.runtime.waiting import unfailing

_BACK_OFF_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STABLE_S: Final = 60.0
"""After this long a process counts as well again: its next end is a first one."""
_LOOK_S: Final = 0.5
_START_LOOK_S: Final = 0.05
_STOP_S: Final = 15.0
_HURRY_S: Final = 1.0
_SERVERS: Final = 3
_GIVE_UP_AFTER: Final = 3
"""Ends of one process before the city was ever ready, after which starting is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process of the city. ``says_ready``: it tells when it is (sd_notify(3)).

    ``needed`` False: the city is ready without it.
    """

    name: str
    argv: Sequence[str]
    says_ready: bool = True
    needed: bool = True


@dataclass(slots=True)
class Watched:
    """A part, its child when it runs, and its history of ends."""

    part: Part
    child: Child | None = None
    started_s: float = 0.0
    ends: int = 0
    again_at_s: float = 0.0
    ready: bool = False
    recorded: bool = False


@dataclass(slots=True)
class _Outage:
    """A server that has ended, until it runs again."""

    tries: int = 0
    again_at_s: float = 0.0
    restart: Future[None] | None = None


class Supervisor:
    """Runs ``parts`` in order over a started ``stack``. ``say`` gets news for a person.

    ``checks`` are asked, besides the parts' own words, whether the city answers.
    """

    def __init__(
        self,
        *,
        home: Path,
        folder: Path,
        stack: Stack,
        parts: Sequence[Part],
        clock: Clock,
        say: Callable[[str], None],
        checks: Sequence[Callable[[], bool]] = (),
    ) -> None:
        self._home = home
        self._folder = folder
        self._stack = stack
        self._watched = [Watched(part) for part in parts]
        self._clock = clock
        self._say = unfailing(say)
        self._trouble = Trouble(self._say_while_running, clock)
        self._checks = checks
        self._records = Records(home)
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._signals = 0
        self._socket = ReadySocket()
        self._outages: dict[str, _Outage] = {}
        self._restarts = ThreadPoolExecutor(_SERVERS, thread_name_prefix="restart")

    def watch_signals(self) -> None:
        """Stop on SIGINT, SIGTERM and SIGHUP; a second one hurries. Call it in the main thread."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._signalled)
        signal.signal(signal.SIGCHLD, self._child_ended)

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def request_stop(self) -> None:
        """Return at once; whoever waits for the city or for a server to start is let go."""
        self._stop.set()
        self._wake.set()
        self._stack.call_off()

    def clear_leftovers(self) -> int:
        """End the processes that a killed run left behind; return how many there were."""
        return sum(
            self._records.clear(watched.part.name, grace_s=_STOP_S) for watched in self._watched
        )

    def start(self, within_s: float) -> bool:
        """Start all parts and wait until the city answers; False when asked to stop meanwhile.

        Raises:
            SetupFailed: a needed part keeps ending, or does not get ready in time.
        """
        deadline = self._clock.monotonic_s() + within_s
        for watched in self._watched:
            self._start(watched)
        while not self._stop.is_set():
            self._look()
            if self._answers():
                return True
            for watched in self._watched:
                if watched.part.needed and watched.ends >= _GIVE_UP_AFTER:
                    raise SetupFailed(self._why(watched, "keeps ending"))
            if self._clock.monotonic_s() > deadline:
                late = [w for w in self._watched if w.part.needed and not w.ready]
                if late:
                    raise SetupFailed(self._why(late[0], f"is not ready after {within_s:.0f} s"))
                message = f"the city does not answer after {within_s:.0f} s: see {self._home}/log"
                raise SetupFailed(message)
            self._sleep(_START_LOOK_S)
        return False

    def run(self) -> None:
        """Watch until asked to stop."""
        while not self._stop.is_set():
            self._look()
            self._sleep(_LOOK_S)

    def stop(self) -> dict[str, int | None]:
        """Stop the parts, those started last first, then the servers; return the exit codes.

        None: it outlives even SIGKILL. That is said, and its record stays for the next start.
        """
        self.request_stop()
        codes: dict[str, int | None] = {}
        for watched in reversed(self._watched):
            if watched.child is not None:
                codes[watched.part.name] = watched.child.stop(self._grace_s())
                watched.child = None
        running = [outage.restart for outage in self._outages.values() if outage.restart]
        wait(running, timeout=2 * self._grace_s())
        codes |= self._stack.stop()
        self._restarts.shutdown(wait=False)
        for name, code in codes.items():
            if code is None:
                self._say(f"{name} does not end, even killed: the next start looks for it again")
            else:
                self._records.forget(name)
        self._socket.close()
        return codes

    # --- one look ----------------------------------------------------------------------------

    def _look(self) -> None:
        now_s = self._clock.monotonic_s()
        for name in sorted({*self._stack.dead(), *self._outages}):
            self._tend_server(name, now_s)
        ready_pids = set(self._socket.heard())
        for watched in self._watched:
            if watched.child is None:
                if now_s >= watched.again_at_s:
                    self._start(watched)
                continue
            if watched.child.pid in ready_pids:
                watched.ready = True
            if not watched.recorded:
                watched.recorded = self._records.put(watched.child)
            code = watched.child.exit_code()
            if code is not None:
                self._ended(watched, code, now_s)

    def _start(self, watched: Watched) -> None:
        part = watched.part
        command = Command(
            name=part.name,
            argv=part.argv,
            folder=self._folder,
            account=Account("self"),
            log=log_path(self._home, part.name),
            environment=None,
            variables={
                VARIABLE: self._socket.address,
                # glibc keeps an arena a thread: on small machines memory matters more
                "MALLOC_ARENA_MAX": "2",
            },
        )
        try:
            watched.child = Child(command, hear=partial(self._trouble.hear, part.name))
        except OSError as error:
            self._put_off(watched, f"does not start ({error})")
            return
        watched.started_s = self._clock.monotonic_s()
        watched.ready = not part.says_ready
        watched.recorded = self._records.put(watched.child)

    def _say_while_running(self, news: str) -> None:
        # while stopping, everybody notices that somebody else is gone
        if not self._stop.is_set():
            self._say(news)

    def _ended(self, watched: Watched, code: int, now_s: float) -> None:
        if watched.child is None:
            return
        watched.child.stop(_HURRY_S)
        watched.child = None
        self._records.forget(watched.part.name)
        if now_s - watched.started_s >= _STABLE_S:
            watched.ends = 0
        self._put_off(watched, f"ended ({_how(code)})")

    def _put_off(self, watched: Watched, what: str) -> None:
        name = watched.part.name
        pause_s = _pause_s(watched.ends)
        watched.ends += 1
        watched.again_at_s = self._clock.monotonic_s() + pause_s
        log = log_path(self._home, name)
        self._say(f"{name} {what}, starting it again in {pause_s:g} s; its log: {log}")

    def _tend_server(self, name: str, now_s: float) -> None:
        outage = self._outages.setdefault(name, _Outage())
        if outage.restart is None:
            if now_s >= outage.again_at_s:
                if outage.tries == 0:
                    self._say(f"{name} ended, starting it again")
                outage.restart = self._restarts.submit(self._stack.restart, name)
                outage.restart.add_done_callback(lambda _restart: self._wake.set())
            return
        if not outage.restart.done():
            return
        try:
            outage.restart.result()
        except (SetupFailed, OSError) as error:
            pause_s = _pause_s(outage.tries)
            outage.restart = None
            outage.tries += 1
            outage.again_at_s = now_s + pause_s
            self._say_while_running(
                f"{name} does not start, trying again in {pause_s:g} s: {error}"
            )
            return
        del self._outages[name]
        self._say(f"{name} runs again")

    def _answers(self) -> bool:
        for watched in self._watched:
            if watched.part.needed and not (watched.child is not None and watched.ready):
                return False
        return all(check() for check in self._checks)

    def _why(self, watched: Watched, what: str) -> str:
        log = log_path(self._home, watched.part.name)
        words = watched.child.last_words() if watched.child else _tail(log)
        return f"{watched.part.name} {what}. The end of {log}:\n{words}"

    # --- waiting and signals -----------------------------------------------------------------

    def _sleep(self, at_most_s: float) -> None:
        self._wake.wait(at_most_s)
        self._wake.clear()

    def _grace_s(self) -> float:
        return _HURRY_S if self._signals > 1 else _STOP_S

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        self.request_stop()
        if self._signals > 1:
            for watched in self._watched:
                if watched.child is not None:
                    watched.child.request_kill()

    def _child_ended(self, _number: int, _frame: FrameType | None) -> None:
        self._wake.set()


def _pause_s(ends: int) -> float:
    return _BACK_OFF_S[min(ends, len(_BACK_OFF_S) - 1)]


def _how(code: int) -> str:
    if code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
    except OSError:
        return ""
