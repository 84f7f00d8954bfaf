"""Domain objects as JSON documents in the store, and back.

One place, so that what is written by one module is read by every other. Times are RFC 3339,
enums are their values; unknown fields are ignored on reading, so that an older process can read
what a newer one wrote.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from cityos.domain.observation import Position, Value

T = TypeVar("T")


def encode(document: object) -> str:
    """Return the JSON text of a domain object or of plain data."""
    return msgspec.json.encode(document).decode()


def decode(document: str | bytes | dict[str, Any], kind: type[T]) -> T:
    """Return the domain object of type ``kind`` that ``encode`` wrote, from text or from jsonb."""
    if isinstance(document, str | bytes):
        return msgspec.json.decode(document, type=kind)
    return msgspec.convert(document, type=kind)


def encode_value(value: Value) -> str:
    """Return a value that is not a number as JSON; a position keeps its two names."""
    return msgspec.json.encode(value).decode()


def decode_value(number: float | None, document: Any) -> Value:  # noqa: ANN401 - it is JSON
    """Return the value of a row: its number, or what its document says."""
    if number is not None:
        return number
    if isinstance(document, dict) and document.keys() == {"longitude", "latitude"}:
        return Position(float(document["longitude"]), float(document["latitude"]))
    value: Value = document
    return value
