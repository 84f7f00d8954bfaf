"""Says what is wrong with a payload, where, and how to mend it."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from adapters.cityos_json import payload as wire
from cityos.errors import UndecodablePayload

_PATH: Final = re.compile(r"(?P<detail>.*) - at `(?P<path>\$[^`]*)`", re.DOTALL)
_MISSING_FIELD: Final = re.compile(r"Object missing required field `(?P<field>[a-z]+)`")
_UNKNOWN_FIELD: Final = re.compile(r"Object contains unknown field `(?P<field>.*)`", re.DOTALL)
_MALFORMED: Final = re.compile(r"JSON is malformed: (?P<what>.*) \(byte (?P<at>\d+)\)")
_NOT_A_NUMBER: Final = re.compile(rb"-?(NaN|Infinity|inf|nan)")
_LONGEST_NAME: Final = 60

_SHAPE: Final = (
    f"send one object, or an array of 1 to {wire.MOST_READINGS} objects, such as "
    '{"property": "water_level", "value": 1.23, "unit": "m", "time": "2026-11-22T01:02:03Z"}'
)
_TIME: Final = (
    "write the time as 2026-11-22T01:02:03Z or 2026-11-22T10:02:03+09:00, or leave it out"
)
_TEXT: Final = "a text of 1 or more characters; leave the field out where there is none"
_HINTS: Final = {
    "property": "a name from GET /v1/observed-properties",
    "value": 'a number, a text, true, false, or {"longitude": 138.33, "latitude": 34.87}; '
    "leave the reading out where nothing was measured",
    "unit": _TEXT,
    "time": _TIME,
    "entity": _TEXT,
    "dataset": "a text of 128 characters at most",
    "longitude": "a number of degrees",
    "latitude": "a number of degrees",
}


def refusal(error: Exception, payload: bytes) -> UndecodablePayload:
    """Return the refusal for what the JSON decoder raised."""
    if isinstance(error, UnicodeDecodeError):
        return UndecodablePayload(
            "a text is not UTF-8", hint="encode the payload in UTF-8, without a byte order mark"
        )
    if isinstance(error, msgspec.ValidationError):
        return _of_validation(str(error))
    return _of_syntax(str(error), payload)


def refuse_nul(message: wire.Reading | list[wire.Reading]) -> None:
    r"""Raise if a text holds ``\u0000``, which PostgreSQL cannot keep in a text.

    Raises:
        UndecodablePayload: with the path of the first.
    """
    readings = message if isinstance(message, list) else [message]
    for index, reading in enumerate(readings):
        for info in msgspec.structs.fields(reading):
            text = getattr(reading, info.name)
            if isinstance(text, str) and "\0" in text:
                place = f"[{index}]" if isinstance(message, list) else ""
                raise UndecodablePayload(
                    "the text holds a NUL character",
                    path=f"${place}.{info.encode_name}",
                    hint="end texts at their length, without the zero that ends a C string",
                )


def no_such_time(index: int | str) -> UndecodablePayload:
    """Return the refusal of a time that has no place in the calendar once it is in UTC."""
    place = "" if index == "" else f"[{index}]"
    return UndecodablePayload(
        "the time is outside the years 1 to 9999 in UTC", path=f"${place}.time", hint=_TIME
    )


def _of_validation(text: str) -> UndecodablePayload:
    located = _PATH.fullmatch(text)
    detail, path = (located["detail"], located["path"]) if located else (text, "$")
    unknown = _UNKNOWN_FIELD.fullmatch(detail)
    if unknown is not None:
        name = unknown["field"][:_LONGEST_NAME].replace("\0", "�")
        return UndecodablePayload(
            f"there is no field {name!r}",
            path=f"{path}.{name}",
            hint=f"the fields of a reading are {', '.join(wire.FIELDS)}; of a position "
            "longitude, latitude",
        )
    missing = _MISSING_FIELD.fullmatch(detail)
    if missing is not None:
        return UndecodablePayload(
            f"{missing['field']} is missing", path=f"{path}.{missing['field']}", hint=_SHAPE
        )
    field = path.rpartition(".")[2]
    return UndecodablePayload(
        _worded(detail), path=path, hint=_HINTS.get(field, _SHAPE) if "." in path else _SHAPE
    )


def _worded(detail: str) -> str:
    """Return the JSON decoder's sentence in the words of JSON, not of Python."""
    for python, json in (
        ("`datetime` with a timezone component", "a time with Z or an offset"),
        ("Invalid RFC3339 encoded datetime", "not an RFC 3339 time of the years 1 to 9999"),
        ("`datetime | null`", "a time as text"),
        ("`datetime`", "a time as text"),
        ("`bool | float | str | object`", "a number, a text, a boolean or a position"),
        ("`object | array`", "an object or an array of objects"),
        ("`str | null`", "a text"),
        ("`str`", "a text"),
        ("`float`", "a number"),
        ("`int`", "a number"),
        ("`bool`", "a boolean"),
        ("`array`", "an array"),
        ("`object`", "an object"),
        ("`null`", "null"),
    ):
        detail = detail.replace(python, json)
    return detail[:1].lower() + detail[1:]


def _of_syntax(text: str, payload: bytes) -> UndecodablePayload:
    malformed = _MALFORMED.fullmatch(text)
    if malformed is None:
        return UndecodablePayload("the payload ends before the JSON does", hint=_SHAPE)
    at = int(malformed["at"])
    word = _NOT_A_NUMBER.match(payload, at)
    if word is not None:
        return UndecodablePayload(
            f"{word[0].decode()} at byte {at} is not JSON",
            hint="leave the reading out where nothing was measured",
        )
    return UndecodablePayload(f"not JSON: {malformed['what']} at byte {at}", hint=_SHAPE)
