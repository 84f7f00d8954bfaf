"""Rivers of the simulated day: rain on a catchment, a delay, a linear reservoir, a rating curve.

The linear reservoir (outflow proportional to what is stored) is solved exactly for an inflow that
is constant over a step, so that water is neither made nor lost. The rating is that of a wide
channel, discharge proportional to depth to the power 5/3 (Manning).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from cityos.domain.entity import Entity
from cityos.domain.observation import Position
from cityos.rehearsal.scenario import RiverTable
from cityos.rehearsal.weather import DAY_H, RainRecord, Storm

_STEP_H: Final = 1.0 / 30.0
_RATING_EXPONENT: Final = 5.0 / 3.0
_BASE_SHARE: Final = 0.03  # of the filling discharge: what runs without rain
_M3_PER_KM2_MM: Final = 1000.0
_S_PER_H: Final = 3600.0


class Reservoir:
    """Water on its way to the gauge: what flows out in an hour is ``stored_m3 / storage_h``."""

    def __init__(self, storage_h: float) -> None:
        self.storage_h = storage_h
        self.stored_m3 = 0.0

    def pass_on(self, inflow_m3: float, hours: float) -> float:
        """Take ``inflow_m3``, spread evenly over ``hours``; return the outflow in m3."""
        kept = math.exp(-hours / self.storage_h)
        before = self.stored_m3
        steady_m3 = inflow_m3 / hours * self.storage_h
        self.stored_m3 = before * kept + steady_m3 * (1.0 - kept)
        return before + inflow_m3 - self.stored_m3


class River:
    """A river at one gauge, from one hour to the next."""

    def __init__(self, gauge: Entity, table: RiverTable, storm: Storm, center: Position) -> None:
        place = Position(*table.catchment) if table.catchment else gauge.position or center
        self._table = table
        self._rain = RainRecord(storm, place)
        self._reservoir = Reservoir(table.storage_h)
        self._bed_m, self._danger_m = _channel(gauge.attributes)
        self._filling_m3_per_s = (
            table.runoff * table.filling_mm_per_h * table.catchment_km2 * _M3_PER_KM2_MM / _S_PER_H
        )
        self._hour = 0.0
        self.inflow_m3 = 0.0
        self.outflow_m3 = 0.0

    @property
    def stored_m3(self) -> float:
        return self._reservoir.stored_m3

    @property
    def discharge_m3_per_s(self) -> float:
        flow = self._reservoir.stored_m3 / self._reservoir.storage_h / _S_PER_H
        return flow + _BASE_SHARE * self._filling_m3_per_s

    @property
    def level_m(self) -> float:
        share = self.discharge_m3_per_s / self._filling_m3_per_s
        return self._bed_m + (self._danger_m - self._bed_m) * math.pow(
            share, 1.0 / _RATING_EXPONENT
        )

    def open_at(self, hour: float) -> None:
        """Begin at ``hour`` with the water that the day before left."""
        self._hour = hour - DAY_H
        self.advance(hour)

    def advance(self, hour: float) -> None:
        """Go on to ``hour``, which is not before the last one."""
        steps = max(1, math.ceil((hour - self._hour) / _STEP_H))
        start, length_h = self._hour, (hour - self._hour) / steps
        if length_h <= 0:
            return
        for step in range(steps):
            since_h = start + step * length_h - self._table.lag_h
            rain_mm = self._rain.depth_mm(since_h, since_h + length_h)
            inflow_m3 = self._table.runoff * rain_mm * self._table.catchment_km2 * _M3_PER_KM2_MM
            self.inflow_m3 += inflow_m3
            self.outflow_m3 += self._reservoir.pass_on(inflow_m3, length_h)
        self._hour = hour


def _channel(attributes: Mapping[str, Any]) -> tuple[float, float]:
    """Return the bed's and the danger level, in metres of the gauge's own datum.

    The bed is put as far below the standby level as that lies below the danger level, times 0.8:
    with the base flow this leaves an ordinary day well under the first threshold.
    """
    danger = float(attributes.get("danger_level_m", attributes.get("overflow_level_m", 3.0)))
    standby = float(attributes.get("standby_level_m", danger / 2.0))
    return standby - 0.8 * (danger - standby), danger
