"""Questions about the past, and their answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cityos.domain.observation import Quality, Value


class Aggregate(StrEnum):
    """What a bucket answers with. All are computed from count, sum, minimum and maximum."""

    AVERAGE = "average"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    SUM = "sum"
    COUNT = "count"


class Order(StrEnum):
    NEWEST_FIRST = "newest_first"
    OLDEST_FIRST = "oldest_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesKey:
    """What one series is about. ``dataset`` empty is the default series of the property."""

    entity: str
    observed_property: str
    dataset: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One raw value of a series."""

    observed_at: datetime
    value: Value
    received_at: datetime
    quality: Quality
    raw_id: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """The values of one interval ``[start, start + interval)``. ``count`` is never 0."""

    start: datetime
    count: int
    sum: float
    minimum: float
    maximum: float

    def value(self, aggregate: Aggregate) -> float:
        match aggregate:
            case Aggregate.AVERAGE:
                return self.sum / self.count
            case Aggregate.MINIMUM:
                return self.minimum
            case Aggregate.MAXIMUM:
                return self.maximum
            case Aggregate.SUM:
                return self.sum
            case Aggregate.COUNT:
                return float(self.count)


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """West, south, east, north in WGS 84 degrees, as in GeoJSON (RFC 7946, section 5)."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True)
class Near:
    """Within ``radius_m`` metres of a point, on the sphere."""

    longitude: float
    latitude: float
    radius_m: float
