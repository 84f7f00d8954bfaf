"""What a sensor said (``Observation``), and what the city keeps of it (``Reading``).

Words and times follow OGC SensorThings 1.1 / SOSA: ``observed_at`` is the phenomenon time,
``received_at`` is ours. Times are aware UTC; positions are longitude, latitude, WGS 84.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag
from typing import Final, NamedTuple, TypeAlias


@dataclass(frozen=True, slots=True)
class Position:
    """A point, WGS 84 degrees. Longitude comes first, as in GeoJSON (RFC 7946, section 3.1.1)."""

    longitude: float
    latitude: float


JSONValue: TypeAlias = "str | int | float | bool | list[JSONValue] | dict[str, JSONValue] | None"
Value: TypeAlias = "float | str | bool | Position | list[JSONValue] | dict[str, JSONValue]"


class Quality(IntFlag):
    """Flags on a stored value; 0 is good. Stored as a small integer."""

    GOOD = 0
    CORRECTED = 1  # the same key was sent again with another value; the first is kept aside
    TIME_ASSUMED = 2  # the device sent no time: the time of receipt stands in
    LATE = 4  # older than the latest value of its series when it came


QUALITIES: Final = tuple(Quality(flags) for flags in range(2 * max(Quality)))
"""By their number: looked up, not made anew for every value."""


class Observation(NamedTuple):
    """One value as a decoder yields it. A named tuple: one is made for every reading.

    ``unit`` is a UCUM code, or None for the property's own unit. ``observed_at`` None means that
    the device has no clock. ``entity`` None means the device's own entity, otherwise the name by
    which the device knows it (a URN, or a local name that the device's registration maps).
    ``dataset`` tells apart several series of the same property (NGSI-LD ``datasetId``).
    """

    observed_property: str
    value: Value
    unit: str | None = None
    observed_at: datetime | None = None
    entity: str | None = None
    dataset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One stored value: checked, in the property's unit, traceable to its raw message."""

    entity: str
    observed_property: str
    value: Value
    unit: str
    observed_at: datetime
    received_at: datetime
    quality: Quality = Quality.GOOD
    dataset: str = ""
    raw_id: int = 0
