"""A city folder: what it says is read, and what is wrong in it is named with its place."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cityos.domain.alert_level import HAZARDS
from cityos.domain.entity import Entity
from cityos.domain.observed_property import PROPERTIES
from cityos.errors import InvalidRequest
from cityos.rehearsal import city_files
from cityos.rehearsal.city_files import City
from cityos.rehearsal.traffic import distance_m

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "deploy" / "demo" / "yaizu"
SOURCE = ROOT.parent / "shared" / "data"

CITY_TOML = """
id = "town"
practice = false
municipality_code = "99999"
alert_sender = "town.example"
[name]
en = "Town"
ja = "町"
"""
GAUGES = (
    "id,name_en,name_ja,longitude,latitude,caution_level_m,danger_level_m\n"
    "bridge,Bridge,橋,138.3,34.9,1.5,2.5\n"
)
RAIN = (
    "id,name_en,name_ja,longitude,latitude,area,precipitation_1h_level_2_mm,"
    "precipitation_1h_level_3_mm\nhill,Hill,丘,138.3,34.9,Area:north,30,50\n"
)
SQUARE = [[138.2, 34.8], [138.4, 34.8], [138.4, 35.0], [138.2, 35.0], [138.2, 34.8]]
DEVICES = "vendor,id,adapter,entity\nacme,one,cityos_json,WaterLevelGauge:bridge\n"

GAUGE_FILE = "entities/WaterLevelGauge.csv"
AREA_FILE = "entities/Area.geojson"
SITE_FILE = "entities/EvacuationSite.csv"
RAIN_FILE = "entities/RainGauge.csv"

Files = dict[str, str | bytes | None]
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def demo() -> City:
    return city_files.load(DEMO)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a small, correct folder, with some files changed; None leaves a file out."""

    def make(changed: Files | None = None) -> Path:
        files: Files = {"city.toml": CITY_TOML, GAUGE_FILE: GAUGES, "devices.csv": DEVICES}
        for name, text in (files | (changed or {})).items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            if text is not None:
                path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path

    return make


def collection(*features: dict[str, Any]) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    names = {"id": "north", "name_en": "North", "name_ja": "北"}
    return {"type": "Feature", "properties": names | properties, "geometry": geometry}


def gauges(old: str, new: str) -> Files:
    return {GAUGE_FILE: GAUGES.replace(old, new)}


def area(kind: str, coordinates: Any) -> Files:
    return {AREA_FILE: collection(feature({"type": kind, "coordinates": coordinates}))}


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        city_files.load(folder)
    return str(caught.value).splitlines()


# --- what is right ------------------------------------------------------------------------------


def test_sources_speak_one_language_or_two(write: Write) -> None:
    source = """
[[sources]]
title = "Open data"
publisher = { en = "Town", ja = "町" }
licence = "CC0"
"""
    city = city_files.load(write({"city.toml": CITY_TOML + source}))
    assert city.tenant.attributes["sources"] == [
        {
            "title": "Open data",
            "publisher": {"en": "Town", "ja": "町"},
            "licence": "CC0",
            "licence_url": "",
        }
    ]


def test_the_demo_names_its_source_in_both_languages(demo: City) -> None:
    for source in demo.tenant.attributes["sources"]:
        for part in ("title", "publisher"):
            assert set(source[part]) == {"en", "ja"}


def test_a_small_folder_is_read(write: Write) -> None:
    city = city_files.load(write())

    assert city.tenant.id == "town"
    assert city.tenant.practice is False
    (gauge,) = city.entities
    assert gauge.id == "urn:ngsi-ld:WaterLevelGauge:town:bridge"
    assert gauge.position is not None
    assert (gauge.position.longitude, gauge.position.latitude) == (138.3, 34.9)
    assert gauge.attributes == {"caution_level_m": 1.5, "danger_level_m": 2.5}
    (device,) = city.devices
    assert (device.vendor, device.id, device.entity) == ("acme", "one", gauge.id)


def test_a_table_saved_by_a_spreadsheet_is_read(write: Write) -> None:
    text = "\ufeff" + GAUGES.replace("\n", "\r\n") + ",,,,,,\r\n"

    assert len(city_files.load(write({GAUGE_FILE: text})).entities) == 1


