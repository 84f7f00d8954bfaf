"""Tells a device at once why its payload was refused, on its own errors topic.

Best effort by design: the dead letter in the store is the record. A device in a fault loop is told
ten times a second at most, so that its flood does not become ours. The operator reads of it in the
log, see ``refusals``.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from cityos.domain import topic
from cityos.errors import Unavailable
from cityos.ingest.clock_watch import ClockWatch
from cityos.ingest.metrics import IngestMetrics
from cityos.ingest.refusals import Refusals
from cityos.ports import Clock, DeadLetter, MessagePublisher

_WAITING: Final = 1000
_A_SECOND: Final = 10
_EXCERPT_BYTES: Final = 200
_TIMEOUT_S: Final = 5.0
_LOOK_S: Final = 1.0


class Feedback:
    """A bounded queue and one thread that publishes from it."""

    def __init__(
        self,
        publisher: MessagePublisher,
        clock: Clock,
        metrics: IngestMetrics,
        clock_watch: ClockWatch,
    ) -> None:
        self._publisher = publisher
        self._clock = clock
        self._metrics = metrics
        self._refusals = Refusals(clock)
        self._clock_watch = clock_watch
        self._waiting: queue.Queue[DeadLetter | None] = queue.Queue(_WAITING)
        self._said: Counter[str] = Counter()
        self._second = 0
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send what is waiting, as far as the broker takes it, and end."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=_TIMEOUT_S)
            self._thread.join(_TIMEOUT_S)
        self._refusals.say(now=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def tell(self, letters: Sequence[DeadLetter]) -> None:
        """Queue feedback for refused messages; never blocks."""
        self._refusals.count(letters)
        self._clock_watch.count(letters)
        second = int(self._clock.monotonic_s())
        if second != self._second:
            self._second, self._said = second, Counter()
        for letter in letters:
            if not (letter.tenant and letter.vendor and letter.device):
                continue  # the topic does not say whom to tell
            self._said[letter.topic] += 1
            if self._said[letter.topic] > _A_SECOND:
                self._metrics.feedback_dropped.inc()
                continue
            try:
                self._waiting.put_nowait(letter)
            except queue.Full:
                self._metrics.feedback_dropped.inc()

    def _run(self) -> None:
        while (letter := self._next()) is not None:
            where = topic.errors(letter.tenant, letter.vendor, letter.device)
            try:
                self._publisher.publish(
                    where, feedback_message(letter), retain=False, timeout_s=_TIMEOUT_S
                )
            except Unavailable:
                self._metrics.feedback_dropped.inc()

    def _next(self) -> DeadLetter | None:
        while True:
            self._refusals.say()
            self._clock_watch.look()
            with contextlib.suppress(queue.Empty):
                return self._waiting.get(timeout=_LOOK_S)


def feedback_message(letter: DeadLetter) -> bytes:
    """Return the JSON that a device gets: what was wrong, where, and how to fix it."""
    return msgspec.json.encode(
        {
            "reason": letter.reason,
            "detail": letter.detail,
            "path": letter.path,
            "hint": letter.hint,
            "topic": letter.topic,
            "received_at": letter.received_at,
            "message_id": letter.raw_id,
            "payload_excerpt": letter.payload[:_EXCERPT_BYTES].decode("utf-8", "replace"),
        }
    )
