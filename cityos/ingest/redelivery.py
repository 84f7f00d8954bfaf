"""Sends dead letters again, once what they were refused for is mended.

Each goes out on its own topic through the broker, as if the device had sent it now. Before, it is
read and checked here as ingest would: what would only be refused again stays where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cityos.domain.rejection import Reason
from cityos.ingest.checks import NEWEST
from cityos.ingest.pipeline import Numbered, Pipeline
from cityos.ports import (
    FIRST_RECEIPT,
    Clock,
    DeadLetter,
    DeadLetters,
    IngestBatch,
    MessagePublisher,
)

NO_TIME: Final = (
    "without a time of its own: its values would be of the time of the replay, and --now says "
    "that this is right"
)
_PUBLISH_S: Final = 10.0
_A_MOMENT: Final = timedelta(seconds=1)


@dataclass(slots=True)
class Redelivered:
    """What became of the dead letters: messages sent, and why others were not, by their ids."""

    messages: int = 0
    letters: int = 0
    left_out: dict[str, list[int]] = field(default_factory=dict)
    found: set[int] = field(default_factory=set)


class Redelivery:
    """``pipeline`` knows the devices and adapters of now; it stores nothing here."""

    def __init__(
        self,
        letters: DeadLetters,
        pipeline: Pipeline,
        publisher: MessagePublisher,
        clock: Clock,
    ) -> None:
        self._letters = letters
        self._pipeline = pipeline
        self._publisher = publisher
        self._clock = clock

    def run(
        self,
        tenant: str,
        *,
        reason: str = "",
        ids: Sequence[int] = (),
        again: bool = False,
        at_now: bool = False,
        received: tuple[datetime, datetime] | None = None,
        clock_was_wrong: bool = False,
    ) -> Redelivered:
        """Send what is mended, oldest first, and mark it as the broker has it.

        ``again``: also what was replayed before; ``at_now``: also what has no time of its own;
        ``received``: only what came from the first time until before the second;
        ``clock_was_wrong``: what came then came at another time, nobody knows when.

        Raises:
            Unavailable: the broker or the store went away; what was sent is marked.
        """
        result, sent, last = Redelivered(), set[int](), 0
        # what ingest refuses once more is a new letter: this run must not send that again
        up_to = self._letters.newest_id()
        while page := self._letters.waiting(
            tenant, up_to=up_to, reason=reason, ids=ids, again=again, after=last
        ):
            last = page[-1].id
            for kept in page:
                letter = kept.letter
                if received and not received[0] <= letter.received_at < received[1]:
                    continue
                result.found.add(kept.id)
                if letter.raw_id not in sent:
                    came_at = None if clock_was_wrong else self._came_at(letter)
                    hindrance = self._hindrance(letter, came_at, at_now=at_now)
                    if hindrance:
                        result.left_out.setdefault(hindrance, []).append(kept.id)
                        continue
                    self._send(letter)
                    sent.add(letter.raw_id)
                result.letters += 1
        result.messages = len(sent)
        return result

    def _send(self, letter: DeadLetter) -> None:
        self._publisher.publish(letter.topic, letter.payload, retain=False, timeout_s=_PUBLISH_S)
        self._letters.replayed(letter.raw_id, self._clock.now())

    def _came_at(self, letter: DeadLetter) -> datetime | None:
        """When it came; None where the clock of then was certainly wrong."""
        came_at = letter.received_at
        return came_at if FIRST_RECEIPT <= came_at <= self._clock.now() + NEWEST else None

    def _hindrance(self, letter: DeadLetter, came_at: datetime | None, *, at_now: bool) -> str:
        """Why this letter is not sent; empty: it is."""
        now = self._clock.now()
        # all that is sure of one that came at an unknown time is that it is here
        then = self._prepared(letter, came_at or now - _A_MOMENT)
        for refused in then.dead_letters:
            if (
                (refused.path, refused.reason) == (letter.path, letter.reason)
                # a clock that was a day ahead is not mended by waiting a day
                or refused.reason == Reason.IMPLAUSIBLE_TIME
                or not (then.values or then.alerts)
            ):
                return f"still refused: {refused.reason}: {refused.detail}"
        if not at_now and _said(then) != _said(self._prepared(letter, now)):
            return NO_TIME
        return ""

    def _prepared(self, letter: DeadLetter, received_at: datetime) -> IngestBatch:
        message = letter.topic.encode(), letter.payload
        return self._pipeline.prepare([Numbered(letter.raw_id, received_at, [message])])


def _said(batch: IngestBatch) -> tuple[list[object], list[object]]:
    """What the message says; the same whenever it is received, if it has times of its own."""
    return (
        [(value[0], value[1]) for value in batch.values],
        [(alert.alert, alert.valid_until) for alert in batch.alerts],
    )