def test_references_become_urns_and_rain_levels_a_table(write: Write) -> None:
    area = collection(feature({"type": "Polygon", "coordinates": [SQUARE]}))
    city = city_files.load(write({RAIN_FILE: RAIN, AREA_FILE: area}))
    by_type = {entity.type: entity for entity in city.entities}

    assert by_type["RainGauge"].attributes == {
        "area": "urn:ngsi-ld:Area:town:north",
        "rainfall_levels_mm": {"precipitation_1h": {"2": 30.0, "3": 50.0}},
    }
    assert by_type["Area"].geometry == {"type": "Polygon", "coordinates": [SQUARE]}
    assert by_type["Area"].attributes == {"municipality_code": "99999"}


def test_a_device_may_speak_for_several_things(write: Write) -> None:
    devices = (
        "vendor,id,adapter,entity,entities,settings,enabled\n"
        'acme,one,cityos_json,WaterLevelGauge:bridge,"{""a"": ""WaterLevelGauge:bridge""}",'
        '"{""scale"": 2}",no\n'
    )
    (device,) = city_files.load(write({"devices.csv": devices})).devices

    assert device.entities == {"a": "urn:ngsi-ld:WaterLevelGauge:town:bridge"}
    assert device.settings == {"scale": 2}
    assert device.enabled is False


