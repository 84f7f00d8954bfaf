"""A clock that stands where a test sets it."""

from __future__ import annotations

from datetime import datetime, timedelta


class ChosenClock:
    """A ``Clock`` that moves only by ``advance``."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._monotonic_s = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic_s += seconds
