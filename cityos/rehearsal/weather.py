"""The rain of the simulated day: bands that move over the city, as a pure function of seed.

The day repeats: hour 24 is hour 0 again, so that a demonstration can run for weeks.
"""

from __future__ import annotations

import math
import random
from itertools import accumulate
from typing import Final

from cityos.domain.observation import Position
from cityos.rehearsal.scenario import StormTable

DAY_H: Final = 24.0
_STEPS: Final = 720  # two minutes each: shorter than any band needs to pass
_STEP_H: Final = DAY_H / _STEPS
_KM_PER_DEGREE: Final = 111.2  # of latitude, mean of the meridian


class _Band:
    def __init__(self, dice: random.Random, table: StormTable, share: float) -> None:
        self.arrival_h = table.peak_h + dice.uniform(-1.0, 1.0) * table.spread_h
        self.duration_h = table.band_width_km * dice.uniform(0.7, 1.3) / table.speed_km_per_h
        self.rate_mm_per_h = table.band_mm_per_h * share
        self.wave_km = dice.uniform(25.0, 60.0)
        self.phase = dice.uniform(0.0, math.tau)

    def rate(self, hour: float, along_h: float, across_km: float) -> float:
        offset = (hour - self.arrival_h - along_h + DAY_H / 2) % DAY_H - DAY_H / 2
        wave = 1.0 + 0.3 * math.sin(math.tau * across_km / self.wave_km + self.phase)
        return self.rate_mm_per_h * wave * math.exp(-0.5 * (offset / self.duration_h) ** 2)


class Storm:
    """The rain rate anywhere, at any hour of the simulated day."""

    def __init__(self, table: StormTable, center: Position, seed: int) -> None:
        dice = random.Random(f"storm {seed}")  # noqa: S311 - weather, not a secret
        self._table = table
        self._center = center
        shares = [1.0, *(dice.uniform(0.35, 0.85) for _ in range(table.bands - 1))]
        self._bands = [_Band(dice, table, share) for share in shares]

    def rate_mm_per_h(self, place: Position, hour: float) -> float:
        """Return the rain rate at ``place``; hour 24 is hour 0."""
        along_km, across_km = self._axes(place)
        along_h = along_km / self._table.speed_km_per_h
        offset = (hour - self._table.peak_h + DAY_H / 2) % DAY_H - DAY_H / 2
        shield = self._table.shield_mm_per_h * math.exp(
            -0.5 * (offset / (1.6 * self._table.spread_h)) ** 2
        )
        return shield + sum(band.rate(hour, along_h, across_km) for band in self._bands)

    def _axes(self, place: Position) -> tuple[float, float]:
        north_km = (place.latitude - self._center.latitude) * _KM_PER_DEGREE
        east_km = (
            (place.longitude - self._center.longitude)
            * _KM_PER_DEGREE
            * math.cos(math.radians(self._center.latitude))
        )
        heading = math.radians(self._table.toward_deg)
        along_km = north_km * math.cos(heading) + east_km * math.sin(heading)
        return along_km, east_km * math.cos(heading) - north_km * math.sin(heading)


class RainRecord:
    """The rain at one place, summed up: depths between any two hours, of however many days."""

    def __init__(self, storm: Storm, place: Position) -> None:
        middles = ((step + 0.5) * _STEP_H for step in range(_STEPS))
        depths = (storm.rate_mm_per_h(place, hour) * _STEP_H for hour in middles)
        self._sums = [0.0, *accumulate(depths)]

    @property
    def day_mm(self) -> float:
        """The depth of one whole day."""
        return self._sums[-1]

    def depth_mm(self, since_h: float, until_h: float) -> float:
        """Return the depth that falls from ``since_h`` to ``until_h``."""
        return self.sum_mm(until_h) - self.sum_mm(since_h)

    def sum_mm(self, hour: float) -> float:
        """Return the depth from hour 0 of day 0 on (negative before it)."""
        day, rest = divmod(hour, DAY_H)
        step, part = divmod(rest / _STEP_H, 1.0)
        index = min(int(step), _STEPS - 1)
        low, high = self._sums[index], self._sums[index + 1]
        return day * self.day_mm + low + (high - low) * part
