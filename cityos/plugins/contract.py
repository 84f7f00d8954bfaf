"""All that a plugin imports, beside ``cityos.domain`` and ``cityos.errors``.

A plugin is one class: its fields are its settings, its one method is its work. It is pure: no
connection, no clock, no memory between calls. The engine polls, retries, stores and delivers.
The decorators let the type checker hold a class against its contract where it is defined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from cityos.domain.alert import Alert, Bulletin
from cityos.domain.entity import Entity
from cityos.domain.event import Event
from cityos.domain.history import Sample
from cityos.domain.observation import Observation
from cityos.domain.proposal import Assessment, Situation


class Receipt(NamedTuple):
    """Where and when bytes arrived: all that an adapter may know besides the bytes.

    ``source`` is the MQTT topic or the URL, ``device`` the publisher's id, ``received_at`` aware
    UTC, ``settings`` the device's own settings for this adapter. A named tuple: one is made for
    nearly every message.
    """

    source: str
    device: str
    received_at: datetime
    content_type: str = ""
    settings: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fetch:
    """A document that the one just read points to. The engine fetches it once."""

    url: str


class Decoder(Protocol):
    """An adapter for payloads that devices push."""

    def decode(self, payload: bytes, receipt: Receipt) -> Iterable[Observation]:
        """Yield what the payload says.

        Raises:
            UndecodablePayload: the bytes do not match the adapter's specification.
        """
        ...


class Feed(Protocol):
    """An adapter for documents that the engine polls, or that are pushed on the feed's topic."""

    def read(self, document: bytes, receipt: Receipt) -> Iterable[Observation | Bulletin | Fetch]:
        """Yield what the document says; ``Fetch`` has a linked document fetched and read too.

        Raises:
            UndecodablePayload: the bytes do not match the feed's specification.
        """
        ...


class CityView(Protocol):
    """The city as it stood at the time of the event: a service never sees the future.

    Everything is of the event's own tenant and occasion.
    """

    def entity(self, entity_id: str) -> Entity | None: ...

    def entities(self, entity_type: str) -> Sequence[Entity]:
        """Every entity of the type, ordered by id."""
        ...

    def latest(self, entity_id: str, observed_property: str) -> Sample | None:
        """The value with the greatest ``observed_at`` not after the event."""
        ...

    def history(self, entity_id: str, observed_property: str, since: datetime) -> Sequence[Sample]:
        """Values with ``since <= observed_at <= event``, oldest first, the newest 10,000."""
        ...

    def situation(self, key: str) -> Situation | None:
        """The open situation of this service under ``key``, or None."""
        ...

    def situations(self) -> Sequence[Situation]:
        """All open situations of this service, ordered by key."""
        ...

    def bulletins_in_force(self) -> Sequence[Alert]:
        """Other authorities' alerts that stand at the time of the event, oldest first."""
        ...


Effect: TypeAlias = Assessment
"""What a service may ask for. The engine performs each once and turns it into a proposal."""


class Service(Protocol):
    """A consumer: answers one event with effects for the engine to perform."""

    def react(self, event: Event, city: CityView) -> Sequence[Effect]:
        """Return effects, never perform them; empty means that nothing is to be done."""
        ...


D = TypeVar("D", bound=type[Decoder])
F = TypeVar("F", bound=type[Feed])
S = TypeVar("S", bound=type[Service])


def decoder(cls: D) -> D:
    """Mark a class as a decoder."""
    return cls


def feed(cls: F) -> F:
    """Mark a class as a feed."""
    return cls


def service(cls: S) -> S:
    """Mark a class as a service."""
    return cls
