"""Reads the files of a case, and fills in what their author need not write."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from cityos.domain.entity import Entity
from cityos.domain.event import Event
from cityos.domain.observation import Reading
from cityos.domain.observed_property import PROPERTIES
from cityos.domain.proposal import Situation
from cityos.errors import InvalidPlugin
from cityos.plugins.contract import Receipt
from cityos.testing.city import ReceivedBulletin, RecordedCity
from cityos.testing.plain import from_plain

INPUT: Final = "input"
EXPECTED: Final = "expected.json"
EXPECTED_ERROR: Final = "expected_error.txt"

_RECEIPT: Final = Receipt(
    source="cityos/v1/town/vendor/device/observations",
    device="device",
    received_at=datetime(2026, 1, 1, tzinfo=UTC),
)


class Origin(StrEnum):
    """Where the input of a case comes from."""

    SPECIFICATION = "specification"
    RECORDED = "recorded"
    MADE = "made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """``case.toml``: where the input comes from. ``recorded`` is the day of a recording."""

    origin: Origin
    source: str
    recorded: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _CityDocument:
    entities: tuple[Entity, ...] = ()
    readings: tuple[Reading, ...] = ()
    situations: tuple[Situation, ...] = ()
    bulletins: tuple[ReceivedBulletin, ...] = ()
    dataset: str | None = None


def provenance(case: Path) -> Provenance | None:
    """Return what ``case.toml`` says of the case, or None if there is none.

    Raises:
        InvalidPlugin: it is no TOML, has other keys, or a recording has no date.
    """
    file = case / "case.toml"
    if not file.exists():
        return None
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
        found = Provenance(**{**said, "origin": Origin(said.get("origin", ""))})
    except (ValueError, TypeError) as error:
        message = f"{file}: {error}"
        raise InvalidPlugin(message) from error
    if not found.source or (found.origin is Origin.RECORDED and found.recorded is None):
        message = f"{file}: needs a source, and a recording the day: recorded = 2026-11-22"
        raise InvalidPlugin(message)
    return found


def payload(case: Path) -> bytes:
    """Return the bytes of ``input.*``. ``.hex`` is hex digits, with spaces and ``#`` comments."""
    files = sorted(case.glob(f"{INPUT}.*"))
    if len(files) != 1:
        message = f"{case}: needs one {INPUT}.* file, has {len(files)}"
        raise InvalidPlugin(message)
    content = files[0].read_bytes()
    if files[0].suffix != ".hex":
        return content
    digits = [line.partition("#")[0] for line in content.decode().splitlines()]
    try:
        return bytes.fromhex("".join(digits))
    except ValueError as error:
        message = f"{files[0]}: {error}"
        raise InvalidPlugin(message) from error


def receipt(case: Path) -> Receipt:
    """Return what ``receipt.json`` says, over defaults for what it leaves out."""
    document = _json(case / "receipt.json") if (case / "receipt.json").exists() else {}
    document.setdefault("source", _RECEIPT.source)
    document.setdefault("device", _RECEIPT.device)
    document.setdefault("received_at", _RECEIPT.received_at.isoformat())
    filled: Receipt = _object(case / "receipt.json", document, Receipt)
    return filled


def settings(case: Path) -> Mapping[str, Any]:
    """Return the plugin's settings for this case: ``settings.json``, else none."""
    file = case / "settings.json"
    return dict(_json(file)) if file.exists() else {}


def city(case: Path) -> tuple[RecordedCity, str | None]:
    """Return the city of ``city.json``, and the dataset that its events look at, if it says."""
    file = case / "city.json"
    document = _json(file) if file.exists() else {}
    document["readings"] = [
        *map(_with_reading_defaults, document.get("readings", [])),
        *(reading for series in document.pop("series", []) for reading in _readings(series)),
    ]
    for entity in document.get("entities", []):
        entity.setdefault("name", {"en": entity.get("id"), "ja": entity.get("id")})
    for bulletin in document.get("bulletins", []):
        _with_alert_type(bulletin["alert"])
        bulletin.setdefault("supersedes", bulletin["alert"].get("identifier"))
    known: _CityDocument = _object(file, document, _CityDocument)
    recorded = RecordedCity(
        entities=known.entities,
        readings=known.readings,
        situations=known.situations,
        bulletins=known.bulletins,
    )
    return recorded, known.dataset


def events(case: Path) -> tuple[list[Event], bool]:
    """Return the events of the case, and whether they came as a list (``events.json``)."""
    many, one = case / "events.json", case / "event.json"
    if many.exists() == one.exists():
        message = f"{case}: needs one of event.json and events.json"
        raise InvalidPlugin(message)
    file = many if many.exists() else one
    content = _json(file)
    documents = content if many.exists() else [content]
    filled = [_with_event_defaults(item, place) for place, item in enumerate(documents)]
    return _object(file, filled, list[Event]), many.exists()


def expected(case: Path, hint: Any) -> Any:  # noqa: ANN401 - whatever the plugin's kind yields
    file = case / EXPECTED
    return _object(file, _json(file), hint)


def expected_error(case: Path) -> list[str]:
    """Return the lines that the error must hold, each somewhere."""
    text = (case / EXPECTED_ERROR).read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        message = f"{case / EXPECTED_ERROR}: is empty; write what the error has to say"
        raise InvalidPlugin(message)
    return lines


def _readings(series: dict[str, Any]) -> list[dict[str, Any]]:
    """``{"entity", "observed_property", "values": [[time, value], ...]}`` is many readings."""
    values = series.pop("values", [])
    return [
        _with_reading_defaults({**series, "observed_at": time, "value": value})
        for time, value in values
    ]


def _with_reading_defaults(reading: dict[str, Any]) -> dict[str, Any]:
    prop = PROPERTIES.get(reading.get("observed_property", ""))
    if prop is not None:
        reading.setdefault("unit", prop.unit)
    reading.setdefault("received_at", reading.get("observed_at"))
    return reading


def _with_alert_type(alert: dict[str, Any]) -> dict[str, Any]:
    alert.setdefault("type", "ExerciseAlert" if "run" in alert else "ActualAlert")
    return alert


def _with_event_defaults(event: dict[str, Any], place: int) -> dict[str, Any]:
    event.setdefault("id", place + 1)
    if "reading" in event:
        event.setdefault("type", "ObservationStored")
        event.setdefault("occasion", {"type": "Actual"})
        event.setdefault("at", _with_reading_defaults(event["reading"]).get("observed_at"))
    elif "alert" in event:
        alert = _with_alert_type(event["alert"])
        actual = alert["type"] == "ActualAlert"
        event.setdefault("type", "AlertReceived")
        event.setdefault(
            "occasion",
            {"type": "Actual"} if actual else {"type": "Exercise", "run": alert.get("run")},
        )
        event.setdefault("at", alert.get("sent"))
    return event


def _json(file: Path) -> Any:  # noqa: ANN401 - it is JSON
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"{file}: is missing"
        raise InvalidPlugin(message) from None
    except ValueError as error:
        message = f"{file}: is not JSON: {error}"
        raise InvalidPlugin(message) from error


def _object(file: Path, document: object, hint: Any) -> Any:  # noqa: ANN401 - by the hint
    try:
        return from_plain(document, hint)
    except InvalidPlugin as error:
        message = f"{file}: {error}"
        raise InvalidPlugin(message) from error
