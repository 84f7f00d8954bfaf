"""Rows in PostgreSQL's binary COPY format, packed by hand.

A backlog goes this way, a row for every reading: ``struct`` packs it in half the time of the
driver's general way.
PostgreSQL documentation, COPY, "Binary Format": a signature, then a field count and, for each
field, its length and bytes (-1 is NULL); times are microseconds since 2000-01-01.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from cityos.domain.observation import Quality
from cityos.ports import CheckedValue
from cityos.storage.binary_array import EPOCH, JSONB_VERSION, MICROSECOND
from cityos.storage.documents import encode_value

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"

_NUMBER: Final = struct.Struct(">hiqiqiqidiiihi").pack
"""observed_at, received_at timestamptz, raw_id bigint, value float8, series_id integer,
quality smallint, document NULL"""
_DOCUMENT: Final = struct.Struct(">hiqiqiqiiiihi").pack
"""the same with value NULL and the length of a document"""
_LATE: Final = int(Quality.LATE)


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
            last, last_us = received_at, (received_at - epoch) // MICROSECOND
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
