"""Buildings' power of the simulated day: a load curve whose register is its exact integral.

Both are functions of absolute time, so that a register never goes back, whenever the simulation
is started again.
"""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Final

_METER_START: Final = datetime(2024, 12, 31, 15, tzinfo=UTC)  # midnight in Japan
_DAY: Final = timedelta(days=1)
_WAVES: Final = (
    # hours of a period, share of the mean, hour of the crest (None: by the building's seed)
    (24.0, 0.42, 14.0),
    (12.0, 0.12, 10.0),
    (17.0 / 60.0, 0.04, None),
    (5.3 / 60.0, 0.02, None),
)


class BuildingLoad:
    """What a building draws. The shares sum up to less than 1: it never feeds in."""

    def __init__(self, name: str, mean_kw: float, seed: int) -> None:
        dice = random.Random(f"load {seed} {name}")  # noqa: S311 - a load curve, not a secret
        self._mean_kw = mean_kw
        self._waves = [
            (period_h, share, dice.uniform(0.0, period_h) if crest_h is None else crest_h)
            for period_h, share, crest_h in _WAVES
        ]
        self._register_at_start_kwh = mean_kw * 24.0 + round(dice.uniform(0.0, 50_000.0), 1)

    def power_w(self, at: datetime) -> float:
        """Return the active power."""
        hour = (at - _METER_START) / _DAY * 24.0
        swing = sum(
            share * math.cos(math.tau * (hour - crest_h) / period_h)
            for period_h, share, crest_h in self._waves
        )
        return self._mean_kw * 1000.0 * (1.0 + swing)

    def register_kwh(self, at: datetime) -> float:
        """Return what the meter has counted: the integral of ``power_w``."""
        hour = (at - _METER_START) / _DAY * 24.0
        swing = sum(
            share * period_h / math.tau * math.sin(math.tau * (hour - crest_h) / period_h)
            for period_h, share, crest_h in self._waves
        )
        return self._register_at_start_kwh + self._mean_kw * (hour + swing)
