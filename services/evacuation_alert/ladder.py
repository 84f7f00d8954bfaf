"""On which rung of a ladder of thresholds a series of values stands.

A rung is climbed at once, by the first value at or above its threshold. It is left only when
every value stayed below the threshold minus a margin for the whole holding time: an order must
not flicker with the waves. Where a series stands depends on what was observed alone, never on
the order in which it arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Name

_DIGITS = 6
"""6.1 - 0.1 is 5.999... in binary: edges are rounded to the micrometre."""


@dataclass(frozen=True, slots=True)
class Rung:
    """From ``threshold`` on, in the unit of the values, a value calls for ``level``."""

    level: AlertLevel
    threshold: float
    name: Name


@dataclass(frozen=True, slots=True)
class Point:
    """One value of the series. ``at`` is aware UTC."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Footing:
    """Where a series stands at its ``newest`` point.

    ``rung`` is the highest rung that stands, None where none does; ``reached`` is the newest
    point at or above it, None where that lies further back than the points do. ``left`` are the
    rungs above ``rung`` that were climbed and left again, highest first, each with the newest
    point that reached it.
    """

    newest: Point
    rung: Rung | None = None
    reached: Point | None = None
    left: tuple[tuple[Rung, Point | None], ...] = ()

    @property
    def level(self) -> AlertLevel:
        return AlertLevel.NONE if self.rung is None else self.rung.level

    @property
    def is_held(self) -> bool:
        """The newest value is below the rung, but not yet for long enough."""
        return self.rung is not None and self.newest.value < self.rung.threshold


def level_of(value: float, rungs: Sequence[Rung]) -> AlertLevel:
    """Return the level that the value alone calls for."""
    return max((rung.level for rung in rungs if value >= rung.threshold), default=AlertLevel.NONE)


def climb(
    points: Sequence[Point],
    rungs: Sequence[Rung],
    *,
    hold: timedelta,
    margin: float,
    standing: AlertLevel = AlertLevel.NONE,
) -> Footing | None:
    """Return where the series stands, or None where there are no points.

    ``points`` are ordered by time. ``standing`` is the level up to which rungs already stood
    before the first point.
    """
    if not points:
        return None
    left: list[tuple[Rung, Point | None]] = []
    for rung in sorted(rungs, key=lambda rung: (rung.level, rung.threshold), reverse=True):
        stands, was_climbed, reached = _fold(
            points, rung, hold=hold, margin=margin, stands=rung.level <= standing
        )
        if stands:
            return Footing(points[-1], rung, reached, tuple(left))
        if was_climbed:
            left.append((rung, reached))
    return Footing(points[-1], left=tuple(left))


def _fold(
    points: Sequence[Point], rung: Rung, *, hold: timedelta, margin: float, stands: bool
) -> tuple[bool, bool, Point | None]:
    """Return whether the rung stands at the end, whether it ever did, and what reached it."""
    edge = round(rung.threshold - margin, _DIGITS)
    was_climbed = stands
    reached: Point | None = None
    low_since: datetime | None = None
    for point in points:
        if point.value >= rung.threshold:
            stands, was_climbed, reached, low_since = True, True, point, None
        elif point.value >= edge:
            low_since = None
        else:
            # From the first low reading, not from the last high one: what happened between two
            # readings is not known, and a gauge that was silent must prove the whole time.
            low_since = low_since or point.at
            if point.at - low_since >= hold:
                stands = False
    return stands, was_climbed, reached


def without_spikes(points: Sequence[Point], rise: float) -> list[Point]:
    """Return the points without rises of more than ``rise`` that a single reading claims.

    Such a rise counts, from its first reading on, as soon as the next reading confirms it.
    """
    kept: list[Point] = []
    doubtful: Point | None = None
    for point in points:
        if not kept or point.value - kept[-1].value <= rise:
            kept.append(point)
            doubtful = None
        elif doubtful is None:
            doubtful = point
        else:
            kept += [doubtful, point]
            doubtful = None
    return kept
