"""The tables of a city folder: rows of CSV (RFC 4180) or GeoJSON (RFC 7946), with their place.

Every fault names its file and its line (or feature), so that the person who keeps the table can
mend it. deploy/demo/README.md describes the format for that person.
"""

from __future__ import annotations

import csv
import difflib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from cityos.domain.alert_level import HAZARDS
from cityos.domain.observed_property import PROPERTIES
from cityos.errors import InvalidRequest

MAX_FILE_BYTES: Final = 20_000_000
_MAX_FAULTS: Final = 20
_RAIN_LEVEL: Final = re.compile(r"(precipitation_(?:10min|1h|24h))_level_([1-5])_mm")
_NUMBER: Final = re.compile(r".+_(m|mm|km|km2|kw|kwh|min)")
_TEXT: Final = re.compile(r".+_(en|ja)")
_PLAIN_TEXT: Final = frozenset({"designation", "owner", "url"})
REFERENCES: Final = frozenset({"area", "route"})
"""Columns whose cells name another entity, as ``Type:id`` or as a URN."""
_FRAME: Final = ("id", "name_en", "name_ja", "longitude", "latitude")
_EXAMPLES: Final = (
    *_FRAME,
    "hazards",
    "capacity",
    "standby_level_m",
    "caution_level_m",
    "evacuation_level_m",
    "danger_level_m",
    "overflow_level_m",
    "hold_min",
    "expected_interval_min",
    "river_en",
    "river_ja",
    "address_en",
    "address_ja",
    "precipitation_1h_level_3_mm",
    *sorted(_PLAIN_TEXT),
    *sorted(REFERENCES),
)


_LIKE: Final = 0.75
"""``danger_lvl_m`` is that like ``danger_level_m``; heights, lengths and areas are less so."""
_LEVEL: Final = re.compile(r"_(level|lvl|lv)_")


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``place`` is ``file:line`` or ``file, feature n``; empty cells are left out."""

    place: str
    cells: Mapping[str, Any]
    geometry: Mapping[str, Any] | None = None


class Faults:
    """Gathers what is wrong, so that one run names everything that has to be mended.

    What is wrong in the same way at many places is said once, and what only follows from a
    fault is counted: the cause must not be buried.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[str]] = {}
        self._following = 0

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, place: str, what: str) -> None:
        file = re.split(r"[:,]", place, maxsplit=1)[0]
        self._found.setdefault((file, what), []).append(place)

    def follow(self) -> None:
        """Count a fault that may be gone once the others are mended."""
        self._following += 1

    def include(self, others: Faults) -> None:
        """Gather those, too."""
        for (_, what), places in others._found.items():
            for place in places:
                self.add(place, what)

    def refuse_if_any(self) -> None:
        """Raise InvalidRequest if something is wrong."""
        if self:
            self.refuse()

    def refuse(self) -> NoReturn:
        """Raise InvalidRequest with the first 20 faults, one a line."""
        lines = [
            f"{places[0]}: {what}" + (f" (and in {more} more places)" if more else "")
            for (_, what), places in self._found.items()
            for more in [len(places) - 1]
        ]
        shown, hidden = lines[:_MAX_FAULTS], len(lines) - _MAX_FAULTS
        if hidden > 0:
            shown.append(f"and {hidden} more")
        if self._following:
            shown.append(
                f"not shown: {self._following} that may be right once these are mended, for they"
                " name rows that could not be read"
            )
        raise InvalidRequest("\n".join(shown), parameter=shown[0].split(":", 1)[0])


def csv_rows(path: Path, faults: Faults, *, columns: Sequence[str] = ()) -> Iterator[Row]:
    """Yield the rows of a UTF-8 CSV file with a header line.

    ``columns``, where given, are the only ones allowed; otherwise those of an entity table are.
    """
    text = _text(path, faults)
    if text is None:
        return
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not _header_is_good(path, header, columns, faults):
            return
        for cells in reader:
            place = f"{path.name}:{reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                faults.add(place, f"{len(cells)} cells, but the header has {len(header)}")
                continue
            pairs = zip(header, cells, strict=True)
            yield Row(place, {name: cell.strip() for name, cell in pairs if cell.strip()})
    except csv.Error as error:
        faults.add(f"{path.name}:{reader.line_num}", f"not CSV: {error}")


def geojson_rows(path: Path, faults: Faults) -> Iterator[Row]:
    """Yield the features of a GeoJSON FeatureCollection; properties are the cells."""
    text = _text(path, faults)
    if text is None:
        return
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        faults.add(f"{path.name}:{error.lineno}", f"not JSON: {error.msg}")
        return
    except RecursionError:
        faults.add(path.name, "not GeoJSON: nested too deeply")
        return
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        faults.add(path.name, "not a GeoJSON FeatureCollection (RFC 7946, section 3.3)")
        return
    for number, feature in enumerate(features, start=1):
        place = f"{path.name}, feature {number}"
        properties = feature.get("properties") if isinstance(feature, dict) else None
        if not isinstance(properties, dict):
            faults.add(place, "a feature needs properties with id, name_en and name_ja")
            continue
        if not _header_is_good(path, list(properties), (), faults, place=place):
            continue
        geometry = feature.get("geometry")
        wrong = geometry_fault(geometry)
        if wrong:
            faults.add(place, wrong)
            continue
        cells = {name: value for name, value in properties.items() if value not in (None, "")}
        yield Row(place, cells, geometry)


