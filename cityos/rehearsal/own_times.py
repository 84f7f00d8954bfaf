"""Readings without a time of their own, dated with the time at which they once came.

Ingest gives such a reading the time of receipt. In a replay that would be now: what the day said
would stand at other times than it did. Known are the formats whose time can be left out (our own
JSON and SenML); a payload of another adapter stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

import cbor2
import msgspec

_Reading: TypeAlias = dict[str, msgspec.Raw]
_Times: TypeAlias = tuple[float | None, float | None]
"""Base time and time of a SenML record, as they stand there."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ABSOLUTE_S: Final = 2**28
"""Smaller times are relative to now (RFC 8428, 4.5.3)."""
_BASE_TIME: Final = -3
_TIME: Final = 6
"""Labels in CBOR (RFC 8428, table 4)."""
_UNREADABLE: Final = (
    msgspec.MsgspecError,
    cbor2.CBORError,
    ArithmeticError,
    EOFError,
    RecursionError,
    TypeError,
    ValueError,
)
_SELF_DESCRIBED: Final = b"\xd9\xd9\xf7"
_DEEPEST: Final = 8


def dated(adapter: str, payload: bytes, came_at: datetime) -> bytes:
    """Return the payload so that it says the same whenever it is received.

    One that cannot be read stays as it is: it is refused now as it was then.
    """
    date = _DATERS.get(adapter)
    if date is None:
        return payload
    try:
        return date(payload, came_at)
    except _UNREADABLE:
        return payload


def _cityos_json(payload: bytes, came_at: datetime) -> bytes:
    said = msgspec.json.decode(payload, type=_Reading | list[_Reading])
    readings = said if isinstance(said, list) else [said]
    undated = [reading for reading in readings if _is_null(reading.get("time"))]
    time = msgspec.Raw(msgspec.json.encode(came_at))
    for reading in undated:
        reading["time"] = time
    return msgspec.json.encode(said) if undated else payload


def _is_null(raw: msgspec.Raw | None) -> bool:
    return raw is None or bytes(raw) == b"null"


def _senml(payload: bytes, came_at: datetime) -> bytes:
    if payload.lstrip(b" \t\r\n").startswith(b"["):
        return _senml_json(payload, came_at)
    return _senml_cbor(payload, came_at)


def _senml_json(payload: bytes, came_at: datetime) -> bytes:
    records = msgspec.json.decode(payload, type=list[_Reading])
    base_times = _base_times(
        [(_number(record.get("bt")), _number(record.get("t"))) for record in records], came_at
    )
    for record, base_time in zip(records, base_times, strict=False):
        record["bt"] = msgspec.Raw(msgspec.json.encode(base_time))
    return msgspec.json.encode(records) if base_times else payload


def _number(raw: msgspec.Raw | None) -> float | None:
    return None if raw is None else msgspec.json.decode(raw, type=float)


def _senml_cbor(payload: bytes, came_at: datetime) -> bytes:
    records = cbor2.loads(
        payload.removeprefix(_SELF_DESCRIBED), max_depth=_DEEPEST, allow_duplicate_keys=False
    )
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        return payload
    base_times = _base_times(
        [(_float(record, _BASE_TIME, "bt"), _float(record, _TIME, "t")) for record in records],
        came_at,
    )
    for record, base_time in zip(records, base_times, strict=False):
        record.pop("bt", None)
        record[_BASE_TIME] = base_time
    return cbor2.dumps(records) if base_times else payload


def _float(record: Mapping[Any, object], label: int, name: str) -> float | None:
    value = record.get(label, record.get(name))
    if value is None and not {label, name} & record.keys():
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(name)  # no SenML
    return float(value)


def _base_times(given: Sequence[_Times], came_at: datetime) -> Sequence[float]:
    """Return the base time that makes each record's time absolute; empty where all are.

    Each record gets its own, for a base time stands until another comes (RFC 8428, 4).
    """
    base: float | None = None
    base_times: list[float] = []
    relative = False
    for base_time, time in given:
        base = base if base_time is None else base_time
        seconds = (base or 0.0) + (time or 0.0)
        if seconds >= _ABSOLUTE_S:
            base_times.append(base or 0.0)
            continue
        relative = True
        at = came_at + timedelta(seconds=seconds)
        base_times.append((at - _EPOCH).total_seconds() - (time or 0.0))
    return base_times if relative else ()


_DATERS: Final[Mapping[str, Callable[[bytes, datetime], bytes]]] = {
    "cityos_json": _cityos_json,
    "senml": _senml,
}
"""By adapter."""
