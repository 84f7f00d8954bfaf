"""The service ``evacuation_alert`` and the water: thresholds, course, settings."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Name
from cityos.domain.occasion import Exercise
from cityos.errors import InvalidPlugin
from services.evacuation_alert.service import RULE_VERSION, EvacuationAlert
from tests.evacuation_town import (
    GAUGE,
    RAIN,
    THRESHOLDS,
    Town,
    area,
    bulletin,
    gauge,
    minute,
    rain_gauge,
)


def test_reaching_the_danger_level_proposes_level_4_with_its_evidence() -> None:
    (said,) = Town(gauge()).observe(20, 6.15)
    assert said.situation == f"flood/{GAUGE}"
    assert (said.hazard, said.level, said.at) == (Hazard.FLOOD, 4, minute(20))
    assert said.rule_version == RULE_VERSION
    assert said.headline == Name(
        "Level 4: evacuation order (flood): Asuwa River at Tsukumo Bridge",
        "【警戒レベル4 避難指示】足羽川 九十九橋付近（洪水）",
    )
    assert said.reason == Name(
        "Tsukumo Bridge (Asuwa River): water level 6.15 m has reached the flood danger level "
        "6.10 m (2026-09-01 09:20 JST). This meets the criteria for level 4: evacuation order.",
        "九十九橋（足羽川）の水位 6.15 m が氾濫危険水位 6.10 m に到達（9月1日9時20分）。"
        "警戒レベル4 避難指示の目安にあたる。",
    )
    (evidence,) = said.evidence
    assert (evidence.kind, evidence.source, evidence.observed_property) == (
        "observation",
        GAUGE,
        "water_level",
    )
    assert (evidence.value, evidence.threshold, evidence.unit) == (6.15, 6.1, "m")
    assert (evidence.at, evidence.level) == (minute(20), 4)


def test_a_river_is_named_once_where_the_gauge_bears_its_name() -> None:
    alike = dataclasses.replace(gauge(), name=Name("Asuwa River mouth", "足羽川"))
    (said,) = Town(alike).observe(20, 6.15)
    assert said.headline.en.endswith("(flood): Around Asuwa River mouth")
    assert said.headline.ja == "【警戒レベル4 避難指示】足羽川付近（洪水）"
    assert said.reason.en.startswith("Asuwa River mouth: water level 6.15 m")
    assert said.reason.ja.startswith("足羽川の水位 6.15 m")
    # in each language for itself
    half = dataclasses.replace(gauge(), name=Name("Tsukumo", "足羽川"))
    (said,) = Town(half).observe(20, 6.15)
    assert said.reason.en.startswith("Tsukumo (Asuwa River): water level")
    assert said.reason.ja.startswith("足羽川の水位")


@pytest.mark.parametrize(
    ("value", "text"),
    [(6.1, "6.10 m"), (6.125, "6.125 m"), (7, "7.00 m"), (6.1000000001, "6.10 m")],
)
def test_values_are_given_as_they_were_sent(value: float, text: str) -> None:
    (said,) = Town(gauge()).observe(0, value)
    assert f"水位 {text} が" in said.reason.ja


def test_the_course_of_a_flood_is_one_situation_of_revisions() -> None:
    here = Town(gauge(overflow_level_m=7.0))
    for at, value in enumerate([3.0, 4.9, 5.6, 5.7, 6.1, 7.0, 6.5, 6.0, 5.4]):
        here.observe(at * 10, value)
    assert here.levels() == [3, 4, 5]
    for at in range(90, 200, 10):
        here.observe(at, 5.4)
    # 5.4 since minute 80; 6.0 at minute 70 is within the margin of 6.1
    assert here.levels() == [3, 4, 5, 4, 0]
    assert [said.at for said in here.said[3:]] == [minute(120), minute(140)]
    assert {said.situation for said in here.said} == {f"flood/{GAUGE}"}


def test_a_gauge_may_have_its_own_holding_time() -> None:
    patient, quick = Town(gauge()), Town(gauge(hold_min=2))
    for town in (patient, quick):
        town.observe(0, 6.2)
        town.observe(1, 1.0)
        town.observe(4, 1.0)
    assert patient.levels() == [4]
    assert quick.levels() == [4, 0]


def test_the_reason_of_a_stand_down_says_what_ended_and_what_remains() -> None:
    here = Town(gauge())
    here.observe(0, 5.7)
    here.observe(10, 4.9)
    (said,) = here.observe(70, 4.9)
    assert said.level is AlertLevel.NONE
    assert said.headline == Name(
        "Lifted: level 3: evacuation of the elderly and others who need time (flood): "
        "Asuwa River at Tsukumo Bridge",
        "【解除】警戒レベル3 高齢者等避難：足羽川 九十九橋付近（洪水）",
    )
    assert said.reason == Name(
        "Tsukumo Bridge (Asuwa River): water level 4.90 m is still at or above the flood "
        "caution level 4.80 m (2026-09-01 10:10 JST). It stayed more than 0.10 m below the "
        "evacuation judgement level 5.60 m for 60 min. The criteria for level 3 are no longer "
        "met: stand down. Conditions of level 2 remain: stay attentive.",
        "九十九橋（足羽川）の水位 4.90 m は引き続き氾濫注意水位 4.80 m 以上（9月1日10時10分）。"
        "避難判断水位 5.60 m を0.10 m より大きく下回る状態が60分続いた。"
        "警戒レベル3の基準に該当しなくなり、解除の目安にあたる。"
        "引き続き警戒レベル2に相当する状況のため注意。",
    )


def test_levels_below_the_lowest_proposed_one_stand_for_no_alert() -> None:
    steps = [(0, 3.6), (10, 4.9), (20, 5.7), (30, 4.9), (90, 4.9), (100, 3.6), (160, 3.6)]
    expected = {1: [1, 2, 3, 2, 1], 2: [2, 3, 2, 0], 3: [3, 0], 4: []}
    for lowest, levels in expected.items():
        here = Town(gauge(), propose_from_level=lowest)
        for at, value in steps:
            here.observe(at, value)
        assert here.levels() == levels


def test_a_gauge_without_an_evacuation_level_goes_to_4_directly() -> None:
    here = Town(gauge(evacuation_level_m=None))
    assert here.observe(0, 6.0) == []
    (said,) = here.observe(10, 6.1)
    assert said.level is AlertLevel.EVACUATE


@pytest.mark.parametrize("missing", ["--- ", "", None, True, float("nan"), {}])
def test_a_threshold_that_is_no_number_is_a_missing_one(missing: object) -> None:
    here = Town(gauge(danger_level_m=missing))
    (said,) = here.observe(0, 20.0)
    assert said.level is AlertLevel.ELDERLY_EVACUATE


@pytest.mark.parametrize("value", ["6.2", True, [6.2], {"depth": 6.2}, float("nan")])
def test_a_value_that_is_no_number_says_nothing(value: object) -> None:
    assert Town(gauge()).observe(0, value) == []


def test_what_is_not_known_proposes_nothing_and_fails_nothing() -> None:
    nothing: dict[str, Any] = dict.fromkeys(THRESHOLDS)
    assert Town().observe(0, 9.0) == []
    assert Town(gauge(**nothing)).observe(0, 9.0) == []
    assert Town(gauge()).observe(0, 9.0, prop="discharge") == []
    assert Town(rain_gauge()).observe(0, 9.0, entity=RAIN) == []
    assert Town(area(GAUGE, "Bus", **THRESHOLDS)).observe(0, 9.0) == []
    assert (
        Town(rain_gauge(rainfall_levels_mm="50")).observe(
            0, 90.0, entity=RAIN, prop="precipitation_1h"
        )
        == []
    )


def test_a_series_of_its_own_is_not_the_level_of_the_river() -> None:
    """A forecast in another dataset must not order anyone out."""
    assert Town(gauge()).observe(0, 9.0, dataset="urn:vendor:forecast") == []


def test_an_exercise_lives_in_its_own_series() -> None:
    occasion = Exercise("typhoon")
    here = Town(gauge(), occasion=occasion)
    assert len(here.observe(0, 9.0, dataset=occasion.dataset)) == 1


def test_water_that_rises_again_while_a_stand_down_waits_is_proposed_again() -> None:
    """With an order in force the situation stays open at NONE until a person lifts the order."""
    here = Town(gauge())
    here.observe(0, 6.2)
    key = f"flood/{GAUGE}"
    order = bulletin("order", 4, 1)
    here.city.situations[key] = dataclasses.replace(here.city.situations[key], in_force=order)
    here.observe(10, 5.7)
    here.observe(70, 5.7)
    assert here.levels() == [4, 3]  # and nobody has approved the 3
    here.observe(80, 1.0)
    (down,) = here.observe(140, 1.0)
    assert down.level is AlertLevel.NONE
    assert down.headline.ja.startswith("【解除】警戒レベル4 避難指示：")
    assert here.observe(150, 1.0) == []
    (up,) = here.observe(160, 5.7)
    assert up.level is AlertLevel.ELDERLY_EVACUATE


@pytest.mark.parametrize(
    "rules",
    [
        {"hold_min": -1},
        {"margin_m": -0.1},
        {"stale_min": 0},
        {"memory_h": 1},
        {"propose_from_level": 0},
        {"propose_from_level": 6},
        {"spike_m": -1.0},
    ],
)
def test_a_setting_out_of_range_is_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(InvalidPlugin, match=next(iter(rules))):
        EvacuationAlert(**rules)


def test_the_rules_and_the_manifest_have_one_version() -> None:
    root = Path(__file__).parents[2]
    manifest = tomllib.loads((root / "services/evacuation_alert/service.toml").read_text())
    assert manifest["version"] == RULE_VERSION
