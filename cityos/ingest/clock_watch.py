"""Doubts this server's clock where it must be doubted: every time of receipt comes from it.

A server that starts without a battery and without internet stands years back, or where it was
switched off. Every reading then seems to be of the future and is refused, and one without a time
of its own is stored at a wrong one. Three signs tell of it: the clock stands before what is
certainly past; it is set while we run; many devices at once are refused for their time. Nothing
is stopped for it: what a person does about it is in the operator guide.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

import structlog

from cityos.domain.rejection import Reason
from cityos.ingest.checks import NEWEST
from cityos.ingest.metrics import IngestMetrics
from cityos.ports import FIRST_RECEIPT, Clock, DeadLetter

_MANY_DEVICES: Final = 4
_WITHIN_S: Final = 300.0
_MOST_REMEMBERED: Final = 1000
_SHOWN: Final = 5
_AGAIN_AFTER_S: Final = 600.0
_SET: Final = timedelta(minutes=1)
"""A clock that is corrected by less was right enough."""
_OF_THE_CITY: Final = "/observations"
"""How a topic ends that is no exercise's: the times of a recorded day say nothing of our clock."""

_log = structlog.get_logger("ingest")


class ClockWatch:
    """``put`` shows a notice under a name to an operator, and with an empty text takes it away."""

    def __init__(
        self, clock: Clock, metrics: IngestMetrics, put: Callable[[str, str], None]
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._put = put
        self._lock = threading.Lock()
        self._certainly_past = FIRST_RECEIPT
        self._refused: dict[tuple[str, str, str], float] = {}
        self._last: DeadLetter | None = None
        self._said_at_s: dict[str, float] = {}
        self._doubts: set[str] = set()
        self._since = clock.now()
        self._ahead = self._ahead_of_monotonic()

    def is_past(self, time: datetime) -> None:
        """Learn of a time that is over, whatever the clock says: something was there or came."""
        with self._lock:
            self._certainly_past = max(self._certainly_past, time)

    def count(self, letters: Iterable[DeadLetter]) -> None:
        """Note which devices were refused for their time."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            for letter in letters:
                if (
                    letter.reason == Reason.IMPLAUSIBLE_TIME
                    and letter.topic.endswith(_OF_THE_CITY)
                    and len(self._refused) < _MOST_REMEMBERED
                ):
                    self._refused[letter.tenant, letter.vendor, letter.device] = now_s
                    self._last = letter

    def look(self) -> None:
        """Say what there is to say; call it about once a second."""
        with self._lock:
            self._look_whether_it_was_set()
            self._look_whether_it_stands_in_the_past()
            self._look_at_the_refused()
            self._metrics.clock_doubted.set(bool(self._doubts))

    def _look_whether_it_stands_in_the_past(self) -> None:
        now = self._clock.now()
        if now >= self._certainly_past - NEWEST:
            self._dispel("past")
            return
        self._doubt(
            "past",
            "this server's clock is wrong: it stands before what is certainly past",
            f"it says {_shown(now)}, and {_shown(self._certainly_past)} is over, unless the clock"
            " was ahead then; until it is set, readings are refused as of the future, and those"
            " without a time are stored at a wrong one",
        )

    def _look_whether_it_was_set(self) -> None:
        ahead = self._ahead_of_monotonic()
        by, self._ahead = ahead - self._ahead, ahead
        if abs(by) < _SET:
            return
        now = self._clock.now()
        since, self._since = self._since, now
        period = f"--since {_shown(since)} --until {_shown(now - by + _SET)}"
        text = (
            f"it was {timedelta(seconds=round(abs(by).total_seconds()))}"
            f" {'behind' if by > timedelta(0) else 'ahead'};"
            f" what was refused for it: `cityos dead-letters replay --clock-was-wrong {period}`;"
            " readings of then without a time of their own stand at a wrong one"
        )
        _log.warning("this server's clock was set", why=text)
        self._put("set", f"this server's clock was set ({text})")

    def _look_at_the_refused(self) -> None:
        limit_s = self._clock.monotonic_s() - _WITHIN_S
        for device in [one for one, at_s in self._refused.items() if at_s < limit_s]:
            del self._refused[device]
        if len(self._refused) < _MANY_DEVICES or self._last is None:
            self._dispel("refused")
            return
        vendors = ", ".join(sorted({vendor for _, vendor, _ in self._refused})[:_SHOWN])
        self._doubt(
            "refused",
            "many devices are refused for their time: this server's clock is wrong, or theirs is",
            f"it says {_shown(self._clock.now())}; {len(self._refused)} devices in five minutes,"
            f" of vendor {vendors}; the last, {self._last.device}: {self._last.detail}",
        )

    def _doubt(self, name: str, what: str, why: str) -> None:
        now_s = self._clock.monotonic_s()
        due = now_s - self._said_at_s.get(name, -math.inf) >= _AGAIN_AFTER_S
        if due:
            self._said_at_s[name] = now_s
            _log.error(what, why=why)
        if due or name not in self._doubts:
            self._put(name, f"{what} ({why})")
            self._doubts.add(name)

    def _dispel(self, name: str) -> None:
        if name in self._doubts:
            self._doubts.remove(name)
            self._put(name, "")

    def _ahead_of_monotonic(self) -> timedelta:
        """Stays the same but when the clock is set: the difference to a start that is nobody's."""
        monotonic = timedelta(seconds=self._clock.monotonic_s())
        return self._clock.now() - FIRST_RECEIPT - monotonic


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
