"""What simulated and replayed devices say, in the formats that real ones use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from cityos.domain.observation import Position


@dataclass(frozen=True, slots=True)
class Value:
    """One value that a device sends. ``unit`` is a UCUM code, empty where there is none."""

    property: str
    value: float | Position
    unit: str = ""


def cityos_json(values: Sequence[Value], at: datetime) -> bytes:
    """Our own convention: an array of objects (openapi/asyncapi.yaml)."""
    time = at.isoformat().replace("+00:00", "Z")
    return msgspec.json.encode([_item(value) | {"time": time} for value in values])


def senml(values: Sequence[Value], at: datetime) -> bytes:
    """RFC 8428, section 5: JSON, the time once as the base time of the pack.

    A position has no record of its own in SenML and is left out.
    """
    records: list[dict[str, Any]] = [
        {"n": value.property, "u": _SENML_UNITS.get(value.unit, value.unit), "v": value.value}
        for value in values
        if not isinstance(value.value, Position)
    ]
    if records:
        records[0] = {"bt": at.timestamp(), **records[0]}
    return msgspec.json.encode(records)


_SENML_UNITS: Final = {"kW.h": "kWh", "%": "/100"}
"""Where SenML writes a unit otherwise than UCUM (RFC 8428, 12.1; RFC 8798, 3).

Its own ``%`` is a ratio from 0 to 1.
"""

ENCODERS: Final[Mapping[str, Callable[[Sequence[Value], datetime], bytes]]] = {
    "cityos_json": cityos_json,
    "senml": senml,
}
"""By adapter. A device with another adapter is no part of the simulated day."""


def _item(value: Value) -> dict[str, Any]:
    item: dict[str, Any] = {"property": value.property, "value": value.value}
    if value.unit:
        item["unit"] = value.unit
    return item
