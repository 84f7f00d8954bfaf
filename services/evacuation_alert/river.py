"""Water levels: which thresholds a river gauge has, and which level each calls for.

Source: 避難情報に関するガイドライン (Cabinet Office, May 2021), flood: 避難判断水位 is the mark
for level 3, 氾濫危険水位 for level 4, the start of overflow for level 5; 水防団待機水位 and
氾濫注意水位 (Flood Control Act, articles 12 and 13) go with levels 1 and 2.
"""

from __future__ import annotations

from typing import Final

from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Entity, Name
from services.evacuation_alert.areas import named, river_of
from services.evacuation_alert.ladder import Rung
from services.evacuation_alert.measure import Measure, as_number

GAUGE: Final = "WaterLevelGauge"
PROPERTY: Final = "water_level"

THRESHOLDS: Final = (
    (
        "standby_level_m",
        AlertLevel.PREPARE_MINDSET,
        Name("flood-fighting standby level", "水防団待機水位"),
    ),
    ("caution_level_m", AlertLevel.CONFIRM_ROUTES, Name("flood caution level", "氾濫注意水位")),
    (
        "evacuation_level_m",
        AlertLevel.ELDERLY_EVACUATE,
        Name("evacuation judgement level", "避難判断水位"),
    ),
    ("danger_level_m", AlertLevel.EVACUATE, Name("flood danger level", "氾濫危険水位")),
    (
        "overflow_level_m",
        AlertLevel.EMERGENCY_SAFETY,
        Name("overflow level", "氾濫開始相当水位"),
    ),
)
"""Attribute of the gauge, level, name. A gauge may lack any; none is ever guessed."""


def measures(gauge: Entity, *, margin_m: float, spike_m: float) -> tuple[Measure, ...]:
    """Return what to watch on the gauge; empty where it has no threshold."""
    rungs = tuple(
        Rung(level, threshold, name)
        for attribute, level, name in THRESHOLDS
        if (threshold := as_number(gauge.attributes.get(attribute))) is not None
    )
    if not rungs:
        return ()
    return (
        Measure(
            gauge=gauge,
            place=_place(gauge),
            hazard=Hazard.FLOOD,
            observed_property=PROPERTY,
            quantity=Name("water level", "水位"),
            unit="m",
            digits=2,
            rungs=rungs,
            margin=margin_m,
            spike=spike_m,
        ),
    )


def _place(gauge: Entity) -> Name:
    name, river = named(gauge), river_of(gauge)
    return Name(
        f"{name.en} ({river.en})" if river.en else name.en,
        f"{name.ja}（{river.ja}）" if river.ja else name.ja,
    )
