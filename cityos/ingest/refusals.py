"""Says in the log that payloads are refused: whose, how many, why; a line a minute at most."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Final

import structlog

from cityos.ports import Clock, DeadLetter

_EVERY_S: Final = 60.0
_KEPT: Final = 100
_SHOWN: Final = 5

_log = structlog.get_logger("ingest")


class Refusals:
    """Counts by device and reason between two lines; the dead letters are the record."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._total = 0
        self._said_at_s = -math.inf

    def count(self, letters: Iterable[DeadLetter]) -> None:
        with self._lock:
            for letter in letters:
                whose = f"{letter.vendor}/{letter.device}" if letter.device else "unknown topics"
                key = whose, letter.reason
                self._total += 1
                if key in self._counts or len(self._counts) < _KEPT:
                    self._counts[key] += 1

    def say(self, *, now: bool = False) -> None:
        """Say what was counted since the last line, when it is time to, or ``now``."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            if not self._total or (not now and now_s - self._said_at_s < _EVERY_S):
                return
            counts, total = self._counts, self._total
            self._counts, self._total, self._said_at_s = Counter(), 0, now_s
        shown = [
            f"{whose}: {count} {reason}" for (whose, reason), count in counts.most_common(_SHOWN)
        ]
        rest = total - sum(count for _, count in counts.most_common(_SHOWN))
        if rest:
            shown.append(f"{rest} more")
        _log.warning(
            "payloads are refused; `cityos dead-letters list` shows them",
            refused=total,
            why="; ".join(shown),
        )
