"""JMA's own sample telegrams, through the feed and the service: who is told what?

The truth is read from the telegrams with a few lines of XPath, beside the feed's reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest
from lxml import etree

from cityos.domain.alert import Alert, Bulletin
from cityos.domain.entity import Entity, Name
from cityos.domain.event import AlertReceived
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import Assessment
from cityos.plugins.contract import Receipt
from cityos.plugins.discovery import discover
from cityos.testing.city import ReceivedBulletin, RecordedCity
from services.evacuation_alert.service import EvacuationAlert

SAMPLES = Path(__file__).parents[2].parent / "shared/data/jma-xml/samples"
OCCASION = Exercise("samples")

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the sample telegrams (shared/data/jma-xml) are absent"
)


def telegram(start: str) -> Path:
    (found,) = SAMPLES.glob(f"{start}*.xml")
    return found


def read(file: Path) -> tuple[Alert, str, datetime | None]:
    _, feed = discover().feeds["jma_xml"]
    receipt = Receipt(
        source="test", device="jma_xml", received_at=datetime.fromisoformat("2026-09-01T00:00Z")
    )
    (bulletin,) = (
        item for item in feed.read(file.read_bytes(), receipt) if isinstance(item, Bulletin)
    )
    return bulletin.on(OCCASION), bulletin.supersedes, bulletin.valid_until


def municipality(number: int, attribute: str, code: str) -> Entity:
    return Entity(
        id=f"urn:ngsi-ld:Municipality:m{number}",
        type="Municipality",
        name=Name(f"Town {number}", f"町{number}"),
        attributes={attribute: [code]},
    )


def told(file: Path, attribute: str, codes: list[str], lowest: int) -> dict[str, Assessment]:
    """The assessments that the telegram leads to, by the area code of the municipality."""
    alert, supersedes, valid_until = read(file)
    towns = {code: municipality(number, attribute, code) for number, code in enumerate(codes, 1)}
    city = RecordedCity(
        entities=towns.values(), bulletins=[ReceivedBulletin(alert, supersedes, valid_until)]
    )
    event = AlertReceived(id=1, occasion=OCCASION, at=alert.sent, alert=alert)
    effects = EvacuationAlert(propose_from_level=lowest).react(event, city.view_of(event))
    by_area = {effect.area.entity: effect for effect in effects}
    assert len(by_area) == len(effects)
    return {code: by_area[town.id] for code, town in towns.items() if town.id in by_area}


def kinds(file: Path, warning: str) -> dict[str, str]:
    """Area code -> name of the first kind, from the body's Warning of that type."""
    (block,) = etree.parse(file).findall(f".//{{*}}Warning[@type='{warning}']")
    return {
        area.findtext("{*}Code") or "": item.findtext("{*}Kind/{*}Name") or ""
        for item in block.findall("{*}Item")
        for area in item.iterfind(".//{*}Area")
    }


def test_a_landslide_warning_reaches_the_municipalities_that_it_names_and_no_other() -> None:
    file = telegram("17_01_01_190529_VXWW50")
    named = kinds(file, "土砂災害警戒情報")
    warned = {code for code, name in named.items() if name == "警戒"}
    assert 0 < len(warned) < len(named)
    answers = told(file, "jma_area_codes", [*named, "2221200"], lowest=1)
    assert set(answers) == warned
    assert {int(answer.level) for answer in answers.values()} == {4}
    assert {answer.situation.partition("/")[0] for answer in answers.values()} == {"landslide"}


def test_the_level_names_of_2026_give_their_levels() -> None:
    file = telegram("15_16_01_241031_VPWW56")
    named = kinds(file, "気象警報・注意報（市町村等）")
    wide = str.maketrans("２３４５", "2345")
    levels = {code: int(name[3:4].translate(wide)) for code, name in named.items()}
    assert set(levels.values()) == {2, 3, 4}
    answers = told(file, "jma_area_codes", list(named), lowest=1)
    assert {code: int(answer.level) for code, answer in answers.items()} == levels
    ordered = told(file, "jma_area_codes", list(named), lowest=3)
    assert set(ordered) == {code for code, level in levels.items() if level >= 3}
    (evidence,) = ordered["0121400"].evidence
    assert "「レベル４土砂災害危険警報」警戒レベル4相当" in evidence.summary.ja


def test_a_tsunami_warning_reaches_the_towns_of_its_coast() -> None:
    file = telegram("32-39_11_11_250206_VTSE41")
    alert, _, _ = read(file)
    coasts = [code for info in alert.infos for area in info.areas for code in flat(area.geocodes)]
    answers = told(file, "jma_tsunami_area_codes", [*dict.fromkeys(coasts), "999"], lowest=3)
    text = file.read_text(encoding="utf-8")
    assert "<Area><Name>岩手県</Name><Code>210</Code></Area>" in text
    assert int(answers["210"].level) == 4
    assert answers["210"].situation.startswith("tsunami/")
    assert "999" not in answers
    assert told(file, "jma_area_codes", ["210"], lowest=1) == {}


def flat(geocodes: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [code for codes in geocodes.values() for code in codes]
