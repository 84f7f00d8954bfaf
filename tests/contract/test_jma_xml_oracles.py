"""JMA telegrams against what two independent parsers made of them.

``*.expected-jmaxml-rs.json`` is by github.com/MIERUNE/jmaxml, a reader generated from JMA's
schemas; ``*.expected-epsp.json`` is by github.com/p2pquake/jmaxml-seis-parser-go.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from adapters.jma_xml import names
from adapters.jma_xml.feed import JmaXml
from cityos.domain.alert import AlertInfo, Bulletin, MessageType
from cityos.domain.alert_level import AlertLevel
from cityos.testing import builders as b

DATA = Path(__file__).parents[2].parent / "shared/data/jma-xml"
SCHEMA = sorted(DATA.glob("*/*.expected-jmaxml-rs.json"))
SEISMIC = sorted(DATA.glob("*/*.expected-epsp.json"))
JAPAN = timezone(timedelta(hours=9))

pytestmark = pytest.mark.skipif(not SCHEMA, reason=f"no telegrams under {DATA}")


def load(oracle: Path) -> tuple[Bulletin, dict[str, Any]]:
    telegram = oracle.with_name(oracle.name.partition(".")[0] + ".xml")
    [bulletin] = JmaXml().read(telegram.read_bytes(), b.receipt())
    assert isinstance(bulletin, Bulletin)
    return bulletin, json.loads(oracle.read_text())


def of_kind(oracles: list[Path], kind: str) -> list[Path]:
    found = [oracle for oracle in oracles if f"_{kind}." in oracle.name]
    assert found or not oracles
    return found


def by_code(bulletin: Bulletin, scheme: str = names.AREA) -> dict[str, list[AlertInfo]]:
    found = defaultdict(list)
    for info in bulletin.infos:
        for area in info.areas:
            for code in area.geocodes.get(scheme, ()):
                found[code].append(info)
    return found


def every(oracles: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("oracle", oracles, ids=lambda oracle: oracle.name)


# --- the reader generated from the schemas -----------------------------------------------------


@every(SCHEMA)
def test_header(oracle: Path) -> None:
    bulletin, judged = load(oracle)
    control, head = judged["control"], judged["head"]
    assert bulletin.sent == datetime.fromisoformat(head["reportDateTime"])
    assert bulletin.drill is (control["status"] != "通常")
    assert bulletin.sender_name.ja == " ".join(control["publishingOffices"])
    assert bulletin.parameters["title"] == head["title"]
    assert bulletin.parameters["event_id"] == head.get("eventID", "")
    assert bulletin.parameters["serial"] == head.get("serial", "")
    assert bulletin.parameters["info_type"] == head["infoType"]
    moment = datetime.fromisoformat(control["dateTime"]).strftime("%Y%m%d%H%M%S")
    assert f"-{moment}-" in bulletin.identifier


def warnings(judged: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [
        item
        for warning in judged["body"]["warnings"]
        if warning["type"].endswith(kind)
        for item in warning["items"]
    ]


@every(of_kind(SCHEMA, "VPWW54") + of_kind(SCHEMA, "VXWW50"))
def test_every_municipality_with_its_kinds(oracle: Path) -> None:
    bulletin, judged = load(oracle)
    found = by_code(bulletin)
    kind = "（市町村等）" if "VPWW" in oracle.name else "土砂災害警戒情報"
    items = warnings(judged, kind)
    assert set(found) == {item["area"]["code"] for item in items}
    for item in items:
        infos = found[item["area"]["code"]]
        names_there = {area.name.ja for info in infos for area in info.areas}
        assert item["area"]["name"] in names_there
        codes = {one["code"] for one in item["kinds"] if "code" in one}
        assert {info.parameters.get("kind_code") for info in infos} - {None} == codes
        if not codes:
            assert {info.parameters["state"] for info in infos} == {"none"}


@every(of_kind(SCHEMA, "VXWW50"))
def test_landslide_alert_is_level_4_where_it_stands(oracle: Path) -> None:
    bulletin, judged = load(oracle)
    found = by_code(bulletin)
    for item in warnings(judged, "土砂災害警戒情報"):
        stands = item["kinds"][0]["name"] == "警戒"
        [info] = found[item["area"]["code"]]
        assert info.level == (AlertLevel.EVACUATE if stands else AlertLevel.NONE)


@every(of_kind(SCHEMA, "VPOA50"))
def test_record_rain(oracle: Path) -> None:
    bulletin, judged = load(oracle)
    assert set(by_code(bulletin)) == {
        item["area"]["code"] for item in warnings(judged, "（発表細分）")
    }


@every(of_kind(SCHEMA, "VXKOii"))
def test_flood_forecast(oracle: Path) -> None:
    bulletin, judged = load(oracle)
    [info] = bulletin.infos
    about = {
        information["type"]: information["items"][0]
        for information in judged["head"]["headline"]["informations"]
    }
    forecast = about["指定河川洪水予報（予報区域）"]
    assert info.event.ja == forecast["kinds"][0]["name"]
    assert info.parameters["kind_code"] == forecast["kinds"][0]["code"]
    level = {"20": 2, "30": 3, "41": 4}[forecast["kinds"][0]["code"]]
    assert int(info.level) == level
    assert f"警戒レベル{'０１２３４５'[level]}相当" in judged["head"]["headline"]["text"]
    assert info.areas[0].geocodes[names.FLOOD_FORECAST_AREA] == (
        forecast["areas"]["areas"][0]["code"],
    )
    rivers = about["指定河川洪水予報（河川）"]["areas"]["areas"]
    assert info.areas[0].geocodes[names.RIVER] == tuple(river["code"] for river in rivers)
    assert info.parameters["river"] == "、".join(river["name"] for river in rivers)


def water_levels(judged: dict[str, Any]) -> list[tuple[str, list[float | None]]]:
    return [
        (
            item["station"]["name"],
            [
                level.get("value")
                for prop in item["kinds"][0]["properties"]
                for level in prop["waterLevelPart"]["waterLevels"]
                if level["type"] == "水位"
            ],
        )
        for infos in judged["body"].get("meteorologicalInfos", [])
        if infos["type"] == "水位・流量情報"
        for series in infos["timeSeriesInfos"]
        for item in series["items"]
        if item["kinds"][0]["name"] == "水位"
    ]


@every(of_kind(SCHEMA, "VXKOii"))
def test_water_levels_and_thresholds_of_each_station(oracle: Path) -> None:
    bulletin, judged = load(oracle)
    said = bulletin.infos[0].parameters
    stations = water_levels(judged)
    for number, (name, values) in enumerate(stations, 1):
        assert said[f"station.{number}.name"] == name
        forecast = said.get(f"station.{number}.forecast", "").split()
        found = [said.get(f"station.{number}.water_level_m"), *(f.split("=")[1] for f in forecast)]
        known = [value for value in values if value is not None]
        assert [float(value) for value in found if value] == pytest.approx(known)
    assert f"station.{len(stations) + 1}.name" not in said
    addition = judged["body"].get("additionalInfo", {}).get("floodForecastAddition", {})
    for part in addition.get("hydrometricStationParts", []):
        number = [name for name, _ in stations].index(part["area"]["name"]) + 1
        danger = [
            level["value"]
            for criteria in part["criterias"]
            for level in criteria["waterLevels"]
            if "氾濫危険水位" in level["type"]
        ]
        assert [float(said[f"station.{number}.danger_level_m"])] == danger


@every(of_kind(SCHEMA, "VTSE41"))
def test_every_coast_with_its_grade_and_height(oracle: Path) -> None:
    bulletin, judged = load(oracle)
    found = by_code(bulletin, names.TSUNAMI_AREA)
    items = judged["body"]["tsunami"]["forecast"]["items"]
    assert set(found) == {item["area"]["code"] for item in items}
    for item in items:
        [info] = found[item["area"]["code"]]
        kind = item["category"]["kind"]
        assert info.parameters["kind_code"] == kind["code"]
        assert info.parameters["last_kind_code"] == item["category"]["lastKind"]["code"]
        warned = kind["name"].partition("：")[0] in {"大津波警報", "津波警報", "津波注意報"}
        assert info.level == (AlertLevel.EVACUATE if warned else AlertLevel.NONE)
        height = item.get("maxHeight", {}).get("tsunamiHeight", {})
        value = height.get("value")
        assert info.parameters.get("tsunami_max_height_m") == (
            None if value is None else f"{value:g}"
        )
        assert info.parameters.get("tsunami_max_height_text", "") == height.get("description", "")


@every(of_kind(SCHEMA, "VXSE53") + of_kind(SCHEMA, "VTSE41"))
def test_magnitude_and_place(oracle: Path) -> None:
    bulletin, judged = load(oracle)
    said = bulletin.infos[0].parameters
    quake = judged["body"]["earthquakes"][0]
    magnitude = quake["magnitudes"][0].get("value")
    assert said.get("magnitude") == (None if magnitude is None else f"{magnitude:g}")
    area = quake["hypocenter"]["area"]
    assert said["hypocenter"] == area.get("detailedName", area["name"])
    assert said["hypocenter_code"] == area["code"]["value"]
    position = f"{float(said['latitude']):+05.1f}{float(said['longitude']):+06.1f}"
    assert area["coordinates"][0]["value"].startswith(position)
    assert datetime.fromisoformat(said["origin_time"]) == datetime.fromisoformat(
        quake["originTime"]
    )


# --- the reader of P2P地震情報 -----------------------------------------------------------------

GRADES = {"62": "Watch", "51": "Warning", "52": "MajorWarning", "53": "MajorWarning"}
SCALES = {"3": 30, "4": 40, "5-": 45, "5+": 50, "6-": 55, "6+": 60, "7": 70}


def in_japan(text: str) -> datetime:
    return datetime.strptime(text, "%Y/%m/%d %H:%M:%S").replace(tzinfo=JAPAN)


@every(of_kind(SEISMIC, "VTSE41"))
def test_delivered_tsunami_warnings(oracle: Path) -> None:
    bulletin, judged = load(oracle)
    warned = [info for info in bulletin.infos if info.level is not AlertLevel.NONE]
    assert judged["cancelled"] is (not warned)
    found = {
        (area.name.ja, GRADES[info.parameters["kind_code"]]): info
        for info in warned
        for area in info.areas
    }
    assert set(found) == {(area["name"], area["grade"]) for area in judged["areas"]}
    for area in judged["areas"]:
        info = found[area["name"], area["grade"]]
        assert float(info.parameters["tsunami_max_height_m"]) == area["maxHeight"]["value"]
        assert info.parameters["tsunami_max_height_text"] == area["maxHeight"]["description"]
        [code] = next(
            place.geocodes[names.TSUNAMI_AREA]
            for place in info.areas
            if place.name.ja == area["name"]
        )
        wave, judged_wave = info.parameters[f"arrival.{code}"], area["firstHeight"]
        if "arrivalTime" in judged_wave:
            assert datetime.fromisoformat(wave) == in_japan(judged_wave["arrivalTime"])
        else:
            assert wave == judged_wave["condition"]


@every(of_kind(SEISMIC, "VXSE53"))
def test_delivered_earthquakes(oracle: Path) -> None:
    bulletin, judged = load(oracle)
    quake = judged["earthquake"]
    [info] = bulletin.infos  # all of them are far away: nobody in Japan felt them
    said = info.parameters
    assert quake["maxScale"] == -1
    assert "max_intensity" not in said
    assert judged["points"] == []
    place = quake["hypocenter"]
    assert said["hypocenter"] == place["name"]
    assert float(said["latitude"]) == place["latitude"]
    assert float(said["longitude"]) == place["longitude"]
    assert float(said.get("depth_km", -1)) == place["depth"]
    assert float(said.get("magnitude", -1)) == place["magnitude"]
    assert datetime.fromisoformat(said["origin_time"]) == in_japan(quake["time"])
    tsunami = {"None": {"0215", "0230"}, "Checking": {"0217", "0229"}}[quake["domesticTsunami"]]
    assert tsunami & set(said["comment_codes"].split())
    for line in judged["comments"]["freeFormComment"].splitlines():
        assert line in info.description.ja


@every(of_kind(SEISMIC, "VXSE43"))
def test_delivered_early_warning(oracle: Path) -> None:
    bulletin, judged = load(oracle)
    assert (bulletin.message_type is MessageType.CANCEL) is judged["cancelled"]
    assert bulletin.parameters["event_id"] == judged["issue"]["eventId"]
    assert bulletin.parameters["serial"] == judged["issue"]["serial"]
    found = {area.name.ja: (info, area) for info in bulletin.infos for area in info.areas}
    assert set(found) == {area["name"] for area in judged["areas"]}
    for area in judged["areas"]:
        info, place = found[area["name"]]
        said = info.parameters
        assert SCALES[said["intensity_from"]] == area["scaleFrom"]
        assert SCALES[said["intensity_to"]] == area["scaleTo"]
        assert said["kind_code"] == area["kindCode"]
        [code] = place.geocodes[names.QUAKE_AREA]
        if area["arrivalTime"] is None:
            assert said[f"arrival.{code}"] == "arrived"
        else:
            assert datetime.fromisoformat(said[f"arrival.{code}"]) == in_japan(area["arrivalTime"])
    quake = judged["earthquake"]
    said = bulletin.infos[0].parameters
    assert float(said["magnitude"]) == quake["hypocenter"]["magnitude"]
    assert float(said["depth_km"]) == quake["hypocenter"]["depth"]
