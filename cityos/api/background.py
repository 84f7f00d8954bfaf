"""A thread beside the requests, which lives as long as the application."""

from __future__ import annotations

import threading

import structlog


class Background:
    """Calls ``_turn`` again and again until it is closed, whatever goes wrong in a turn.

    ``failure`` is what the log says of it, under the name of the subclass's module. A turn that
    waits should wait for ``_stop``.
    """

    def __init__(self, thread: str, *, failure: str, pause_s: float) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=thread, daemon=True)
        self._failure = failure
        self._pause_s = pause_s

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _turn(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        log = structlog.get_logger(type(self).__module__)
        while not self._stop.is_set():
            try:
                self._turn()
            except Exception:  # the thread must outlive whatever goes wrong
                log.exception(self._failure)
                self._stop.wait(self._pause_s)
