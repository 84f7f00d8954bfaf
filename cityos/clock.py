"""The real clock. Everything else is given one, so that a rehearsal can run in another time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Wall time in aware UTC, and a monotonic count of seconds for deadlines."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()
