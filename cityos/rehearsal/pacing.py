"""When to send the next recorded message: recorded time, run faster by a factor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from cityos.ports import Clock

LONGEST_SILENCE: Final = timedelta(hours=1)
"""Recorded time in which nothing was said is not waited for beyond this: between two recorded
storms there may be a year."""


class Pacer:
    """Holds a replay to ``speed`` recorded seconds in one second; infinite: no waiting.

    ``wait`` sleeps for some seconds and returns True when the replay shall stop.
    """

    def __init__(self, clock: Clock, speed: float, wait: Callable[[float], bool]) -> None:
        self._clock = clock
        self._speed = speed
        self._wait = wait
        self._due_s = clock.monotonic_s()
        self._last: datetime | None = None
        self.cut = timedelta(0)
        """How much silence was left out."""

    def until(self, time: datetime) -> bool:
        """Wait until the message of ``time`` is due; return False when the replay shall stop.

        Who cannot keep up does not hurry afterwards: a lag is not made good.
        """
        gap = timedelta(0) if self._last is None else max(time - self._last, timedelta(0))
        if gap > LONGEST_SILENCE:
            self.cut += gap - LONGEST_SILENCE
            gap = LONGEST_SILENCE
        self._last = time if self._last is None else max(time, self._last)
        now_s = self._clock.monotonic_s()
        self._due_s = max(self._due_s + gap.total_seconds() / self._speed, now_s - 1.0)
        wait_s = self._due_s - now_s
        return not self._wait(max(0.0, wait_s))
