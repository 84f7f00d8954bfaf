"""The service ``evacuation_alert``: areas, several gauges of one, rainfall."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cityos.domain.alert import (
    AlertArea,
)
from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Name
from cityos.domain.proposal import Assessment
from tests.evacuation_town import AREA, GAUGE, OTHER, RAIN, SQUARE, Town, area, gauge, rain_gauge


def test_the_area_of_a_gauge_is_named_and_drawn() -> None:
    (said,) = Town(gauge(area=AREA), area()).observe(0, 6.2)
    assert said.situation == f"flood/{AREA}"
    assert said.area == AlertArea(
        name=Name("Riverside", "川沿い地区"),
        geocodes={"municipality": ("22212",)},
        polygons=(tuple((x, y) for x, y in SQUARE),),
        entity=AREA,
    )


def test_an_area_that_is_not_registered_keeps_its_key() -> None:
    (said,) = Town(gauge(area=AREA)).observe(0, 6.2)
    assert (said.situation, said.area.entity) == (f"flood/{AREA}", AREA)
    assert said.area.name.ja == "足羽川 九十九橋付近"
    assert said.area.polygons == ()


@pytest.mark.parametrize(
    ("geometry", "count"),
    [
        ({"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE[:-1], SQUARE]]}, 2),
        ({"type": "Polygon", "coordinates": [SQUARE[:-1]]}, 1),
        ({"type": "Polygon", "coordinates": []}, 0),
        ({"type": "Polygon", "coordinates": [[[1, 2], [3, 4]]]}, 0),
        ({"type": "Polygon", "coordinates": [[["x", "y"]] * 4]}, 0),
        ({"type": "MultiPolygon", "coordinates": 7}, 0),
        ({"type": "MultiPolygon", "coordinates": [7]}, 0),
        ({"type": "Point", "coordinates": [1, 2]}, 0),
        ({}, 0),
        (None, 0),
    ],
)
def test_only_whole_rings_become_polygons(geometry: Any, count: int) -> None:
    place = dataclasses.replace(area(), geometry=geometry)
    (said,) = Town(gauge(area=AREA), place).observe(0, 6.2)
    assert len(said.area.polygons) == count
    assert all(ring[0] == ring[-1] for ring in said.area.polygons)


def test_the_highest_gauge_of_an_area_decides() -> None:
    here = Town(gauge(area=AREA), gauge(OTHER, area=AREA, danger_level_m=8.0), area())
    here.observe(0, 5.7, entity=OTHER)
    (said,) = here.observe(5, 6.2)
    assert [item.source for item in said.evidence] == [GAUGE, OTHER]
    assert [int(item.level) for item in said.evidence] == [4, 3]
    for at in (10, 20, 30, 40, 50, 60, 70):
        here.observe(at, 1.0)
        here.observe(at + 2, 5.7, entity=OTHER)
    assert here.levels() == [3, 4, 3]
    assert here.said[-1].reason.ja.startswith("九十九橋（足羽川）の水位 5.70 m が避難判断水位")
    assert {item.source for item in here.said[-1].evidence} == {GAUGE, OTHER}


def test_what_ended_before_the_situation_opened_does_not_explain_its_end() -> None:
    here = Town(gauge(area=AREA), gauge(OTHER, area=AREA), area())
    for at, value in ((0, 6.2), (10, 1.0), (70, 1.0), (80, 1.0)):
        here.observe(at, value, entity=OTHER)
    assert here.levels() == [4, 0]
    for at, value in ((90, 5.7), (100, 1.0), (160, 1.0)):
        here.observe(at, value)
    assert here.levels() == [4, 0, 3, 0]
    assert here.said[-1].reason.ja.count("避難判断水位 5.60 m を0.10 m より大きく下回る状態") == 1


def test_a_gauge_that_was_never_high_does_not_explain_the_end() -> None:
    low = dataclasses.replace(gauge(OTHER, area=AREA), name=Name("Low Bridge", "低橋"))
    here = Town(gauge(area=AREA), low, area())
    here.observe(0, 1.0, entity=OTHER)
    for at, value in ((1, 5.7), (10, 1.0), (70, 1.0)):
        here.observe(at, value)
    assert here.levels() == [3, 0]
    assert "低橋" not in here.said[-1].reason.ja


def test_a_gauge_that_fell_silent_is_named_when_the_others_end_the_situation() -> None:
    here = Town(gauge(area=AREA), gauge(OTHER, area=AREA), area())
    here.observe(0, 6.2, entity=OTHER)
    for at in range(0, 180, 10):
        here.observe(at, 1.0)
    assert here.levels() == [4]
    (said,) = here.observe(190, 1.0)
    assert said.level is AlertLevel.NONE
    assert "9月1日9時00分を最後に届いていない" in said.reason.ja
    assert "no longer counts" in said.reason.en


def test_gauges_of_other_areas_are_other_situations() -> None:
    here = Town(gauge(), gauge(OTHER))
    here.observe(0, 6.2)
    here.observe(0, 5.7, entity=OTHER)
    assert [(said.situation, int(said.level)) for said in here.said] == [
        (f"flood/{GAUGE}", 4),
        (f"flood/{OTHER}", 3),
    ]


def rain(here: Town, at: float, value: float, prop: str = "precipitation_1h") -> list[Assessment]:
    return here.observe(at, value, entity=RAIN, prop=prop)


def test_rain_proposes_level_3_and_is_left_after_the_holding_time() -> None:
    here = Town(rain_gauge(), area())
    assert rain(here, 0, 49.5) == []
    (said,) = rain(here, 10, 52.0)
    assert (said.level, said.situation) == (3, f"flood/{AREA}")
    assert said.evidence[0].summary.ja == (
        "役場の1時間雨量 52 mm が警戒レベル3の基準 50 mm に到達（9月1日9時10分）。"
    )
    rain(here, 20, 49.5)
    rain(here, 79, 10.0)
    assert here.levels() == [3]
    rain(here, 80, 10.0)
    assert here.levels() == [3, 0]


def test_rain_alone_goes_no_higher_than_level_3() -> None:
    here = Town(rain_gauge(rainfall_levels_mm={"precipitation_1h": {"4": 80, "5": 100}}), area())
    (said,) = rain(here, 0, 150.0)
    assert said.level is AlertLevel.ELDERLY_EVACUATE


def test_rain_over_a_day_counts_too_and_both_are_evidence() -> None:
    here = Town(rain_gauge(), area())
    rain(here, 0, 35.0)
    (said,) = rain(here, 5, 210.0, "precipitation_24h")
    assert [(item.observed_property, int(item.level)) for item in said.evidence] == [
        ("precipitation_24h", 3),
        ("precipitation_1h", 2),
    ]


def test_rain_joins_the_river_of_its_area() -> None:
    here = Town(rain_gauge(), gauge(area=AREA), area())
    rain(here, 0, 55.0)
    here.observe(5, 6.2)
    assert here.levels() == [3, 4]
    assert [item.source for item in here.said[-1].evidence] == [GAUGE, RAIN]


def test_rain_may_stand_for_another_hazard() -> None:
    here = Town(rain_gauge(hazard="landslide"), gauge(area=AREA), area())
    rain(here, 0, 55.0)
    here.observe(5, 6.2)
    assert [(said.situation, *(item.source for item in said.evidence)) for said in here.said] == [
        (f"landslide/{AREA}", RAIN),
        (f"flood/{AREA}", GAUGE),
    ]