def attribute(name: str, cell: Any) -> tuple[str, Any]:  # noqa: ANN401 - a cell is text or JSON
    """Return the attribute that the cell of column ``name`` stands for, typed.

    ``precipitation_1h_level_3_mm`` becomes an entry ``("precipitation_1h", "3")`` of
    ``rainfall_levels_mm``; columns that end in a unit are numbers.

    Raises:
        ValueError: the cell does not fit its column; the text says why.
    """
    rain = _RAIN_LEVEL.fullmatch(name)
    if rain:
        return "rainfall_levels_mm", {rain[1]: {rain[2]: _threshold(cell, rain[1])}}
    if name.endswith("_level_m"):
        return name, _threshold(cell, "water_level")
    if name == "hazards":
        return name, _hazards(cell)
    if name == "capacity":
        return name, _count(cell)
    if _NUMBER.fullmatch(name):
        return name, number(cell)
    return name, str(cell)


def number(cell: Any) -> float:  # noqa: ANN401
    """Return the cell as a finite number.

    Raises:
        ValueError: it is none.
    """
    try:
        value = float(cell)
    except (TypeError, ValueError):
        message = f"{cell!r} is not a number"
        raise ValueError(message) from None
    if not math.isfinite(value):
        message = f"{cell!r} is not a finite number"
        raise ValueError(message)
    return value


def on_earth(longitude: float, latitude: float) -> bool:
    """Return whether these are degrees of longitude and latitude (WGS 84)."""
    return abs(longitude) <= 180.0 and abs(latitude) <= 90.0  # noqa: PLR2004


def geometry_fault(geometry: Any) -> str:  # noqa: ANN401
    """Return what is wrong with a GeoJSON geometry of a line or an area; empty if nothing is."""
    if not isinstance(geometry, dict):
        return "a feature needs a geometry"
    depth: dict[str, Callable[[Any], list[Any]]] = {
        "LineString": lambda c: [c],
        "MultiLineString": list,
        "Polygon": list,
        "MultiPolygon": lambda c: [ring for polygon in c for ring in polygon],
    }
    kind = geometry.get("type")
    if kind not in depth:
        return f"geometry type {kind!r} is none of {', '.join(depth)}"
    try:
        parts = depth[kind](geometry["coordinates"])
        for part in parts:
            fault = _part_fault(part, closed="Polygon" in kind)
            if fault:
                return fault
    except (KeyError, TypeError, ValueError, IndexError):
        return "coordinates are not as RFC 7946, section 3.1, has them"
    return "" if parts else "the geometry is empty"


def _part_fault(points: Sequence[Sequence[float]], *, closed: bool) -> str:
    for point in points:
        if not on_earth(number(point[0]), number(point[1])):
            return f"{list(point)} is not longitude, latitude"
    if closed and (len(points) < 4 or list(points[0]) != list(points[-1])):  # noqa: PLR2004
        return "a polygon's ring needs four points or more, and the last must repeat the first"
    if len(points) < 2:  # noqa: PLR2004
        return "a line needs two points or more"
    return ""


def _text(path: Path, faults: Faults) -> str | None:
    if path.stat().st_size > MAX_FILE_BYTES:
        faults.add(path.name, f"larger than {MAX_FILE_BYTES // 1_000_000} MB")
        return None
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        faults.add(f"{path.name}:{line}", "not UTF-8; save the file as 'CSV UTF-8'")
        return None


def _header_is_good(
    path: Path, header: Sequence[str], allowed: Sequence[str], faults: Faults, *, place: str = ""
) -> bool:
    place = place or f"{path.name}:1"
    good, meant = True, set[str]()
    for name in header:
        if (name in allowed) if allowed else _is_entity_column(name):
            continue
        near = difflib.get_close_matches(name, allowed or _EXAMPLES, n=1)
        meant.update(near)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        faults.add(place, f"unknown column {name!r}{hint}")
        good = False
    for name in allowed[:1] or ("id", "name_en", "name_ja"):
        if name not in header and name not in meant:
            faults.add(place, f"the column {name!r} is missing")
            good = False
    if len(set(header)) != len(header):
        faults.add(place, "a column is there twice")
        good = False
    return good


def _is_entity_column(name: str) -> bool:
    # a threshold with a slip in its name would silently never warn: those names are closed
    return (
        name in _EXAMPLES
        or _TEXT.fullmatch(name) is not None
        or (_NUMBER.fullmatch(name) is not None and not _is_like_a_threshold(name))
        or _RAIN_LEVEL.fullmatch(name) is not None
    )


def _is_like_a_threshold(name: str) -> bool:
    known = [one for one in _EXAMPLES if _NUMBER.fullmatch(one)]
    return bool(_LEVEL.search(name)) or bool(
        difflib.get_close_matches(name, known, n=1, cutoff=_LIKE)
    )


def _hazards(cell: Any) -> list[str]:  # noqa: ANN401
    codes = cell if isinstance(cell, list) else [code.strip() for code in str(cell).split(";")]
    for code in codes:
        if code not in HAZARDS:
            message = f"hazard {code!r} is none of {', '.join(HAZARDS)}"
            raise ValueError(message)
    return list(codes)


def _threshold(cell: Any, observed: str) -> float:  # noqa: ANN401
    """Beyond what the sensor can report, most likely in another unit, it would never warn."""
    value, known = number(cell), PROPERTIES[observed]
    if not known.minimum <= value <= known.maximum:
        message = (
            f"{value:g} is not from {known.minimum:g} to {known.maximum:g} {known.unit}, the range"
            f" of {observed}: is it in another unit than {known.unit}?"
        )
        raise ValueError(message)
    return value


def _count(cell: Any) -> int:  # noqa: ANN401
    value = number(cell)
    if value < 0 or value != int(value):
        message = f"{cell!r} is not a whole number of 0 or more"
        raise ValueError(message)
    return int(value)
