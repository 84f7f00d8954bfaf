"""Ends what a service has not finished in its time, so that the others get their turn.

A service is somebody else's code, called in the thread that serves all of them. What hangs in it
is ended by an exception raised in that thread: in Python code at once, in a library's C code as
soon as that returns.
"""

from __future__ import annotations

import ctypes
import threading
import time
from types import TracebackType
from typing import Final

LIMIT_S: Final = 60.0
"""A reaction takes milliseconds; waiting for the store ends by itself after 30 s."""
_LOOKS: Final = 10
_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc


class Overdue(BaseException):
    """A service was not done in its time. No Exception: what hangs may catch all of those."""


class Patience:
    """``with patience:`` around what may hang, in one thread; ``run`` in another.

    Raises Overdue in the first when the time is over. The time is this machine's, not that of a
    Clock, which may stand still.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self.limit_s = limit_s
        self._lock = threading.Lock()
        self._thread = 0
        self._since_s = 0.0

    def __enter__(self) -> None:
        self._since_s = time.monotonic()
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
                if self._thread and time.monotonic() - self._since_s > self.limit_s:
                    _raise_in(ctypes.c_ulong(self._thread), ctypes.py_object(Overdue))
