"""The river of Fukui in heavy rain, real readings: are levels 3 and 4 proposed when they should?

Data: river levels and thresholds of Fukui Prefecture, open data, collected by Code for FUKUI
(github.com/code4fukui/waterlevel_fukui). The truth is computed here by brute force from the words
of the rules, not by the service's code.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Entity, Name
from cityos.domain.event import ObservationStored
from cityos.domain.observation import Reading
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import Assessment
from cityos.testing.city import RecordedCity
from services.evacuation_alert.service import EvacuationAlert

DATA = Path(__file__).parents[2].parent / "shared/data/sensors/water"
JAPAN = timezone(timedelta(hours=9))
OCCASION = Exercise("fukui")

RUNS = (
    ("2023-07-13", "2023-07-14"),
    ("2024-05-28",),
    ("2024-06-22", "2024-06-23"),
    ("2024-06-25",),
    ("2024-07-01",),
    ("2024-11-02",),
    ("2026-08-20",),
)
"""Days of the data; consecutive ones are one flood."""

THRESHOLDS = {
    1: ("水防団待機水位", "standby_level_m"),
    2: ("はん濫注意水位", "caution_level_m"),
    3: ("避難判断水位", "evacuation_level_m"),
    4: ("はん濫危険水位", "danger_level_m"),
}

RISES = {
    # day, local time, gauge, level proposed: read off the data by hand
    ("2023-07-13", "07:20", "9", 4),  # 原目: over both 1.80 and 2.00 in the first reading
    ("2023-07-13", "07:20", "47", 3),  # 大橋
    ("2023-07-13", "07:20", "121", 3),  # 宝泉寺
    ("2023-07-13", "07:20", "124", 4),  # 江波: has no 避難判断水位
    ("2023-07-13", "07:40", "80", 3),  # 鳥羽
    ("2023-07-13", "11:00", "13", 3),  # 江端
    ("2024-06-23", "15:20", "124", 4),
    ("2024-06-23", "16:10", "90", 3),  # 上太田
    ("2024-06-23", "17:20", "90", 4),
    ("2024-06-23", "17:20", "47", 3),
    ("2024-06-23", "18:20", "80", 3),
    ("2024-06-23", "19:20", "13", 3),
    ("2024-07-01", "08:20", "124", 4),
}

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the recorded river levels (shared/data/sensors/water) are absent"
)


@dataclass(frozen=True)
class Row:
    at: datetime
    gauge: str
    value: float


def number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text.strip()) else None


def local_time(text: str) -> datetime:
    """``2023-07-13T24:00`` occurs: midnight at the end of that day."""
    day, clock = text.split("T")
    hour, minute = map(int, clock.split(":"))
    midnight = datetime.fromisoformat(day).replace(tzinfo=JAPAN)
    return (midnight + timedelta(hours=hour, minutes=minute)).astimezone(UTC)


def table(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


@cache
def thresholds() -> Mapping[str, Mapping[int, float]]:
    return {
        row["id"]: {
            level: value
            for level, (column, _) in THRESHOLDS.items()
            if (value := number(row[column])) is not None
        }
        for row in table("fukui_sensors.csv")
    }


@cache
def rows(days: Sequence[str]) -> tuple[Row, ...]:
    """In the order of the files, which is the order of time for each gauge only."""
    return tuple(
        Row(local_time(row["日時"]), row["id"], value)
        for day in days
        for row in table(f"fukui_{day}.csv")
        if (value := number(row["河川水位"])) is not None
    )


def urn(gauge: str) -> str:
    return f"urn:ngsi-ld:WaterLevelGauge:fukui:{gauge}"


def entities() -> list[Entity]:
    found = []
    for row in table("fukui_sensors.csv"):
        attributes: dict[str, Any] = {"river_ja": row["河川名"]}
        for level, value in thresholds()[row["id"]].items():
            attributes[THRESHOLDS[level][1]] = value
        name = Name(f"Gauge {row['id']}", row["観測所名"])
        found.append(
            Entity(id=urn(row["id"]), type="WaterLevelGauge", name=name, attributes=attributes)
        )
    return found


def proposals(readings: Sequence[Row], **rules: Any) -> list[Assessment]:
    """Let the service hear of every reading, and the city follow its assessments."""
    service, city, said = EvacuationAlert(**rules), RecordedCity(entities=entities()), []
    newest: dict[str, datetime] = {}
    for number_, row in enumerate(readings):
        newest[row.gauge] = max(row.at, newest.get(row.gauge, row.at))
        reading = Reading(
            entity=urn(row.gauge),
            observed_property="water_level",
            value=row.value,
            unit="m",
            observed_at=row.at,
            received_at=row.at,
            dataset=OCCASION.dataset,
        )
        event = ObservationStored(
            id=number_, occasion=OCCASION, at=newest[row.gauge], reading=reading
        )
        city.happen(event)
        for effect in service.react(event, city.view_of(event)):
            city.perform(effect)
            said.append(effect)
    return said


def stands(points: Sequence[Row], threshold: float) -> bool:
    """The rule, word for word: reached once, and never since an hour more than 10 cm below."""
    low = round(threshold - 0.1, 6)
    for index, point in enumerate(points):
        if point.value < threshold:
            continue
        later = points[index + 1 :]
        ended = any(
            end.at - start.at >= timedelta(minutes=60)
            and all(item.value < low for item in later if start.at <= item.at <= end.at)
            for start in later
            for end in later
        )
        if not ended:
            return True
    return False


def truth(readings: Sequence[Row], lowest: int) -> dict[str, list[tuple[datetime, int]]]:
    """For each gauge, when the level changes and to what; gauges without a change left out."""
    found: dict[str, list[tuple[datetime, int]]] = {}
    for gauge, levels in thresholds().items():
        mine = sorted((row for row in readings if row.gauge == gauge), key=lambda row: row.at)
        wanted = {level: value for level, value in levels.items() if level >= lowest}
        if not any(row.value >= value for row in mine for value in wanted.values()):
            continue
        before, changes = 0, []
        for end in range(1, len(mine) + 1):
            seen = mine[:end]
            now = max((lv for lv, value in wanted.items() if stands(seen, value)), default=0)
            if now != before:
                changes.append((seen[-1].at, now))
            before = now
        found[gauge] = changes
    return found


def by_gauge(said: Sequence[Assessment]) -> dict[str, list[tuple[datetime, int]]]:
    found: dict[str, list[tuple[datetime, int]]] = {}
    for assessment in said:
        gauge = assessment.situation.rpartition(":")[2]
        assert assessment.situation == f"flood/{urn(gauge)}"
        found.setdefault(gauge, []).append((assessment.at, int(assessment.level)))
    return found


def in_time_order(days: Sequence[str]) -> list[Row]:
    return sorted(rows(days), key=lambda row: row.at)


@pytest.mark.parametrize("days", RUNS, ids=lambda days: days[-1])
def test_every_change_of_level_is_proposed_at_its_time_and_nothing_else(
    days: Sequence[str],
) -> None:
    readings = in_time_order(days)
    assert by_gauge(proposals(readings)) == truth(readings, lowest=3)


@pytest.mark.parametrize("days", RUNS[:3:2], ids=lambda days: days[-1])
def test_so_are_the_levels_1_and_2_where_a_town_wants_them(days: Sequence[str]) -> None:
    readings = in_time_order(days)
    assert by_gauge(proposals(readings, propose_from_level=1)) == truth(readings, lowest=1)


def test_the_rises_to_levels_3_and_4_are_those_read_off_the_data() -> None:
    rises = set()
    for days in RUNS:
        for gauge, changes in by_gauge(proposals(in_time_order(days))).items():
            before = 0
            for at, level in changes:
                local = at.astimezone(JAPAN)
                if level > before:
                    rises.add((f"{local:%Y-%m-%d}", f"{local:%H:%M}", gauge, level))
                before = level
    assert rises == RISES


def test_the_first_reading_at_a_threshold_is_the_proposal_and_its_evidence() -> None:
    """A plain scan for first crossings, beside the brute force above."""
    for days in RUNS:
        readings = in_time_order(days)
        said = proposals(readings)
        for gauge, levels in thresholds().items():
            for level in (3, 4):
                if level not in levels:
                    continue
                first = next(
                    (row for row in readings if row.gauge == gauge and row.value >= levels[level]),
                    None,
                )
                answers = [
                    item
                    for item in said
                    if item.situation.endswith(f":{gauge}") and first and item.at == first.at
                ]
                if first is None:
                    continue
                (answer,) = answers
                assert answer.level >= level
                (evidence,) = answer.evidence
                assert (evidence.value, evidence.at) == (first.value, first.at)
                assert evidence.threshold == levels[int(answer.level)]


def test_the_order_of_the_file_gives_the_same_proposals() -> None:
    for days in RUNS[:3:2]:
        assert by_gauge(proposals(rows(days))) == by_gauge(proposals(in_time_order(days)))


def test_a_day_that_comes_an_hour_late_for_some_gauges_ends_the_same() -> None:
    """Every second gauge's readings come in pairs, the newer first."""
    readings = in_time_order(RUNS[2])
    mixed: list[Row] = []
    waiting: dict[str, Row] = {}
    for row in readings:
        if int(row.gauge) % 2:
            mixed.append(row)
        elif row.gauge in waiting:
            mixed += [row, waiting.pop(row.gauge)]
        else:
            waiting[row.gauge] = row
    mixed += waiting.values()
    highest = {
        gauge: max(level for _, level in changes)
        for gauge, changes in by_gauge(proposals(mixed)).items()
    }
    assert highest == {
        gauge: max(level for _, level in changes)
        for gauge, changes in by_gauge(proposals(readings)).items()
    }


def test_the_texts_are_what_an_official_expects() -> None:
    said = proposals(in_time_order(RUNS[2]))
    (order,) = [
        item
        for item in said
        if item.situation.endswith(":90") and item.level is AlertLevel.EVACUATE
    ]
    assert order.headline.ja == "【警戒レベル4 避難指示】吉野瀬川 上太田付近（洪水）"
    assert order.reason.ja == (
        "上太田（吉野瀬川）の水位 3.43 m が氾濫危険水位 3.20 m に到達（6月23日17時20分）。"
        "警戒レベル4 避難指示の目安にあたる。"
    )
