"""What has to come out of recorded days, worked out by plain reading of their files."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

JAPAN = timezone(timedelta(hours=9))

Rise = tuple[str, int, datetime]
"""Gauge, level, time."""


def rises_of(day: Path) -> set[Rise]:
    """When each gauge first reached 避難判断水位 (level 3) and はん濫危険水位 (level 4)."""
    with (day.parent / "fukui_sensors.csv").open(encoding="utf-8-sig") as file:
        thresholds = {
            row["id"]: [(3, row["避難判断水位"].strip()), (4, row["はん濫危険水位"].strip())]
            for row in csv.DictReader(file)
        }
    highest: dict[str, int] = {}
    rises = set()
    for time, gauge, value in sorted(rows_of(day)):
        if not re.fullmatch(r"[0-9.]+", value):
            continue
        level = max(
            (
                level
                for level, threshold in thresholds.get(gauge, [])
                if "---" not in threshold and float(value) >= float(threshold)
            ),
            default=0,
        )
        if level > highest.get(gauge, 0):
            highest[gauge] = level
            rises.add((gauge, level, time))
    return rises


def rows_of(day: Path) -> Iterator[tuple[datetime, str, str]]:
    with day.open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            date, _, clock = row["日時"].partition("T")
            hour, _, minute = clock.partition(":")
            midnight = datetime.fromisoformat(date).replace(tzinfo=JAPAN)
            yield (
                midnight + timedelta(hours=int(hour), minutes=int(minute)),
                row["id"],
                row["河川水位"],
            )


def parts_of(day: Path, folder: Path, *borders: str) -> list[Path]:
    """The day cut at these local times, each part beside the table of the gauges."""
    lines = day.read_text(encoding="utf-8-sig").splitlines()
    header, rows = lines[0], list(zip(rows_of(day), lines[1:], strict=True))
    date = day.stem.removeprefix("fukui_")
    ends = [datetime.fromisoformat(f"{date}T{border}+09:00") for border in borders]
    starts = [datetime.min.replace(tzinfo=UTC), *ends]
    parts = []
    for number, (start, end) in enumerate(
        zip(starts, [*ends, datetime.max.replace(tzinfo=UTC)], strict=True)
    ):
        part = folder / f"part-{number}" / day.name
        part.parent.mkdir()
        kept = [line for (time, _, _), line in rows if start <= time < end]
        part.write_text("\n".join([header, *kept]) + "\n")
        for table in ("fukui_sensors.csv", "fukui_suii_ichi.csv"):
            (part.parent / table).symlink_to(day.parent / table)
        parts.append(part)
    return parts


def named(telegram: Path, block: str, kind: str) -> list[str]:
    """The municipalities' codes that the telegram's head names with this kind."""
    text = telegram.read_text(encoding="utf-8")
    pattern = rf'<Information type="[^"]*{block}">(.*?)</Information>'
    (inside,) = re.findall(pattern, text, re.DOTALL)
    codes: list[str] = []
    for item in re.findall(r"<Item>(.*?)</Item>", inside, re.DOTALL):
        if f"<Name>{kind}</Name>" in item:
            codes += re.findall(r"<Code>(\d{7})</Code>", item)
    assert codes
    return codes


def sent(telegram: Path) -> str:
    text = telegram.read_text(encoding="utf-8")
    (time,) = re.findall(r"<ReportDateTime>(.*?)</ReportDateTime>", text)
    return stamp(datetime.fromisoformat(time))


def stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
