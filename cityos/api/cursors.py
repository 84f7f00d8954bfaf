"""Where a page ended, as text that only we read: URL-safe, without a promise about its inside."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

import msgspec

from cityos.errors import InvalidRequest

_LONGEST: Final = 1024


class EntityCursor(msgspec.Struct, array_like=True, tag="e", frozen=True):
    """After this entity."""

    id: str


class LatestCursor(msgspec.Struct, array_like=True, tag="l", frozen=True):
    """After this property of this entity."""

    entity: str
    observed_property: str


class TimeCursor(msgspec.Struct, array_like=True, tag="t", frozen=True):
    """After the value of this time."""

    at: datetime


class AlertCursor(msgspec.Struct, array_like=True, tag="a", frozen=True):
    """After this alert."""

    sent: datetime
    identifier: str


class ProposalCursor(msgspec.Struct, array_like=True, tag="p", frozen=True):
    """After this proposal."""

    created_at: datetime
    revision: int
    id: str


class NumberCursor(msgspec.Struct, array_like=True, tag="n", frozen=True):
    """After the row of this number."""

    number: int


Cursor: TypeAlias = (
    EntityCursor | LatestCursor | TimeCursor | AlertCursor | ProposalCursor | NumberCursor
)
C = TypeVar("C", bound=Cursor)


def write(cursor: Cursor) -> str:
    return urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def read(text: str, kind: type[C], *, parameter: str = "cursor") -> C:
    """Return what ``write`` made text of.

    Raises:
        InvalidRequest: the text is something else, or a cursor of another kind of page.
    """
    try:
        packed = urlsafe_b64decode(text[:_LONGEST] + "=" * (-len(text) % 4))
        cursor = msgspec.json.decode(packed, type=kind)
        _check(cursor)
    except (ValueError, msgspec.MsgspecError) as error:
        message = f"{parameter} must be taken as it is from `next` of the page before"
        raise InvalidRequest(message, parameter=parameter) from error
    return cursor


def _check(cursor: Cursor) -> None:
    """Refuse what only a hand could have written. Raises ValueError."""
    for name in cursor.__struct_fields__:
        value = getattr(cursor, name)
        if isinstance(value, datetime) and value.tzinfo is None:
            raise ValueError
        if isinstance(value, str) and "\0" in value:
            raise ValueError
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError
