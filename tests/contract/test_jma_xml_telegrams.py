"""JMA's own samples and delivered telegrams: each is read, and says what a person reads in it.

Data: sample telegrams of 気象庁防災情報XML and telegrams as delivered (出典：気象庁), as collected
by github.com/MIERUNE/jmaxml and github.com/p2pquake/jmaxml-seis-parser-go.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from lxml import etree

from adapters.jma_xml import names
from adapters.jma_xml.feed import JmaXml
from cityos.domain.alert import Bulletin, MessageType
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.occasion import Actual, Exercise
from cityos.testing import builders as b

DATA = Path(__file__).parents[2].parent / "shared/data/jma-xml"
FILES = sorted(DATA.glob("*/*.xml"))
RECEIPT = b.receipt()
NOT_READ = {
    "VFSVii": "火山現象に関する海上警報・海上予報",
    "VFVO53": "降灰予報（定時）",
    "VFVO54": "降灰予報（速報）",
    "VFVO55": "降灰予報（詳細）",
    "VFVO60": "推定噴煙流向報",
    "VPAW51": "早期天候情報",
    "VPCJ51": "地方気象解説情報",
    "VPFD51": "府県天気予報（Ｒ１）",
    "VPFJ51": "府県気象解説情報",
    "VPFT50": "熱中症警戒アラート",
    "VPTI50": "全般台風情報",
    "VPTW60": "台風解析・予報情報（５日予報）（Ｈ３０）",
    "VPWP50": "気象警報・注意報時系列情報（Ｒ０６）",
    "VXSE62": "長周期地震動に関する観測情報",
    "VZSE40": "地震・津波に関するお知らせ",
}
"""Kinds in the data that README.md says are none of our business."""
FORECASTS_ALONE = {"36_01_01_240613_VXSE44.xml", "77_01_01_240613_VXSE45.xml"}
"""緊急地震速報 for machines that warn nobody."""

pytestmark = pytest.mark.skipif(not FILES, reason=f"no telegrams under {DATA}")


def kind_of(file: Path) -> str:
    """The data type is in the file's name: ..._VPWW54.xml, ..._VXSE53_270000.xml."""
    match = re.search(r"_([A-Z]{4}(?:\d\d|ii))(?:_\d{6})?\.xml$", file.name)
    assert match, file.name
    return match[1]


def read(file: Path) -> list[Bulletin]:
    results = list(JmaXml().read(file.read_bytes(), RECEIPT))
    assert all(isinstance(result, Bulletin) for result in results)
    return [result for result in results if isinstance(result, Bulletin)]


def sample(name: str) -> Bulletin:
    [file] = DATA.glob(f"*/{name}")
    [bulletin] = read(file)
    return bulletin


def levels(bulletin: Bulletin, scheme: str = names.AREA) -> dict[tuple[str, str], int]:
    """Highest level by hazard and area code."""
    found: dict[tuple[str, str], int] = {}
    for info in bulletin.infos:
        for area in info.areas:
            for code in area.geocodes.get(scheme, ()):
                key = (info.hazard.code, code)
                found[key] = max(found.get(key, 0), int(info.level))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_is_read_or_is_of_a_kind_that_is_not(file: Path) -> None:
    bulletins = read(file)
    kind = kind_of(file)
    if kind in NOT_READ or file.name in FORECASTS_ALONE:
        assert bulletins == []
        return
    [bulletin] = bulletins
    assert bulletin.parameters["telegram"] == kind
    assert bulletin.infos
    root = etree.parse(file).getroot()
    assert bulletin.drill is (root.findtext("{*}Control/{*}Status") != "通常")
    cancelled = root.findtext("{*}Head/{*}InfoType") == "取消"
    assert (bulletin.message_type is MessageType.CANCEL) is cancelled
    occasion = bulletin.on(Actual()).occasion
    assert isinstance(occasion, Exercise) is bulletin.drill


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_text_is_there_in_both_languages_and_fits_cap(file: Path) -> None:
    for bulletin in read(file):
        assert not re.search(r"[\s,<&]", bulletin.identifier + bulletin.sender)
        for info in bulletin.infos:
            for text in (info.event, info.headline, info.description):
                assert text.en, info.event
                assert text.ja, info.event
            assert bool(info.instruction.en) is bool(info.instruction.ja)
            assert all(area.name.en and area.name.ja for area in info.areas)
            assert all(isinstance(value, str) and value for value in info.parameters.values())
            assert info.parameters["alert_level"] == str(int(info.level))


def test_telegrams_are_told_apart() -> None:
    same = defaultdict(list)
    for file in FILES:
        for bulletin in read(file):
            same[bulletin.identifier].append(file.name)
    # JMA publishes one 震度速報 of 2009 in two scenarios, laid out in two ways
    assert [files for files in same.values() if len(files) > 1] == [
        ["32-35_01_01_100806_VXSE51.xml", "32-35_07_01_100915_VXSE51.xml"]
    ]


def test_a_telegram_keeps_its_identifier() -> None:
    [file] = DATA.glob("samples/15_15_01_*.xml")
    document = file.read_bytes()
    [one] = JmaXml().read(document, RECEIPT)
    laid_out_otherwise = document.replace(b"><", b">\r\n  <")
    [other] = JmaXml().read(laid_out_otherwise, RECEIPT)
    assert one == other


def test_the_same_flood_in_full_and_in_brief_are_two_messages_of_one_matter() -> None:
    full, brief = sample("16_02_01_220728_VXKOii.xml"), sample("16_05_01_210630_VXKOii.xml")
    assert full.sent == brief.sent
    assert full.identifier != brief.identifier
    assert full.supersedes == brief.supersedes == "jma/VXKOii/123456789012"
    assert full.level is brief.level is AlertLevel.ELDERLY_EVACUATE


def test_weather_warnings_before_2026() -> None:
    found = levels(sample("15_12_01_161130_VPWW54.xml"))
    assert found["landslide", "3220200"] == 5  # 大雨特別警報（土砂災害、浸水害）: 浜田市
    assert found["inland_flood", "3220200"] == 5
    assert found["flood", "3220200"] == 3  # 洪水警報
    assert found["landslide", "3220500"] == 3  # 大雨警報（土砂災害、浸水害）: 大田市
    assert found["inland_flood", "3220500"] == 0
    assert found["landslide", "3220100"] == 2  # 大雨注意報: 松江市
    assert found["landslide", "3252500"] == 0  # nothing: 海士町
    assert levels(sample("15_15_01_220314_VPWW54.xml"))["storm_surge", "3640300"] == 4


def test_weather_warnings_of_2026() -> None:
    landslide = levels(sample("15_16_01_241031_VPWW56.xml"))
    assert landslide["landslide", "0121400"] == 4  # レベル４土砂災害危険警報: 稚内市
    assert landslide["landslide", "0151100"] == 3  # レベル３土砂災害警報: 猿払村
    assert landslide["landslide", "0151200"] == 2
    surge = levels(sample("15_16_02_250630_VPWW57.xml"))
    assert surge["storm_surge", "2620200"] == 4  # レベル４高潮危険警報: 舞鶴市
    assert surge["storm_surge", "2610000"] == 0  # 京都市
    assert {key for key, level in surge.items() if level == 3}
    rain = levels(sample("15_16_03_241226_VPWW55.xml"))
    assert rain["inland_flood", "0121400"] == 4
    assert {hazard for hazard, _ in rain} == {"inland_flood"}


def test_a_lifted_warning_is_seen() -> None:
    bulletin = sample("15_08_03_160628_VPWW53.xml")
    lifted = [info for info in bulletin.infos if info.parameters.get("state") == "lifted"]
    assert {info.event.ja for info in lifted} == {"洪水警報", "洪水注意報"}
    assert {info.level for info in lifted} == {AlertLevel.NONE}
    found = levels(bulletin)
    assert found["flood", "2934300"] == 0  # 三郷町: 洪水警報 解除


def test_landslide_alert_and_where_it_is_lifted() -> None:
    found = levels(sample("17_03_08_190529_VXWW50.xml"))
    assert found["landslide", "3320700"] == 4  # 継続: 井原市
    assert found["landslide", "3310000"] == 0  # 解除: 岡山市
    assert Counter(found.values()) == {4: 9, 0: 18}
    assert sample("17_04_01_250630_VXWW50.xml").infos[0].event.ja == "レベル４土砂災害危険警報"


def test_flood_forecast() -> None:
    [info] = sample("16_06_01_220728_VXKOii.xml").infos
    assert (info.hazard, info.level) == (Hazard.FLOOD, AlertLevel.EVACUATE)
    assert info.parameters["river"] == "○○川、△△川"
    assert info.areas[0].geocodes["jma_flood_forecast_area"] == ("123456789012",)
    assert info.areas[0].geocodes["jma_river"] == ("1234567890", "9876543210")
    assert float(info.parameters["station.1.water_level_m"]) == 144.90
    assert float(info.parameters["station.1.danger_level_m"]) == 144.90
    assert [info.parameters[f"station.{n}.alert_level"] for n in (1, 2, 3)] == ["4", "3", "2"]


def test_tsunami_of_2011_raised_and_drill_of_2016() -> None:
    coasts = levels(sample("32-39_11_11_250206_VTSE41.xml"), names.TSUNAMI_AREA)
    assert coasts["tsunami", "300"] == 4
    infos = sample("32-39_11_11_250206_VTSE41.xml").infos
    zones = {code: info for info in infos for area in info.areas for code in area.geocodes}
    assert set(zones) == {names.TSUNAMI_AREA}
    shizuoka = [
        info for info in infos if any(("380",) in area.geocodes.values() for area in info.areas)
    ]
    assert [info.parameters["evacuation_zone"] for info in shizuoka] == ["shore"]
    iwate = next(info for info in infos if info.parameters.get("arrival.210"))
    assert iwate.parameters["tsunami_max_height_text"] == "１０ｍ超"
    assert sample("32-39_12_07_250206_VTSE41.xml").drill


def test_tide_gauge_of_yaizu() -> None:
    bulletin = sample("32-39_12_14_250206_VTSE51.xml")
    [info] = [
        info
        for info in bulletin.infos
        if "焼津" in info.parameters.values() and "観測" in info.event.ja
    ]
    [number] = [key.split(".")[1] for key, value in info.parameters.items() if value == "焼津"]
    assert info.parameters[f"station.{number}.max_height_m"] == "2.8"
    assert info.parameters[f"station.{number}.max_height_text"] == "２．８ｍ以上"
    assert info.level is AlertLevel.NONE


def test_a_series_of_tsunami_telegrams_is_one_matter_and_ends() -> None:
    series = [sample(file.name) for file in sorted(DATA.glob("real/20231009*_VTSE41.xml"))]
    assert len(series) == 4
    assert len({bulletin.supersedes for bulletin in series}) == 1
    assert [int(bulletin.level) for bulletin in series] == [4, 4, 4, 0]
    assert [bulletin.valid_until is None for bulletin in series] == [True, True, True, False]


def test_earthquake_in_municipalities() -> None:
    bulletin = sample("20210218104033_0_VXSE53_010000.xml")
    felt = {
        code: info.parameters["intensity"]
        for info in bulletin.infos
        for area in info.areas
        for code in area.geocodes[names.AREA]
    }
    assert felt["0720900"] == "2"
    assert Counter(felt.values()) == {"2": 1, "1": 20}
    assert bulletin.infos[0].parameters["max_intensity"] == "2"


def test_volcano() -> None:
    infos = sample("45_02_01_200522_VFVO50.xml").infos
    assert levels(sample("45_02_01_200522_VFVO50.xml")) == {("volcano", "1438200"): 4}
    assert {info.parameters["volcanic_alert_level"] for info in infos} == {"5"}
