"""Rainfall: which thresholds a rain gauge has, and which level each calls for.

Rain alone never calls for more than level 3. The guideline (避難情報に関するガイドライン, Cabinet
Office, May 2021) orders level 4 by what the water or the soil does: a river's danger level or a
JMA bulletin; rain is what lets the slow ones leave in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cityos.domain.alert_level import HAZARDS, AlertLevel, Hazard
from cityos.domain.entity import Entity, Name
from cityos.domain.observed_property import PROPERTIES
from services.evacuation_alert.areas import named
from services.evacuation_alert.ladder import Rung
from services.evacuation_alert.measure import Measure, as_number

GAUGE: Final = "RainGauge"
HIGHEST: Final = AlertLevel.ELDERLY_EVACUATE
WATCHED: Final = ("precipitation_10min", "precipitation_1h", "precipitation_24h")

_LEVELS: Final = {str(int(level)): level for level in AlertLevel if level is not AlertLevel.NONE}


def measures(gauge: Entity) -> tuple[Measure, ...]:
    """Return what to watch on the gauge, one measure for each property with thresholds.

    ``rainfall_levels_mm`` maps a property to levels and millimetres:
    ``{"precipitation_1h": {"2": 30, "3": 50}}``. ``hazard`` may name what the rain threatens
    (``flood`` where it is missing).
    """
    table = gauge.attributes.get("rainfall_levels_mm")
    if not isinstance(table, Mapping):
        return ()
    hazard = HAZARDS.get(str(gauge.attributes.get("hazard")), Hazard.FLOOD)
    found = (_measure(gauge, name, hazard, table.get(name)) for name in WATCHED)
    return tuple(measure for measure in found if measure is not None)


def _measure(
    gauge: Entity, observed_property: str, hazard: Hazard, thresholds: object
) -> Measure | None:
    if not isinstance(thresholds, Mapping):
        return None
    rungs = tuple(
        _rung(level, threshold)
        for key, level in _LEVELS.items()
        if (threshold := as_number(thresholds.get(key))) is not None
    )
    if not rungs:
        return None
    prop = PROPERTIES[observed_property]
    english = prop.label_en[0].lower() + prop.label_en[1:]
    return Measure(
        gauge=gauge,
        place=named(gauge),
        hazard=hazard,
        observed_property=observed_property,
        quantity=Name(english, prop.label_ja),
        unit=prop.unit,
        digits=0,
        rungs=rungs,
    )


def _rung(level: AlertLevel, threshold: float) -> Rung:
    capped = min(level, HIGHEST)
    number = int(capped)
    return Rung(capped, threshold, Name(f"level-{number} criterion", f"警戒レベル{number}の基準"))
