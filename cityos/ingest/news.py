"""Tells the live bus of stored batches, beside the storing thread and in its order."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Final

import structlog

from cityos.ports import LiveBus, StoreOutcome

_WAITING: Final = 32
_log = structlog.get_logger("ingest")
_STOP_S: Final = 5.0
_GLANCE_S: Final = 1.0


class News:
    """A bounded queue and one thread. A full queue makes the teller wait, never drop.

    What is dropped could not be noticed by those who keep answers until they hear otherwise; the
    bus itself has a deadline, and counts what it could not send.
    """

    def __init__(self, live: LiveBus) -> None:
        self._live = live
        self._waiting: queue.Queue[StoreOutcome | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="news", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=_STOP_S)
        self._thread.join(_STOP_S)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def tell(self, outcome: StoreOutcome) -> None:
        while outcome.moved or outcome.touched:
            try:
                self._waiting.put(outcome, timeout=_GLANCE_S)
            except queue.Full:
                if self._thread.is_alive():
                    continue
            return

    def _run(self) -> None:
        while (outcome := self._waiting.get()) is not None:
            try:
                changed, touched = outcome.changed(), outcome.touched
                for tenant in changed.keys() | touched.keys():
                    self._live.publish(tenant, changed.get(tenant, ()), touched.get(tenant, ()))
            except Exception:  # noqa: BLE001 - news is worth less than the thread
                _log.exception("news of a batch could not be told")
