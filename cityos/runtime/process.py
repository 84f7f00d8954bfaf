"""Child processes: started on a leash, found again after a crash, stopped by pid and start time.

A pid alone says nothing after a restart, for the kernel gives it to somebody else. ``Mark`` adds
the moment of the start in clock ticks since boot (proc(5), stat field 22) and the boot's id, so
that a recorded child can be told from a stranger.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cityos.errors import SetupFailed
from cityos.runtime.account import Account
from cityos.runtime.bounded_log import BoundedLog

_LEASH: Final = Path(__file__).with_name("leash.py")
_POLL_S: Final = 0.02
_OPEN_FILES: Final = 65_536
_STAT_STATE: Final = 0
_STAT_START: Final = 19
"""Position of ``starttime`` after the command's closing parenthesis."""

PLAIN_ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
"""What servers get: nothing of the person's environment changes how they behave."""

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Mark:
    """One process, and no other that ever has its pid."""

    pid: int
    started: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run as a child.

    ``stop_signals`` are tried in turn when it is asked to stop; the first also reaches it when we
    die. ``environment`` None inherits ours; ``variables`` come on top.
    """

    name: str
    argv: Sequence[str]
    folder: Path
    account: Account
    log: Path
    environment: Mapping[str, str] | None = field(default_factory=lambda: PLAIN_ENVIRONMENT)
    variables: Mapping[str, str] = field(default_factory=dict)
    stop_signals: Sequence[signal.Signals] = STOP_SIGNALS


class Child:
    """A running command. Start it from a thread that lives on: its death ends the child."""

    def __init__(self, command: Command, *, hear: Callable[[bytes], None] | None = None) -> None:
        """``hear`` gets every line that it writes, in another thread.

        Raises:
            OSError: the machine does not give it a process; none is left behind.
        """
        self.command = command
        self.name = command.name
        self._log = BoundedLog(command.log, hear=hear)
        self._popen = subprocess.Popen(  # noqa: S603 - a program and arguments of ours, no shell
            _leashed(command, parent=os.getpid()),
            cwd=command.folder,
            env=command.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # its own session: Ctrl-C in the terminal reaches us alone, and we stop it in order
            start_new_session=True,
        )
        assert self._popen.stdout is not None  # noqa: S101 - stdout=PIPE above
        try:
            self._log.follow(self._popen.stdout, name=command.name)
            self.mark = mark_of(self._popen.pid) or Mark(self._popen.pid, "")
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._popen.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._popen.poll()

    def request_stop(self) -> None:
        """Send the first stop signal; return at once."""
        if self._popen.poll() is None:
            self._popen.send_signal(self.command.stop_signals[0])

    def request_kill(self) -> None:
        """Send SIGKILL; return at once."""
        if self._popen.poll() is None:
            self._popen.kill()

    def kill(self) -> None:
        """End it without notice, as a crash would; for the tests of what comes after."""
        self._popen.kill()
        self._popen.wait()
        self._log.close()

    def stop(self, grace_s: float) -> int | None:
        """Stop it, with each stop signal in turn after ``grace_s``; return the exit code.

        None: even SIGKILL has not ended it, as happens to a process that waits for a broken disk.
        """
        for number in self.command.stop_signals:
            if self._popen.poll() is not None:
                break
            self._popen.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(grace_s)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace_s)
        self._log.close()
        return self._popen.poll()

    def last_words(self, lines: int = 8) -> str:
        """The end of its log, for the person who has to find out why it stopped."""
        return self._log.tail(lines)


def run(
    argv: Sequence[str],
    *,
    account: Account,
    folder: Path,
    timeout_s: float,
    log: Path,
    environment: Mapping[str, str] | None = PLAIN_ENVIRONMENT,
) -> bytes:
    """Run a program to its end and return what it wrote to its standard output.

    What it wrote to its standard error goes to ``log``.

    Raises:
        SetupFailed: it could not start, did not end in time, or ended with an error.
    """
    command = Command(name=argv[0], argv=argv, folder=folder, account=account, log=log)
    try:
        done = subprocess.run(  # noqa: S603 - as above
            _leashed(command, parent=os.getpid()),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{argv[0]} did not end within {timeout_s:.0f} s"
        raise SetupFailed(message) from error
    with suppress(OSError):  # what it did counts, with or without its log
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log.write_bytes(done.stderr)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()[-2000:]
        message = f"{argv[0]} failed with exit code {done.returncode}:\n{said}"
        raise SetupFailed(message)
    return done.stdout


def mark_of(pid: int) -> Mark | None:
    """Return the mark of a living process; None when there is none, or only its zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    if fields[_STAT_STATE] in "ZX":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return Mark(pid, f"{boot}/{fields[_STAT_START]}")


def is_alive(mark: Mark) -> bool:
    return mark_of(mark.pid) == mark


def end(mark: Mark, *, stop_signals: Sequence[signal.Signals], grace_s: float) -> bool:
    """Stop a process that is not our child; return whether it was alive.

    Raises:
        SetupFailed: it belongs to somebody else, or outlives every signal.
    """
    if not is_alive(mark):
        return False
    for number in stop_signals:
        try:
            os.kill(mark.pid, number)
        except ProcessLookupError:
            return True
        except PermissionError as error:
            message = f"process {mark.pid} of an earlier run belongs to another user: stop it"
            raise SetupFailed(message) from error
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline:
            if not is_alive(mark):
                return True
            time.sleep(_POLL_S)
    message = f"process {mark.pid} of an earlier run does not stop"
    raise SetupFailed(message)


def _leashed(command: Command, *, parent: int) -> list[str]:
    order = {
        "parent": parent,
        "signal_at_parent_death": int(command.stop_signals[0]),
        "variables": dict(command.variables),
        "uid": command.account.uid,
        "gid": command.account.gid,
        "open_files": _OPEN_FILES,
    }
    # -I -S: neither the environment nor the site folder is read, so it starts in milliseconds
    return [sys.executable, "-I", "-S", str(_LEASH), json.dumps(order), *command.argv]
