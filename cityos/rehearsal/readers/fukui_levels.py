"""River levels of Fukui Prefecture as Code for FUKUI keeps them, a CSV file a day.

    日時,河川水位,id
    2024-06-23T17:20,3.43,90

Times are Japan's; ``T24:00`` is the midnight at the end of the day (JIS X 0301, 4.2.1). A level
that was not measured is empty, ``*`` or ``---``. The gauges' names and thresholds are in a second
table beside it (``fukui_sensors.csv``), their positions in a third (``fukui_suii_ichi.csv``).
Source: code4fukui/waterlevel_fukui, from 福井県 河川・砂防総合情報システム.
"""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from cityos.domain.entity import REHEARSAL_ONLY, Device, Entity, Name
from cityos.domain.observation import Position
from cityos.domain.observed_property import PROPERTIES
from cityos.errors import InvalidRequest
from cityos.rehearsal.payloads import Value, cityos_json
from cityos.rehearsal.recording import Needs, Recorded, Skipped

HEADER: Final = "日時,河川水位,id"
VENDOR: Final = "fukui"
_JST: Final = timezone(timedelta(hours=9))
_TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}):(\d{2})")
_ID: Final = re.compile(r"[0-9]{1,6}")
_GAUGE_URL: Final = re.compile(r"[?&]sn=(\d+)&")
_LONGEST_DAY_BYTES: Final = 50_000_000
_WATER_LEVEL: Final = PROPERTIES["water_level"]
_THRESHOLDS: Final = {
    "水防団待機水位": "standby_level_m",
    "はん濫注意水位": "caution_level_m",
    "避難判断水位": "evacuation_level_m",
    "はん濫危険水位": "danger_level_m",
}


class FukuiLevels:
    """Days of river levels. One day is in memory at a time.

    Raises:
        InvalidRequest: the table of the gauges is not beside the files.
    """

    title = "river levels of Fukui"

    def __init__(self, files: Sequence[Path]) -> None:
        self.skipped = Skipped()
        self._files = sorted(files, key=_first_time)
        self._gauges = _described(files[0].parent)

    def count(self) -> int:
        return sum(max(0, _text(path).count("\n") - 1) for path in self._files)

    def needs(self, tenant: str) -> Needs:
        found = {gauge: None for path in self._files for _, gauge, _ in _rows(path)}
        known = [gauge for gauge in found if _ID.fullmatch(gauge)]
        entities = [_entity(tenant, gauge, self._gauges.get(gauge, {})) for gauge in known]
        devices = [
            Device(vendor=VENDOR, id=gauge, adapter="cityos_json", entity=_urn(tenant, gauge))
            for gauge in known
        ]
        return Needs(entities, devices)

    def messages(self) -> Iterator[Recorded]:
        for path in self._files:
            yield from self._day(path)

    def _day(self, path: Path) -> Iterator[Recorded]:
        day: dict[tuple[datetime, str], float] = {}
        for number, (time, gauge, level) in enumerate(_rows(path), start=2):
            place = f"{path.name}:{number}"
            at = _instant(time)
            if at is None or not _ID.fullmatch(gauge):
                self.skipped.add("the line is not a time, a level and a gauge", place)
                continue
            if level in {"", "*", "---", "-"}:
                self.skipped.add(f"no level was measured ({level or 'empty'})", place)
                continue
            value = _level(level)
            if value is None:
                self.skipped.add("the level is not a number", place)
            elif not _WATER_LEVEL.minimum <= value <= _WATER_LEVEL.maximum:
                # dams give their lake's elevation above the sea
                self.skipped.add("the level is an elevation, not a river's level", place)
            elif (at, gauge) in day:
                self.skipped.add("the gauge's level at that time is there already", place)
            else:
                day[at, gauge] = value
        for at, gauge in sorted(day):
            payload = cityos_json([Value("water_level", day[at, gauge], "m")], at)
            yield Recorded(at, VENDOR, gauge, payload)


def describes_gauges(first_line: str) -> bool:
    """Return whether this is the header of one of the tables beside the recorded days."""
    return "観測所名" in first_line and ("はん濫危険水位" in first_line)


def _described(folder: Path) -> Mapping[str, Mapping[str, str]]:
    """Return what is known of the gauges, by gauge number."""
    gauges: dict[str, dict[str, str]] = {}
    positions: dict[str, dict[str, str]] = {}
    for path in sorted([*folder.glob("*.csv"), *folder.parent.glob("*.csv")]):
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            if not describes_gauges(file.readline(10_000)):
                continue
            file.seek(0)
            for row in csv.DictReader(file):
                cells = {(name or "").strip(): (cell or "").strip() for name, cell in row.items()}
                number = _GAUGE_URL.search(cells.get("URL", ""))
                if "id" in cells:
                    gauges.setdefault(cells["id"], cells)
                else:
                    key = number[1] if number else _plain(cells.get("観測所名", ""))
                    positions.setdefault(key, cells)
    if not gauges:
        message = (
            f"the gauges' table with their thresholds (fukui_sensors.csv) is not in {folder};"
            " put it beside the recorded days"
        )
        raise InvalidRequest(message, parameter="source")
    return {
        gauge: {**_place_of(gauge, cells, positions), **cells} for gauge, cells in gauges.items()
    }


def _place_of(
    gauge: str, cells: Mapping[str, str], positions: Mapping[str, Mapping[str, str]]
) -> Mapping[str, str]:
    """The row of the third table: by the gauge's number in its URL, else by its name."""
    return positions.get(gauge) or positions.get(_plain(cells.get("観測所名", ""))) or {}


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name)


def _entity(tenant: str, gauge: str, cells: Mapping[str, str]) -> Entity:
    station, river = cells.get("観測所名", ""), cells.get("河川名", "")
    attributes: dict[str, Any] = {REHEARSAL_ONLY: True, "source": "福井県"}
    if river:
        attributes |= {"river_en": f"{river} (Fukui)", "river_ja": river}
    if cells.get("所在地"):
        attributes["address_ja"] = cells["所在地"]
    for column, attribute in _THRESHOLDS.items():
        level = _level(cells.get(column, ""))
        if level is not None:
            attributes[attribute] = level
    return Entity(
        id=_urn(tenant, gauge),
        type="WaterLevelGauge",
        name=Name(f"Fukui gauge {gauge} {station}".strip(), station or f"福井 観測所{gauge}"),
        position=_position(cells),
        attributes=attributes,
    )


def _position(cells: Mapping[str, str]) -> Position | None:
    degrees: list[float] = []
    for axis in ("経度", "緯度"):
        parts = [_level(cells.get(f"{axis}({unit})", "")) for unit in ("度", "分", "秒")]
        if None in parts:
            return None
        whole, minutes, seconds = (part or 0.0 for part in parts)
        degrees.append(round(whole + minutes / 60.0 + seconds / 3600.0, 5))
    return Position(*degrees)


def _urn(tenant: str, gauge: str) -> str:
    return f"urn:ngsi-ld:WaterLevelGauge:{tenant}:fukui-{gauge}"


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield time, gauge and level of each line after the header, as they are written."""
    for line in _text(path).splitlines()[1:]:
        cells = [cell.strip() for cell in line.split(",")]
        time, level, gauge = cells if len(cells) == 3 else ("", "", "")  # noqa: PLR2004
        yield time, gauge, level


def _text(path: Path) -> str:
    if path.stat().st_size > _LONGEST_DAY_BYTES:
        message = f"{path.name} is larger than a day of river levels can be"
        raise InvalidRequest(message, parameter="source")
    return path.read_text(encoding="utf-8-sig", errors="replace")


def _first_time(path: Path) -> str:
    return next((time for time, _, _ in _rows(path) if time), "")


def _instant(text: str) -> datetime | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    try:
        day = datetime.fromisoformat(match[1]).replace(tzinfo=_JST)
    except ValueError:
        return None
    hour, minute = int(match[2]), int(match[3])
    if hour * 60 + minute > 24 * 60 or minute > 59:  # noqa: PLR2004
        return None
    return (day + timedelta(hours=hour, minutes=minute)).astimezone(UTC)


def _level(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
