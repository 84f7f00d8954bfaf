"""Things of the city (``Entity``), who publishes (``Device``), and whose they are (``Tenant``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cityos.domain.observation import Position
from cityos.errors import InvalidRequest

_URN: Final = re.compile(r"urn:[a-z0-9][a-z0-9-]{0,31}:[A-Za-z0-9()+,\-.:=@;$_!*'%/?#]{1,200}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
RESERVED_VENDORS: Final = frozenset(
    ("alerts", "cityos", "dispatch", "feeds", "ingest", "rehearsal", "replay", "simulator")
)
"""The city's own users on the broker and levels of its topics: a vendor's rights must not add up
with theirs."""
REHEARSAL_ONLY: Final = "rehearsal_only"
"""Marks what came with a recording and is not the city's own: an attribute of entities, a setting
of devices, which their adapter does not see."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name in the two languages of the city's people."""

    en: str
    ja: str


NO_NAME: Final = Name("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A thing of the city, with a URN (RFC 8141) and a type (NGSI-LD, clause 4.6).

    ``position`` is a point; ``geometry`` is a GeoJSON geometry (RFC 7946) where the thing is a
    line or an area. ``attributes`` are its static facts; numbers in them carry their unit at the
    end of the name (``danger_level_m``).

    Raises:
        InvalidRequest: ``id`` is not a URN.
    """

    id: str
    type: str
    name: Name
    position: Position | None = None
    geometry: Mapping[str, Any] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _URN.fullmatch(self.id):
            message = f"entity id {self.id!r} is not a URN such as urn:ngsi-ld:WaterLevelGauge:1"
            raise InvalidRequest(message, parameter="id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A publisher: under which topic it speaks, which adapter reads it, what it speaks for.

    ``entities`` maps names used in its payloads to entity ids; a URN that is not a key of it may
    be used only if it is one of its values. ``settings`` are the adapter's.

    Raises:
        InvalidRequest: ``vendor`` or ``id`` is not 1-64 characters of ``a-z 0-9 _ -``, or the
            vendor's name is one of the city's own.
    """

    vendor: str
    id: str
    adapter: str
    entity: str
    entities: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True

    def __post_init__(self) -> None:
        for parameter, value in (("vendor", self.vendor), ("id", self.id)):
            if not _NAME.fullmatch(value):
                message = f"{parameter} {value!r} must be 1-64 characters of a-z, 0-9, _ or -"
                raise InvalidRequest(message, parameter=parameter)
        if self.vendor in RESERVED_VENDORS:
            message = f"vendor {self.vendor!r} is a name of the city's own; choose another"
            raise InvalidRequest(message, parameter="vendor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A municipality. In a ``practice`` city everything that comes out is an exercise.

    ``created_at`` is when its store took it in; None before that.
    """

    id: str
    name: Name
    practice: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = field(default=None, compare=False)
