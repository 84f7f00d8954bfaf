"""The real clock. Everything else is given one, so that a rehearsal can run in another time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Literal


class SystemClock:
    """Wall time in aware UTC, and a monotonic count of seconds for deadlines."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()


def local(time: datetime) -> datetime:
    """Return the time in this machine's zone; without an offset it is taken to be in it."""
    return time.astimezone()


def for_people(time: datetime, *, to_the: Literal["minutes", "seconds"] = "seconds") -> str:
    """Return the time as commands print it: this machine's, with its offset."""
    return local(time).isoformat(" ", to_the)
