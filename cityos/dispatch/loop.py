"""Loops that do what there is to do, wait when there is nothing, and outlast an outage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from secrets import SystemRandom
from typing import Final

import structlog

from cityos.errors import Unavailable

LOOK_AGAIN_S: Final = 1.0
"""Nobody depends on being woken: every loop looks for itself this often."""
_OUTAGE_FIRST_S: Final = 0.2
_OUTAGE_MOST_S: Final = 5.0

_log = structlog.get_logger(__name__)
_random: Final = SystemRandom()


def delay_s(attempts: int, first_s: float, most_s: float) -> float:
    """Return how long to wait after this many failures: doubling, jittered down to a half.

    The jitter keeps many that failed together from coming back together.
    """
    return min(most_s, first_s * 2.0 ** min(attempts, 30)) * _random.uniform(0.5, 1.0)


def run_steadily(
    name: str,
    step: Callable[[], bool],
    wait: Callable[[float], None],
    stop: threading.Event,
) -> None:
    """Call ``step`` until ``stop`` is set; ``wait`` whenever it says that nothing is left.

    An outage (``Unavailable``) is logged once when it begins and once when it is over.
    """
    failures = 0
    while not stop.is_set():
        try:
            if not step():
                wait(LOOK_AGAIN_S)
        except Unavailable as error:
            if failures == 0:
                _log.warning("waiting for something to come back", loop=name, reason=str(error))
            stop.wait(delay_s(failures, _OUTAGE_FIRST_S, _OUTAGE_MOST_S))
            failures += 1
            continue
        if failures:
            _log.info("going on", loop=name)
            failures = 0


def run_together(
    loops: Mapping[str, Callable[[threading.Event], None]], stop: threading.Event
) -> None:
    """Run every loop in a thread of its own until ``stop`` is set.

    A loop that ends by an error ends them all, and the error is raised here: half a dispatcher
    looks alive and delivers nothing, so the process has to end and be started again.
    """
    errors: list[BaseException] = []

    def guarded(loop: Callable[[threading.Event], None]) -> None:
        try:
            loop(stop)
        except BaseException as error:  # noqa: BLE001 - raised again below, in the main thread
            errors.append(error)
        finally:
            stop.set()

    threads = [
        threading.Thread(target=guarded, args=(loop,), name=name) for name, loop in loops.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
