"""How every process of the city begins to serve and ends: SIGTERM, SIGINT, or a part has died."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from cityos.runtime.notify import say_ready
from cityos.settings import Settings, notify_address

_LOOK_EVERY_S: Final = 1.0
_READY_LOOK_EVERY_S: Final = 0.05

_log = structlog.get_logger("process")


def stop_event() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set. Call it in the main thread."""
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopping


def run_until_stopped(
    *,
    healthy: Callable[[], bool],
    ready: Callable[[], bool] = lambda: True,
    stopping: threading.Event | None = None,
) -> None:
    """Return when the process is told to stop. Whoever started it hears when it is ``ready``.

    Raises:
        SystemExit: ``healthy`` said no; the exit code makes the supervisor start it again.
    """
    stopping = stopping or stop_event()
    said = False
    while not stopping.wait(_LOOK_EVERY_S if said else _READY_LOOK_EVERY_S):
        if not said and ready():
            say_ready(notify_address())
            said = True
        if not healthy():
            _log.error("a part of this process has died, it ends")
            raise SystemExit(1)


def show_metrics(settings: Settings, registry: CollectorRegistry) -> None:
    """Serve this process's metrics to Prometheus on loopback, where a port was given."""
    ProcessCollector(registry=registry)
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, addr="127.0.0.1", registry=registry)
