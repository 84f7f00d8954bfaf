"""Rows in PostgreSQL's binary COPY format, packed by hand.

Two tables take a row for every reading; ``struct`` packs theirs in half the time of the driver's
general way. Everything else goes through the driver.
PostgreSQL documentation, COPY, "Binary Format": a signature, then a field count and, for each
field, its length and bytes (-1 is NULL); times are microseconds since 2000-01-01.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Final

from cityos.domain.observation import Quality
from cityos.ports import CheckedValue, RawMessage
from cityos.storage.documents import encode_value

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_RAW: Final = struct.Struct(">hiqiqiii").pack
"""id bigint, received_at timestamptz, origin_id integer, length of payload"""
_NUMBER: Final = struct.Struct(">hiqiqiqidiiihi").pack
"""observed_at, received_at timestamptz, raw_id bigint, value float8, series_id integer,
quality smallint, document NULL"""
_DOCUMENT: Final = struct.Struct(">hiqiqiqiiiihi").pack
"""the same with value NULL and the length of a document"""
JSONB_VERSION: Final = b"\x01"
_LATE: Final = int(Quality.LATE)


def raw_messages(messages: Iterable[RawMessage]) -> bytes:
    """Rows for ``raw_message (id, received_at, origin_id, payload)``."""
    parts: list[bytes] = []
    add, pack = parts.append, _RAW
    last, last_us = EPOCH, 0
    for number, received_at, origin, payload in messages:
        if received_at is not last:  # messages that arrived together share the object
            last, last_us = received_at, (received_at - EPOCH) // _MICROSECOND
        add(pack(4, 8, number, 8, last_us, 4, origin.id, len(payload)))
        add(payload)
    return b"".join(parts)


def values(items: Iterable[CheckedValue], late: AbstractSet[int] = frozenset()) -> bytes:
    """Rows for the columns of ``observation`` in the order of ``queries.COPY_VALUES``.

    ``late`` holds the ``id()`` of items to flag as late.
    """
    parts: list[bytes] = []
    add, pack, epoch = parts.append, _NUMBER, EPOCH
    last, last_us = epoch, 0
    for item in items:
        series, observed_at, received_at, raw_id, value, quality = item
        if late and id(item) in late:
            quality |= _LATE
        if received_at is not last:
            last, last_us = received_at, (received_at - epoch) // _MICROSECOND
        # spelled out: dividing a timedelta costs three times as much
        since = observed_at - epoch
        us = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
        if type(value) is float or type(value) is int:
            add(pack(7, 8, us, 8, last_us, 8, raw_id, 8, value, 4, series.id, 2, quality, -1))
        else:
            document = encode_value(value).encode()
            add(
                _DOCUMENT(
                    7, 8, us, 8, last_us, 8, raw_id, -1, 4, series.id, 2, quality,
                    len(document) + 1,
                )
            )  # fmt: skip
            add(JSONB_VERSION + document)
    return b"".join(parts)
