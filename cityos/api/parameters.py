"""What people write into a query string: places, times, intervals. Pure.

Every refusal says what was expected, with an example that works.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import isfinite
from typing import Final

from cityos.domain.history import BoundingBox, Near
from cityos.errors import InvalidRequest

_MOST_RADIUS_M: Final = 20_037_508.0
"""Half way round the Earth: there is no farther place."""

_DURATION: Final = re.compile(
    r"P(?:(\d{1,4})W|(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?)"
)
_LONGEST_INTERVAL_S: Final = 366 * 86400
_BOX_SIDES: Final = 4
_POINT: Final = 2


def bbox(text: str | None) -> BoundingBox | None:
    """Read ``west,south,east,north`` (RFC 7946, 5); west > east crosses the antimeridian."""
    if text is None:
        return None
    numbers = _numbers(text)
    if numbers is None or len(numbers) != _BOX_SIDES:
        raise InvalidRequest(
            "bbox must be four numbers west,south,east,north in degrees, "
            "such as 138.25,34.80,138.40,34.95",
            parameter="bbox",
        )
    west, south, east, north = numbers
    _check_longitude(west, "bbox")
    _check_longitude(east, "bbox")
    _check_latitude(south, "bbox")
    _check_latitude(north, "bbox")
    if south > north:
        raise InvalidRequest(
            "bbox has its south above its north; the order is west,south,east,north",
            parameter="bbox",
        )
    return BoundingBox(west, south, east, north)


def near(text: str | None, radius_m: float | None, *, otherwise_m: float) -> Near | None:
    """Read ``longitude,latitude``; without a radius it is ``otherwise_m``."""
    if text is None:
        if radius_m is not None:
            raise InvalidRequest(
                "radius_m needs near=longitude,latitude beside it", parameter="radius_m"
            )
        return None
    numbers = _numbers(text)
    if numbers is None or len(numbers) != _POINT:
        raise InvalidRequest(
            "near must be two numbers longitude,latitude in degrees, such as 138.3257,34.8669",
            parameter="near",
        )
    longitude, latitude = numbers
    _check_longitude(longitude, "near")
    _check_latitude(latitude, "near")
    return Near(longitude, latitude, min(radius_m or otherwise_m, _MOST_RADIUS_M))


def time(text: str | None, parameter: str) -> datetime | None:
    """Read an RFC 3339 time with an offset."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is None:
            message = f"{parameter} has no offset; write {text}Z for UTC or {text}%2B09:00"
            raise InvalidRequest(message, parameter=parameter)
        return read.astimezone(UTC)
    except (ValueError, OverflowError):
        # a bare + in a query string is a space, which is the usual reason
        hint = "; write a + as %2B" if " " in text else ""
        message = f"{parameter} must be a time such as 2026-11-22T00:00:00Z{hint}"
        raise InvalidRequest(message, parameter=parameter) from None


def interval_s(text: str) -> int:
    """Read an ISO 8601 duration of weeks, days, hours, minutes and seconds."""
    match = _DURATION.fullmatch(text)
    parts = [int(part or 0) for part in match.groups()] if match else [0]
    seconds = sum(
        part * each for part, each in zip(parts, (604800, 86400, 3600, 60, 1), strict=False)
    )
    if not 0 < seconds <= _LONGEST_INTERVAL_S:
        raise InvalidRequest(
            "interval must be an ISO 8601 duration of at most 366 days in weeks, days, hours, "
            "minutes or seconds, such as PT10M, PT1H or P1D",
            parameter="interval",
        )
    return seconds


def _numbers(text: str) -> list[float] | None:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return None
    return numbers if all(isfinite(number) for number in numbers) else None


def _check_longitude(degrees: float, parameter: str) -> None:
    if not -180 <= degrees <= 180:  # noqa: PLR2004 - degrees
        message = f"{parameter} has longitude {degrees:g}, which must be -180 to 180"
        raise InvalidRequest(message, parameter=parameter)


def _check_latitude(degrees: float, parameter: str) -> None:
    if not -90 <= degrees <= 90:  # noqa: PLR2004 - degrees
        message = (
            f"{parameter} has latitude {degrees:g}, which must be -90 to 90; longitude comes first"
        )
        raise InvalidRequest(message, parameter=parameter)
