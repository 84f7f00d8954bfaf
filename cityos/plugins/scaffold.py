"""Writes the folder of a new plugin: small, complete, and passing its own cases.

``make adapter NAME=x`` and ``make service NAME=x`` call this. What is written works and says what
to replace; nothing else in the project has to be edited.
"""

from __future__ import annotations

import json
import keyword
import re
from pathlib import Path
from string import Template
from typing import Any, Final

from cityos.errors import Conflict, InvalidRequest
from cityos.plugins import scaffold_texts as texts

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,63}")
_RESERVED: Final = frozenset(
    # the project's folders, and what the written modules import under the name of the class
    [
        "cityos",
        "adapters",
        "services",
        "cases",
        "tests",
        "payload",
        "receipt",
        "observation",
        "sequence",
        "annotated",
        "name",
        "event",
        "effect",
        "assessment",
        "evidence",
        "hazard",
        "final",
        "decoder",
        "service",
    ]
)


def adapter(name: str, root: Path) -> Path:
    """Write the adapter ``name`` into the folder ``root`` and return its own folder.

    Raises:
        InvalidRequest: the name cannot be a plugin's id.
        Conflict: there is something of that name already.
    """
    folder = _new_folder(name, root)
    values = _values(name)
    _write(folder / "adapter.toml", texts.ADAPTER_MANIFEST, values)
    _write(folder / "__init__.py", texts.INIT, values)
    _write(folder / "decoder.py", texts.DECODER, values)
    _write(folder / "README.md", texts.ADAPTER_README, values)
    cases = folder / "cases"
    _write(cases / "example" / "case.toml", texts.SPECIFICATION_CASE, values)
    _write_json(
        cases / "example" / "input.json",
        {"level_cm": 123, "measured_at": "2026-11-22T10:02:03+09:00"},
    )
    _write_json(
        cases / "example" / "expected.json",
        [
            {
                "observed_property": "water_level",
                "value": 123.0,
                "unit": "cm",
                "observed_at": "2026-11-22T01:02:03Z",
            }
        ],
    )
    _write(cases / "not_json" / "case.toml", texts.MADE_CASE, values)
    _write(cases / "not_json" / "input.txt", "level_cm=123\n", values)
    _write(
        cases / "not_json" / "expected_error.txt", "not the JSON of the specification\n", values
    )
    return folder


def service(name: str, root: Path) -> Path:
    """Write the service ``name`` into the folder ``root`` and return its own folder.

    Raises:
        InvalidRequest: the name cannot be a plugin's id.
        Conflict: there is something of that name already.
    """
    folder = _new_folder(name, root)
    values = _values(name)
    _write(folder / "service.toml", texts.SERVICE_MANIFEST, values)
    _write(folder / "__init__.py", texts.INIT, values)
    _write(folder / "service.py", texts.SERVICE, values)
    _write(folder / "README.md", texts.SERVICE_README, values)
    cases = folder / "cases"
    for case, level_m, effects in (
        ("river_is_high", 2.4, [_expected_assessment(name)]),
        ("river_is_low", 0.4, []),
    ):
        _write(cases / case / "case.toml", texts.SPECIFICATION_CASE, values)
        _write_json(cases / case / "city.json", {"entities": [_GAUGE]})
        _write_json(cases / case / "event.json", _event(level_m))
        _write_json(cases / case / "expected.json", effects)
    return folder


_TIME: Final = "2026-11-22T01:02:03Z"
_GAUGE: Final = {
    "id": "urn:ngsi-ld:WaterLevelGauge:town:seto",
    "type": "WaterLevelGauge",
    "name": {"en": "Seto river", "ja": "瀬戸川"},
}


def _event(level_m: float) -> dict[str, Any]:
    return {
        "reading": {
            "entity": _GAUGE["id"],
            "observed_property": "water_level",
            "value": level_m,
            "observed_at": _TIME,
        }
    }


def _expected_assessment(name: str) -> dict[str, Any]:
    return {
        "situation": f"{name}/{_GAUGE['id']}",
        "hazard": "flood",
        "level": 2,
        "area": {"name": _GAUGE["name"], "entity": _GAUGE["id"]},
        "headline": {"en": "Seto river is high", "ja": "瀬戸川の水位が高くなっています"},
        "reason": {"en": "Water level 2.4 m, threshold 2 m.", "ja": "水位2.4m、基準2m。"},
        "evidence": [
            {
                "kind": "observation",
                "source": _GAUGE["id"],
                "level": 2,
                "summary": {"en": "2.4 m at Seto river", "ja": "瀬戸川 2.4m"},
                "at": _TIME,
                "observed_property": "water_level",
                "value": 2.4,
                "threshold": 2.0,
                "unit": "m",
            }
        ],
        "rule_version": "1.0.0",
        "at": _TIME,
    }


def _new_folder(name: str, root: Path) -> Path:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name in _RESERVED:
        message = (
            f"{name!r} cannot be a plugin's name: use a source or a purpose in small letters, "
            "digits and _, such as milesight_em300 or flood_watch"
        )
        raise InvalidRequest(message, parameter="NAME")
    folder = root / name
    if folder.exists():
        message = f"{folder} exists already; choose another name, or work on that one"
        raise Conflict(message)
    return folder


def _values(name: str) -> dict[str, str]:
    words = [word for word in name.split("_") if word]
    return {
        "name": name,
        "class_name": "".join(word.capitalize() for word in words),
        "title": " ".join(words).capitalize(),
    }


def _write(file: Path, text: str, values: dict[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(Template(text).substitute(values), encoding="utf-8")


def _write_json(file: Path, document: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=2)
    file.write_text(f"{text}\n", encoding="utf-8")