# --- what is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "place", "says"),
    [
        (gauges("danger_level_m", "dangr_level_m"), ":1", "'danger_level_m'?"),
        (gauges("danger_level_m", "danger_lvl_m"), ":1", "'danger_level_m'?"),
        (gauges("caution_level_m", "evac_lvl_m"), ":1", "unknown column 'evac_lvl_m'"),
        (gauges("name_ja", "river_ja"), ":1", "'name_ja' is missing"),
        (gauges("2.5", "high"), ":2", "danger_level_m: 'high' is not a number"),
        (gauges("2.5", "nan"), ":2", "not a finite number"),
        (gauges("2.5", "250"), ":2", "danger_level_m: 250 is not from -20 to 100 m, the range"),
        (gauges("1.5", "-21"), ":2", "caution_level_m: -21 is not from -20 to 100 m"),
        (
            {RAIN_FILE: RAIN.replace("50", "501")},
            "RainGauge.csv:2",
            "precipitation_1h_level_3_mm: 501 is not from 0 to 500 mm, the range",
        ),
        (
            {"city.toml": CITY_TOML.replace("practice = false\n", "")},
            "city.toml",
            "`practice = false` for a city in earnest, whose alerts are real",
        ),
        ({"city.toml": 'jma_area_codes = ["22212"]' + CITY_TOML}, "city.toml", "seven digits"),
        (gauges("2.5", "1.5"), ":2", "1.5 is not below danger_level_m 1.5"),
        (gauges("138.3,34.9", "34.9,138.3"), ":2", "not degrees"),
        (gauges("34.9", ""), ":2", "belong together"),
        (gauges("橋", ""), ":2", "name_ja must not be empty"),
        ({GAUGE_FILE: GAUGES + "bridge,B,橋,138,34,1,2\n"}, ":3", "WaterLevelGauge.csv:2"),
        ({GAUGE_FILE: GAUGES + "short,line\n"}, ":3", "2 cells, but the header has 7"),
        ({GAUGE_FILE: GAUGES.encode("cp932")}, ":2", "CSV UTF-8"),
        (gauges("bridge,", "br/idge,"), ":2", "must be of A-Z"),
        (
            {GAUGE_FILE: GAUGES.replace("caution_level_m", "area").replace("1.5", "Area:x")},
            ":2",
            "no entity urn:ngsi-ld:Area:town:x",
        ),
        (
            {SITE_FILE: "id,name_en,name_ja,hazards\na,A,あ,flod\n"},
            "EvacuationSite.csv:2",
            "hazard 'flod'",
        ),
        ({SITE_FILE: "id,name_en,name_ja\na,A,あ\n"}, "EvacuationSite.csv:2", "at least one"),
        (
            {SITE_FILE: "id,name_en,name_ja,hazards,capacity\na,A,あ,flood,-3\n"},
            "EvacuationSite.csv:2",
            "whole number",
        ),
        ({"entities/gauges.csv": GAUGES}, "gauges.csv", "must be an entity type"),
        ({"devices.csv": DEVICES.replace("bridge", "brige")}, "devices.csv:2", "no entity urn"),
        ({"devices.csv": DEVICES.replace("acme", "ACME")}, "devices.csv:2", "vendor 'ACME'"),
        ({"devices.csv": DEVICES.replace("adapter", "adaptor")}, "devices.csv:1", "'adapter'?"),
        ({"devices.csv": DEVICES + DEVICES.split("\n")[1]}, "devices.csv:3", "there already"),
        (
            {"devices.csv": DEVICES.replace("y\n", "y,settings\n").replace("e\n", "e,{\n")},
            "devices.csv:2",
            "JSON object",
        ),
        ({"devices.csv": None}, "devices.csv", "missing"),
        ({"city.toml": None}, "city.toml", "missing"),
        ({"city.toml": "id = "}, "city.toml", "not TOML"),
        ({"city.toml": CITY_TOML.replace("town", "My Town", 1)}, "city.toml", "a-z, 0-9"),
        ({"city.toml": CITY_TOML + 'xx = "?"'}, "city.toml", "xx"),
        ({"simulation.toml": "[rivers.weir]\n"}, "simulation.toml", "no WaterLevelGauge 'weir'"),
        ({"simulation.toml": "[storm]\nbands = 0\n"}, "simulation.toml", "bands"),
        (area("Polygon", [SQUARE[:-1]]), "Area.geojson, feature 1", "repeat the first"),
        (area("Point", [1, 2]), "Area.geojson, feature 1", "geometry type 'Point'"),
        (
            area("LineString", [[35, 138], [1, 2]]),
            "Area.geojson, feature 1",
            "not longitude, latitude",
        ),
        (area("Polygon", [["a"]]), "Area.geojson, feature 1", "3.1"),
        ({AREA_FILE: '{"type": "Feature"}'}, "Area.geojson", "FeatureCollection"),
        ({AREA_FILE: '{\n"a": }'}, "Area.geojson:2", "not JSON"),
        ({AREA_FILE: "[" * 200_000}, "Area.geojson", "nested too deeply"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    write: Write, files: Files, place: str, says: str
) -> None:
    lines = faults_of(write(files))

    assert any(place in line and says in line for line in lines), lines


def test_everything_that_is_wrong_is_named_at_once(write: Write) -> None:
    lines = faults_of(
        write(
            {
                GAUGE_FILE: GAUGES.replace("2.5", "x"),
                "devices.csv": DEVICES.replace("bridge", "x"),
            }
        )
    )

    assert len(lines) == 2


def test_a_thousand_faults_do_not_make_a_thousand_lines(write: Write) -> None:
    wrong = "".join(f"a{n},A,A,138.3,34.9,x{n},\n" for n in range(1000))
    lines = faults_of(write({GAUGE_FILE: GAUGES + wrong}))

    assert len(lines) == 21
    assert lines[-1] == "and 980 more"


def test_the_same_fault_of_many_rows_is_said_once(write: Write) -> None:
    lines = faults_of(write({GAUGE_FILE: GAUGES + "a,b\n" * 1000}))

    assert lines == [
        "WaterLevelGauge.csv:3: 2 cells, but the header has 7 (and in 999 more places)"
    ]


def test_a_wrong_column_is_not_buried_under_what_follows_from_it(write: Write) -> None:
    more = "".join(f"acme,d{n},cityos_json,WaterLevelGauge:bridge\n" for n in range(30))
    files: Files = {
        **gauges("caution_level_m", "caution_level"),
        "devices.csv": DEVICES + more + "acme,lost,cityos_json,RainGauge:nowhere\n",
        "simulation.toml": "[rivers.bridge]\n",
    }
    lines = faults_of(write(files))

    assert lines[0].startswith("WaterLevelGauge.csv:1: unknown column 'caution_level'; did you")
    assert lines[1].startswith("devices.csv:33: entity: no entity urn:ngsi-ld:RainGauge:town:now")
    assert lines[2].startswith("not shown: 32 that may be right once these are mended")
    assert len(lines) == 3


def test_a_misspelt_column_is_not_missed_as_well(write: Write) -> None:
    lines = faults_of(write(gauges("name_en", "nameen")))

    assert lines[0].startswith("WaterLevelGauge.csv:1: unknown column 'nameen'; did you mean 'na")
    assert lines[1].startswith("not shown: 1 that")


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_the_description_names_every_hazard_and_the_range_of_thresholds(name: str) -> None:
    text = (DEMO.parent / name).read_text(encoding="utf-8")
    (hazards,) = [line for line in text.splitlines() if line.startswith("| `hazards`")]
    listed = re.findall(r"[a-z_]+", hazards)
    assert [word for word in listed if word in HAZARDS] == list(HAZARDS)
    (overflow,) = [line for line in text.splitlines() if line.startswith("| `overflow_level_m`")]
    assert "5" in overflow
    water = PROPERTIES["water_level"]
    assert re.search(rf"{water.minimum} ?(to|〜) ?{water.maximum} m", text)
    for span in ("10min", "1h", "24h"):
        most = PROPERTIES[f"precipitation_{span}"].maximum
        assert re.search(rf"{most} mm ?[（(]`{span}`", text)


# --- the demo city ------------------------------------------------------------------------------


def test_the_demo_city_can_never_issue_an_actual(demo: City) -> None:
    assert demo.tenant.practice is True
    assert demo.tenant.attributes["alert_sender"] == "yaizu.demo.cityos.example"


def test_the_demo_city_has_everything_the_first_page_shows(demo: City) -> None:
    counts: dict[str, int] = {}
    for entity in demo.entities:
        counts[entity.type] = counts.get(entity.type, 0) + 1

    assert counts["Municipality"] == 1
    assert counts["Area"] == 13
    assert counts["WaterLevelGauge"] == 10
    assert counts["RainGauge"] == 5
    assert counts["EvacuationSite"] == 71
    (municipality,) = (e for e in demo.entities if e.type == "Municipality")
    assert municipality.attributes["municipality_code"] == "22212"
    assert municipality.attributes["jma_area_codes"] == ["2221200"]
    assert municipality.attributes["jma_tsunami_area_codes"] == ["380"]


def test_every_gauge_of_the_demo_city_says_that_its_thresholds_are_invented(demo: City) -> None:
    for entity in demo.entities:
        if entity.type in {"WaterLevelGauge", "RainGauge"}:
            assert "invented" in entity.attributes["thresholds_note_en"]
            assert entity.attributes["thresholds_note_ja"]
            assert entity.attributes["area"].startswith("urn:ngsi-ld:Area:yaizu:")


def test_gauges_sites_and_districts_lie_in_or_near_the_boundary(demo: City) -> None:
    (municipality,) = (e for e in demo.entities if e.type == "Municipality")
    assert municipality.geometry is not None
    ring = municipality.geometry["coordinates"][0]
    for entity in demo.entities:
        if entity.position is not None and not inside(ring, entity):
            assert shore_distance_m(ring, entity) < 1500, entity.id


def test_the_sites_are_those_of_the_citys_own_list(demo: City) -> None:
    path = SOURCE / "evacuation" / "yaizu" / "222127_evacuation_space.csv"
    if not path.is_file():
        pytest.skip(f"the city's open data is not at {path}")
    ours = {e.name.ja: e for e in demo.entities if e.type == "EvacuationSite"}
    with path.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == 31
    for row in rows:
        entity = ours[row["名称"]]
        assert entity.position is not None
        assert entity.position.longitude == pytest.approx(float(row["経度"]), abs=1e-4)
        assert entity.position.latitude == pytest.approx(float(row["緯度"]), abs=1e-4)
        flags = [row[name].strip() for name in row if name.startswith("災害種別_")]
        codes = [code for code, flag in zip(HAZARDS, flags, strict=False) if flag]
        assert entity.attributes["hazards"] == codes


def test_the_districts_keep_the_size_that_the_city_gives_them(demo: City) -> None:
    path = SOURCE / "geo" / "yaizu" / "shogakko-ku.geojson"
    if not path.is_file():
        pytest.skip(f"the city's open data is not at {path}")
    source = {
        feature["properties"]["SAFIELD001"] + "区": feature["geometry"]["coordinates"][0]
        for feature in json.loads(path.read_text())["features"]
    }
    for entity in demo.entities:
        if entity.type == "Area":
            assert entity.geometry is not None
            ours = entity.geometry["coordinates"][0]
            assert surface(ours) == pytest.approx(surface(source[entity.name.ja]), rel=0.05)


def surface(ring: list[list[float]]) -> float:
    pairs = pairwise(ring)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def inside(ring: list[list[float]], entity: Entity) -> bool:
    assert entity.position is not None
    x, y = entity.position.longitude, entity.position.latitude
    hits = 0
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            hits += 1
    return hits % 2 == 1


def shore_distance_m(ring: list[list[float]], entity: Entity) -> float:
    assert entity.position is not None
    corners = (type(entity.position)(*point) for point in ring)
    return min(distance_m(entity.position, corner) for corner in corners)
