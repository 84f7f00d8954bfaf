"""Says in the log that payloads are refused: the first at once, then how many, once a minute.

The first line names one and gives no number, for more may follow in that moment. If more do, the
minute's sum says all of it, the named one included.
"""

from __future__ import annotations

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
    """Counts by vendor and reason from line to line; the dead letters are the record."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._total = 0
        self._first: DeadLetter | None = None
        self._sum_due_s: float | None = None
        self._named = 0

    def count(self, letters: Iterable[DeadLetter]) -> None:
        with self._lock:
            for letter in letters:
                self._first = self._first or letter
                self._total += 1
                key = letter.vendor or "unknown topics", letter.reason
                if key in self._counts or len(self._counts) < _KEPT:
                    self._counts[key] += 1

    def say(self, *, now: bool = False) -> None:
        """Say what is to be said by now; ``now``: also the sum of a minute that is not over."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            if self._first and self._sum_due_s is None:
                self._name(self._first)
                self._sum_due_s = now_s + _EVERY_S
            if self._sum_due_s is None or (not now and now_s < self._sum_due_s):
                return
            if self._total > self._named:
                self._sum_up()
                self._sum_due_s = now_s + _EVERY_S
            else:
                self._sum_due_s = None
            self._counts, self._total, self._named, self._first = Counter(), 0, 0, None

    def _name(self, letter: DeadLetter) -> None:
        self._named = 1
        whose = f"{letter.vendor}/{letter.device}" if letter.device else letter.topic[:100]
        _log.warning(
            "a payload is refused, how many more is said once a minute;"
            " `cityos dead-letters list` shows them",
            why=f"{whose}: {letter.reason}: {letter.detail[:200]}",
        )

    def _sum_up(self) -> None:
        most = self._counts.most_common(_SHOWN)
        shown = [f"{whose}: {count} {reason}" for (whose, reason), count in most]
        rest = self._total - sum(count for _, count in most)
        if rest:
            shown.append(f"{rest} more")
        _log.warning(
            "payloads were refused in the last minute; `cityos dead-letters list` shows them",
            refused=self._total,
            why="; ".join(shown),
        )
