"""Is a value one that its series can hold? Type, unit, finiteness, range, time."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

from cityos.domain.observation import Observation, Position, Value
from cityos.domain.observed_property import ObservedProperty, ValueKind
from cityos.domain.rejection import Reason
from cityos.domain.unit import convert
from cityos.errors import Rejected

OLDEST: Final = timedelta(days=3652)
"""Ten years back: recorded days are welcome, a clock that starts in 1970 is not."""
NEWEST: Final = timedelta(minutes=5)
"""A device's clock may be a little ahead of ours."""
_LONGEST_TEXT: Final = 10_000
_HALF_TURN_DEG: Final = 180
_QUARTER_TURN_DEG: Final = 90


def checked_value(observation: Observation, prop: ObservedProperty) -> Value:
    """Return the value in the property's own unit.

    Raises:
        Rejected: wrong type, not finite, a unit that does not convert, or out of range.
    """
    value = observation.value
    if prop.kind is not ValueKind.NUMBER:
        return _other(value, prop)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected(
            Reason.WRONG_TYPE,
            f"{prop.name} is a number, not {_kind_of(value)}",
            hint=f"send a JSON number in {prop.unit}",
        )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Rejected(
            Reason.NOT_FINITE,
            f"{prop.name} is not a finite number",
            hint="leave out what was not measured",
        )
    if observation.unit is not None:
        number = convert(number, observation.unit, prop.unit)
    if not prop.minimum <= number <= prop.maximum:
        raise Rejected(
            Reason.OUT_OF_RANGE,
            f"{prop.name} {number:g} {prop.unit} is outside the plausible range"
            f" {prop.minimum:g} to {prop.maximum:g} {prop.unit}",
            hint="check the sensor, and the unit that it sends",
        )
    return number


def _other(value: Value, prop: ObservedProperty) -> Value:
    match prop.kind:
        case ValueKind.POSITION:
            if isinstance(value, Position):
                return _position(value)
        case ValueKind.BOOLEAN:
            if isinstance(value, bool):
                return value
        case ValueKind.TEXT:
            if isinstance(value, str):
                return _text(value, prop)
        case ValueKind.JSON | ValueKind.NUMBER:
            return value
    raise Rejected(Reason.WRONG_TYPE, f"{prop.name} is a {prop.kind.value}, not {_kind_of(value)}")


def _position(value: Position) -> Position:
    if not (abs(value.longitude) <= _HALF_TURN_DEG and abs(value.latitude) <= _QUARTER_TURN_DEG):
        raise Rejected(
            Reason.OUT_OF_RANGE,
            f"position {value.longitude:g}, {value.latitude:g} is not on Earth",
            hint="longitude first, degrees in WGS 84",
        )
    return value


def _text(value: str, prop: ObservedProperty) -> str:
    if len(value) > _LONGEST_TEXT or keepable(value) != value:
        raise Rejected(
            Reason.OUT_OF_RANGE,
            f"{prop.name} is longer than {_LONGEST_TEXT} characters, or holds a NUL or half a"
            " character",
        )
    return value


def keepable(text: str) -> str:
    """Return the text as the store can keep it: in UTF-8 and without NUL.

    JSON can say half a character, U+D800 to U+DFFF, and some decoders hand it on.
    """
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def implausible_time(observed_at: datetime, received_at: datetime) -> Rejected:
    """Return the refusal of an observation time outside OLDEST to NEWEST around the receipt."""
    where = "in the future" if observed_at > received_at else "more than ten years back"
    return Rejected(
        Reason.IMPLAUSIBLE_TIME,
        f"time {observed_at.isoformat()} is {where}",
        hint="set the device's clock, or leave the time out and the time of receipt is taken",
    )


def _kind_of(value: Value) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Position():
            return "a position"
        case list():
            return "an array"
        case _:
            return "an object"
