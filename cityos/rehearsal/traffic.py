"""Buses of the simulated day: along a line, halting on the way, as a pure function of time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Final

from cityos.domain.observation import Position

CRUISE_KM_PER_H: Final = 28.0
_CRUISE_M_PER_S: Final = CRUISE_KM_PER_H / 3.6
_HALT_EVERY_M: Final = 400.0
_HALT_S: Final = 20.0
_LAYOVER_S: Final = 180.0
_M_PER_DEGREE: Final = 111_200.0
_CLOSED_M: Final = 50.0  # ends nearer than this make a loop


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a bus is. ``share`` is the part of the way from one terminal to the other, 0 to 1."""

    position: Position
    speed_km_per_h: float
    heading_deg: float
    share: float


class Line:
    """A line as a path: there and back, or round and round where its ends meet."""

    def __init__(self, points: Sequence[Position]) -> None:
        loop = distance_m(points[0], points[-1]) < _CLOSED_M
        self._points = list(points) if loop else [*points, *reversed(points[:-1])]
        legs = (distance_m(a, b) for a, b in pairwise(self._points))
        self._at_m = [0.0, *accumulate(legs)]
        self._length_m = self._at_m[-1]
        self._halts = max(1, round(self._length_m / _HALT_EVERY_M))
        self._leg_s = self._length_m / self._halts / _CRUISE_M_PER_S
        self.round_trip_s = self._halts * (self._leg_s + _HALT_S) + _LAYOVER_S

    def fix(self, seconds: float) -> Fix:
        """Return where a bus is that left the terminal ``seconds`` ago."""
        leg, into_s = divmod(seconds % self.round_trip_s, self._leg_s + _HALT_S)
        moving = leg < self._halts and into_s < self._leg_s
        done = leg + min(into_s / self._leg_s, 1.0) if leg < self._halts else self._halts
        along_m = self._length_m * done / self._halts
        index = min(bisect_right(self._at_m, along_m), len(self._at_m) - 1)
        a, b = self._points[index - 1], self._points[index]
        span_m = self._at_m[index] - self._at_m[index - 1]
        part = (along_m - self._at_m[index - 1]) / span_m if span_m else 0.0
        position = Position(
            a.longitude + (b.longitude - a.longitude) * part,
            a.latitude + (b.latitude - a.latitude) * part,
        )
        speed = CRUISE_KM_PER_H if moving else 0.0
        return Fix(position, speed, _bearing_deg(a, b), along_m / self._length_m)


def line_of(geometry: Mapping[str, Any]) -> Line:
    """Return the line of a GeoJSON LineString, or of the longest part of a MultiLineString."""
    coordinates = geometry["coordinates"]
    if geometry["type"] == "MultiLineString":
        coordinates = max(coordinates, key=len)
    return Line([Position(point[0], point[1]) for point in coordinates])


def distance_m(a: Position, b: Position) -> float:
    """Return the distance on the plane that touches the sphere at ``a``: a city is small."""
    north_m = (b.latitude - a.latitude) * _M_PER_DEGREE
    shrink = math.cos(math.radians((a.latitude + b.latitude) / 2.0))
    return math.hypot(north_m, (b.longitude - a.longitude) * _M_PER_DEGREE * shrink)


def _bearing_deg(a: Position, b: Position) -> float:
    east = (b.longitude - a.longitude) * math.cos(math.radians(a.latitude))
    return math.degrees(math.atan2(east, b.latitude - a.latitude)) % 360.0
