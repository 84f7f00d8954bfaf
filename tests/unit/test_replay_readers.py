"""Recorded days: told apart by content, read in order, and what is skipped is counted."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cityos.domain.observation import Position
from cityos.errors import InvalidRequest
from cityos.rehearsal.readers.detect import open_recordings
from cityos.rehearsal.recording import Recording, Skipped

SHARED = Path(__file__).parents[3] / "shared" / "data"
GAUGES = (
    "\ufeffid,日付,所在地,河川名,観測所名,管理者名,"
    "はん濫危険水位,避難判断水位,はん濫注意水位,水防団待機水位,geo3x3,url\n"
    "7,2021-08-14,町,川,橋,課,3.60,--- ,2.70,2.50,E9,https://x.example/?sn=7&sy=a\n"
    "8,2021-08-14,町,川,堰（上）,課,--- ,--- ,--- ,--- ,E9,https://x.example/?sn=8&sy=a\n"
)
PLACES = (
    "\ufeff観測所名,河 川 名,はん濫危険水位(危険水位)(m),緯度(度),緯度(分),緯度(秒),"
    "経度(度),経度(分),経度(秒),URL,管理者\n"
    "橋,川,9.9,36,3,36,136,12,0,https://x.example/?rg=1&sn=7&sy=a,県\n"
    "堰(上),川,-,36,30,0,136,0,36,,県\n"
)
DAY = (
    "\ufeff日時,河川水位,id\n"
    "2024-06-23T10:20,1.50,7\n"
    "2024-06-22T24:00,1.25,7\n"
    "2024-06-23T10:20,2.00,8\n"
    "2024-06-23T10:30,---,7\n"
    "2024-06-23T10:30,*,8\n"
    "2024-06-23T10:40,,7\n"
    "2024-06-23T10:40,460.1,8\n"
    "2024-06-23T10:20,1.50,7\n"
    "2024-06-23T24:10,1.0,7\n"
    "2024-06-31T10:00,1.0,7\n"
    "2024-06-23T11:00,inf,7\n"
    "half a line\n"
    "2024-06-23T10:20,0.70,999\n"
)
TELEGRAM = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Report xmlns="http://xml.kishou.go.jp/jmaxml1/">'
    "<Control><Title>t</Title><DateTime>{time}</DateTime></Control></Report>"
)


@pytest.fixture
def fukui(tmp_path: Path) -> Path:
    (tmp_path / "fukui_sensors.csv").write_text(GAUGES)
    (tmp_path / "fukui_suii_ichi.csv").write_text(PLACES)
    (tmp_path / "day.csv").write_text(DAY)
    return tmp_path


def only(source: Path) -> Recording:
    (recording,), _ = open_recordings(source)
    return recording


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- river levels -------------------------------------------------------------------------------


def test_levels_come_in_the_order_of_time_and_in_utc(fukui: Path) -> None:
    messages = list(only(fukui / "day.csv").messages())

    assert [(m.time, m.device) for m in messages] == [
        (utc("2024-06-22T15:00"), "7"),  # 24:00 is the next day's midnight
        (utc("2024-06-23T01:20"), "7"),
        (utc("2024-06-23T01:20"), "8"),
        (utc("2024-06-23T01:20"), "999"),
    ]
    assert {m.vendor for m in messages} == {"fukui"}
    assert json.loads(messages[0].payload) == [
        {"property": "water_level", "value": 1.25, "unit": "m", "time": "2024-06-22T15:00:00Z"}
    ]


def test_what_is_no_level_is_counted_with_its_reason(fukui: Path) -> None:
    recording = only(fukui / "day.csv")
    messages = list(recording.messages())

    assert dict(recording.skipped.counts) == {
        "no level was measured (---)": 1,
        "no level was measured (*)": 1,
        "no level was measured (empty)": 1,
        "the level is an elevation, not a river's level": 1,
        "the gauge's level at that time is there already": 1,
        "the line is not a time, a level and a gauge": 3,
        "the level is not a number": 1,
    }
    assert recording.skipped.which("no level was measured (---)") == "day.csv:5"
    assert len(messages) + recording.skipped.counts.total() == recording.count()


def test_gauges_bring_their_thresholds_and_positions(fukui: Path) -> None:
    needs = only(fukui / "day.csv").needs("town")
    bridge, weir, unknown = needs.entities

    assert bridge.id == "urn:ngsi-ld:WaterLevelGauge:town:fukui-7"
    assert bridge.name.ja == "橋"
    assert bridge.position == Position(136.2, 36.06)
    thresholds = {k: v for k, v in bridge.attributes.items() if k.endswith("_m")}
    # the table with the gauges' numbers decides where the two tables differ
    assert thresholds == {"standby_level_m": 2.5, "caution_level_m": 2.7, "danger_level_m": 3.6}
    assert weir.position == Position(136.01, 36.5)  # by its name: its row has no URL
    assert not any(name.endswith("_m") for name in weir.attributes)
    assert (unknown.position, unknown.name.ja) == (None, "福井 観測所999")
    assert [(d.vendor, d.id, d.adapter, d.entity) for d in needs.devices] == [
        ("fukui", entity.id.rpartition("-")[2], "cityos_json", entity.id)
        for entity in needs.entities
    ]


def test_without_the_gauges_table_it_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "day.csv").write_text(DAY)
    with pytest.raises(InvalidRequest, match=r"fukui_sensors\.csv"):
        open_recordings(tmp_path / "day.csv")


def test_a_folder_of_days_is_one_recording_in_order(fukui: Path) -> None:
    (fukui / "a-later-day.csv").write_text("日時,河川水位,id\n2024-06-25T00:10,1.1,7\n")
    (fukui / "notes.txt").write_text("unrelated")
    (recording,), others = open_recordings(fukui)
    times = [m.time for m in recording.messages()]

    assert times == sorted(times)
    assert times[-1] == utc("2024-06-24T15:10")
    assert dict(others.counts) == {"the file is no recording": 1}
    assert others.which("the file is no recording") == "notes.txt"


def test_real_days_are_read_to_the_last_line() -> None:
    folder = SHARED / "sensors" / "water"
    if not folder.is_dir():
        pytest.skip(f"the river levels of Fukui are not at {folder}")
    recording = only(folder / "fukui_2024-06-23.csv")
    messages = list(recording.messages())

    # counted in the file by other means: 2415 lines, 50 empty, 15 starred, 78 dams
    assert recording.count() == 2415
    assert recording.skipped.counts["no level was measured (empty)"] == 50
    assert recording.skipped.counts["no level was measured (*)"] == 15
    assert len(messages) == 2415 - recording.skipped.counts.total()
    assert messages[0].time == utc("2024-06-22T15:00")
    needs = recording.needs("town")
    assert len(needs.devices) == 105
    gauge = next(entity for entity in needs.entities if entity.id.endswith("fukui-90"))
    assert gauge.name.ja == "上太田"
    assert gauge.attributes["evacuation_level_m"] == 2.7
    assert gauge.attributes["danger_level_m"] == 3.2


def test_a_few_of_what_is_skipped_are_named_and_the_rest_counted(fukui: Path) -> None:
    reason = "no level was measured (*)"
    stars = "".join(f"2024-06-23T10:{minute},*,8\n" for minute in range(10, 20))
    (fukui / "day.csv").write_text("日時,河川水位,id\n" + stars)
    recording = only(fukui / "day.csv")
    assert list(recording.messages()) == []
    assert recording.skipped.which(reason) == "day.csv:2, day.csv:3, day.csv:4 and 7 more"

    together = Skipped()
    together.add(reason, "another.csv:2")
    together.include(recording.skipped)
    assert together.counts[reason] == 11
    assert together.which(reason) == "another.csv:2, day.csv:2, day.csv:3 and 8 more"


# --- telegrams ----------------------------------------------------------------------------------


def test_telegrams_are_ordered_by_the_time_they_were_sent(tmp_path: Path) -> None:
    for name, time in {
        "a.xml": "2024-06-23T10:00:00Z",
        "b.xml": "2024-06-23T12:00:00+09:00",
        "c.xml": "no time",
        "d.xml": "2024-06-23T09:00:00",
    }.items():
        (tmp_path / name).write_text(TELEGRAM.format(time=time))
    recording = only(tmp_path)
    messages = list(recording.messages())

    assert [m.time for m in messages] == [utc("2024-06-23T03:00"), utc("2024-06-23T10:00")]
    assert messages[1].payload == (tmp_path / "a.xml").read_bytes()
    assert {(m.vendor, m.device) for m in messages} == {("jma", "jma_xml")}
    assert dict(recording.skipped.counts) == {"the telegram has no Control/DateTime": 2}
    assert recording.needs("town").municipality


def test_an_entity_bomb_is_not_unfolded(tmp_path: Path) -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;">]>'
        '<Report xmlns="http://xml.kishou.go.jp/jmaxml1/"><Control><DateTime>&b;</DateTime>'
        "</Control></Report>"
    )
    (tmp_path / "bomb.xml").write_text(bomb)
    recording = only(tmp_path / "bomb.xml")

    assert list(recording.messages()) == []
    assert recording.skipped.counts.total() == 1


# --- our own format -----------------------------------------------------------------------------


def test_what_was_recorded_comes_back(tmp_path: Path) -> None:
    lines = [
        {
            "time": "2026-09-01T03:00:00Z",
            "topic": "cityos/v1/town/acme/one/observations",
            "payload": '{"property": "status_text", "value": "水位"}',
        },
        {
            "time": "2026-09-01T12:00:01.5+09:00",
            "topic": "cityos/v1/town/acme/two/observations",
            "payload_base64": base64.b64encode(b"\xff\x00cbor").decode(),
        },
    ]
    text = "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    (tmp_path / "day.jsonl").write_text(text)
    messages = list(only(tmp_path / "day.jsonl").messages())

    assert [m.time for m in messages] == [utc("2026-09-01T03:00"), utc("2026-09-01T03:00:01.5")]
    assert [(m.vendor, m.device) for m in messages] == [("acme", "one"), ("acme", "two")]
    assert [m.payload for m in messages] == [lines[0]["payload"].encode(), b"\xff\x00cbor"]


def test_a_line_that_is_none_is_skipped_with_its_reason(tmp_path: Path) -> None:
    good = {
        "time": "2026-09-01T03:00:00Z",
        "topic": "cityos/v1/town/acme/one/observations/exercise/old-run",
        "payload": "x",
    }
    lines = [
        good,
        good | {"topic": "cityos/v1/town/acme/one/errors"},
        good | {"time": "2026-09-01T03:00:00"},
        {key: good[key] for key in ("time", "topic")},
        good | {"payload_base64": "?"},
        good | {"qos": 1},
    ]
    text = "\n".join([*(json.dumps(line) for line in lines), "{", ""])
    (tmp_path / "day.jsonl").write_text(text)
    recording = only(tmp_path / "day.jsonl")

    assert len(list(recording.messages())) == 1
    assert recording.skipped.counts.total() == 6
    assert recording.count() == 7


# --- what is no recording -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2\n", b'{"a": 1}\n', b"<html></html>", b"\xff\xd8\xff\xe0", b"\x00" * 9],
)
def test_a_file_of_another_kind_is_refused_with_what_would_do(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InvalidRequest, match=r"file is no recording; what can be replayed is"):
        open_recordings(tmp_path / "file")


def test_the_gauges_table_alone_is_no_recording(fukui: Path) -> None:
    with pytest.raises(InvalidRequest, match="is description of gauges"):
        open_recordings(fukui / "fukui_sensors.csv")


def test_a_folder_without_recordings_names_one_of_its_folders(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    with pytest.raises(InvalidRequest, match="such as samples, are not searched"):
        open_recordings(tmp_path)


def test_a_place_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no file or folder"):
        open_recordings(tmp_path / "nowhere")
