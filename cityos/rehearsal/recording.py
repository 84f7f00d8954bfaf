"""A recorded day, whatever format it was kept in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from cityos.domain.entity import REHEARSAL_ONLY, Device, Entity

_NAMED: Final = 3


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
    """What a recording holds that cannot be replayed: how many by reason, and which.

    The first few are in ``examples``, ``unnamed`` counts the others.
    """

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    unnamed: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, example: str) -> None:
        """``example`` names it: a line of a file, a file, or a device for all that it said."""
        self.counts[reason] += 1
        self._name(reason, example)

    def include(self, other: Skipped) -> None:
        """Count what was skipped elsewhere, too."""
        self.counts.update(other.counts)
        self.unnamed.update(other.unnamed)
        for reason, examples in other.examples.items():
            for example in examples:
                self._name(reason, example)

    def which(self, reason: str) -> str:
        """Name what was skipped for this reason, as far as it is kept."""
        named, more = ", ".join(self.examples[reason]), self.unnamed[reason]
        return f"{named} and {more} more" if more else named

    def _name(self, reason: str, example: str) -> None:
        named = self.examples.setdefault(reason, [])
        if example in named:
            return
        if len(named) < _NAMED:
            named.append(example)
        else:
            self.unnamed[reason] += 1


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be registered before the day is replayed.

    ``municipality`` asks for the tenant's own Municipality entity as the device's entity, which
    is then left empty here.
    """

    entities: Sequence[Entity] = ()
    devices: Sequence[Device] = ()
    municipality: bool = False


def only_rehearses(device: Device) -> bool:
    """Whether a replay registered it: the city's own rehearsals speak for it, and nobody else."""
    return bool(device.settings.get(REHEARSAL_ONLY))


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
