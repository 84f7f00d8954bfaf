"""Ends what a service has not finished in its time, so that the others get their turn.

A service is somebody else's code, called in the thread that serves all of them. What hangs in it
is ended by an exception raised in that thread: in Python code at once, in a library's C code as
soon as that returns. What counts is the CPU time of the thread: a service is pure, so all that it
can wait for is the store, and that is not its fault.
"""

from __future__ import annotations

import ctypes
import threading
import time
from types import TracebackType
from typing import Final

LIMIT_S: Final = 10.0
"""A reaction takes milliseconds."""
_LOOKS: Final = 10
_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc


class Overdue(BaseException):
    """A service was not done in its time. No Exception: what hangs may catch all of those."""


class Patience:
    """``with patience:`` around what may hang, in one thread; ``run`` in another.

    Raises Overdue in the first when it has computed for longer than ``limit_s``.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self.limit_s = limit_s
        self._lock = threading.Lock()
        self._thread = 0
        self._since_s = 0.0

    def __enter__(self) -> None:
        self._since_s = time.thread_time()
        self._thread = threading.get_ident()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:  # what was raised before comes here at the latest, and nothing after it
            self._thread = 0

    def run(self, stop: threading.Event) -> None:
        """Watch until ``stop`` is set."""
        while not stop.wait(self.limit_s / _LOOKS):
            with self._lock:
                if self._thread and _computed_s(self._thread) - self._since_s > self.limit_s:
                    _raise_in(ctypes.c_ulong(self._thread), ctypes.py_object(Overdue))


def _computed_s(thread: int) -> float:
    """The CPU time of a thread of this process."""
    return time.clock_gettime(time.pthread_getcpuclockid(thread))
