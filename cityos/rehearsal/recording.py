"""A recorded day, whatever format it was kept in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cityos.domain.entity import Device, Entity


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message of the day. ``time`` orders and paces the replay.

    It is also the time of readings that have none in the payload.
    """

    time: datetime
    vendor: str
    device: str
    payload: bytes


@dataclass(slots=True)
class Skipped:
    """What a recording holds that cannot be replayed: how many by reason, one example of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, example: str) -> None:
        self.counts[reason] += 1
        self.examples.setdefault(reason, example)

    def include(self, other: Skipped) -> None:
        """Count what was skipped elsewhere, too."""
        self.counts.update(other.counts)
        self.examples = {**other.examples, **self.examples}


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be registered before the day is replayed.

    ``municipality`` asks for the tenant's own Municipality entity as the device's entity, which
    is then left empty here.
    """

    entities: Sequence[Entity] = ()
    devices: Sequence[Device] = ()
    municipality: bool = False


class Recording(Protocol):
    """One kind of recorded files, opened."""

    title: str
    skipped: Skipped

    def count(self) -> int:
        """How many messages there are, skipped ones included."""
        ...

    def needs(self, tenant: str) -> Needs: ...

    def messages(self) -> Iterator[Recorded]:
        """The messages, oldest first as far as their files allow."""
        ...
