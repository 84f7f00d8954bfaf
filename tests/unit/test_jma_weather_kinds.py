"""Every kind of weather warning: the level that the guideline and the scheme of 2026 give it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.jma_xml.weather_kinds import CODES, NEW_SCHEME_FROM, PHENOMENA, weather_kind
from cityos.domain.alert_level import Hazard

BEFORE = NEW_SCHEME_FROM - timedelta(seconds=1)
FLOOD, SLIDE, INLAND, SURGE = (
    Hazard.FLOOD,
    Hazard.LANDSLIDE,
    Hazard.INLAND_FLOOD,
    Hazard.STORM_SURGE,
)
GUIDELINE = {
    # 避難情報に関するガイドライン (May 2021), 警戒レベル相当情報
    ("大雨特別警報", SLIDE): 5,
    ("大雨特別警報", INLAND): 5,
    ("大雨警報", SLIDE): 3,
    ("大雨警報", INLAND): 0,
    ("大雨注意報", SLIDE): 2,
    ("大雨注意報", INLAND): 2,
    ("洪水警報", FLOOD): 3,
    ("洪水注意報", FLOOD): 2,
    ("高潮特別警報", SURGE): 4,
    ("高潮警報", SURGE): 4,
    ("高潮注意報", SURGE): 2,
}


def level(name: str, hazard: Hazard, *next_names: str, code: str = "", late: bool = False) -> int:
    kind = weather_kind(code, name)
    assert kind is not None
    coming = [one for name in next_names if (one := weather_kind("", name))]
    return int(kind.level_for(hazard, NEW_SCHEME_FROM if late else BEFORE, coming))


@pytest.mark.parametrize(("name", "hazard"), GUIDELINE)
def test_levels_of_the_guideline(name: str, hazard: Hazard) -> None:
    assert level(name, hazard) == GUIDELINE[name, hazard]


def test_a_storm_surge_advisory_that_is_likely_to_become_a_warning() -> None:
    assert level("高潮注意報", SURGE, "高潮警報") == 3
    assert level("高潮注意報", SURGE, "高潮特別警報") == 3
    assert level("高潮注意報", SURGE, "高潮注意報") == 2


@pytest.mark.parametrize("phenomenon", ["大雨", "土砂災害", "高潮"])
@pytest.mark.parametrize(
    ("number", "grade", "expected"),
    [("５", "特別警報", 5), ("４", "危険警報", 4), ("３", "警報", 3), ("２", "注意報", 2)],
)
def test_the_scheme_of_2026_has_the_level_in_the_name(
    phenomenon: str, number: str, grade: str, expected: int
) -> None:
    name = f"レベル{number}{phenomenon}{grade}"
    kind = weather_kind("", name)
    assert kind is not None
    assert kind.name.ja == name
    assert kind.name.en.startswith(f"Level {expected} ")
    for hazard in kind.hazards(""):
        assert level(name, hazard) == expected
        assert level(name, hazard, late=True) == expected


def test_from_2026_on_an_old_name_has_its_new_level() -> None:
    assert level("高潮警報", SURGE, late=True) == 3
    assert level("高潮特別警報", SURGE, late=True) == 5
    assert level("大雨警報", INLAND, late=True) == 3
    assert level("暴風特別警報", Hazard.STORM, late=True) == 0


@pytest.mark.parametrize("code", CODES)
def test_a_code_alone_says_what_the_name_says(code: str) -> None:
    assert weather_kind(code, "") == weather_kind("", CODES[code])
    kind = weather_kind(code, "")
    assert kind is not None
    assert kind.name.ja == CODES[code]
    assert kind.name.en.isascii()


def test_wind_waves_and_snow_have_no_level() -> None:
    for phenomenon in PHENOMENA.values():
        if phenomenon.levelled:
            continue
        for grade in ("特別警報", "警報", "注意報"):
            for hazard in phenomenon.hazards:
                assert level(f"{phenomenon.ja}{grade}", hazard) == 0


@pytest.mark.parametrize("name", ["", "解除", "なし", "大雨情報", "黄砂警報", "レベル９大雨警報"])
def test_an_unknown_name_is_no_kind(name: str) -> None:
    assert weather_kind("", name) is None
