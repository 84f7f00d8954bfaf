"""``simulation.toml``: the storm, the rivers and the buildings of a simulated day.

Every figure has a default, so that a town gets a rehearsal from its thresholds alone and refines
it where it knows its catchments.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class StormTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rain bands that pass the city, one behind the other, in the course of 24 hours.

    ``peak_h`` is the hour of the day around which they come, ``spread_h`` how far they scatter;
    they move ``toward_deg`` (clockwise from north). ``band_mm_per_h`` is the strongest band's
    rate at its middle, ``shield_mm_per_h`` that of the steady rain around.
    """

    bands: Annotated[int, msgspec.Meta(ge=1, le=50)] = 6
    peak_h: Annotated[float, msgspec.Meta(ge=0, lt=24)] = 13.0
    spread_h: Positive = 2.5
    speed_km_per_h: Positive = 25.0
    toward_deg: Annotated[float, msgspec.Meta(ge=0, lt=360)] = 45.0
    band_width_km: Positive = 9.0
    band_mm_per_h: Positive = 40.0
    shield_mm_per_h: Positive = 6.0


class RiverTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A river at its gauge, as a linear reservoir behind a delay.

    ``filling_mm_per_h`` is the steady rain on the catchment that fills the river to its danger
    level. ``catchment`` is the middle of the catchment (longitude, latitude); absent: the gauge.
    """

    catchment_km2: Positive = 20.0
    storage_h: Positive = 2.0
    lag_h: Annotated[float, msgspec.Meta(ge=0, le=24)] = 0.5
    runoff: Share = 0.7
    filling_mm_per_h: Positive = 30.0
    catchment: tuple[float, float] | None = None


class BuildingTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A building's load: the mean over a day."""

    mean_kw: Positive = 40.0


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``opening_h`` is the hour of the storm's day at which the rehearsal opens.

    ``rivers`` and ``buildings`` are keyed by the local id of the gauge or the building.
    """

    seed: int = 1
    opening_h: Annotated[float, msgspec.Meta(ge=0, lt=24)] = 9.0
    storm: StormTable = StormTable()
    rivers: dict[str, RiverTable] = {}
    buildings: dict[str, BuildingTable] = {}
