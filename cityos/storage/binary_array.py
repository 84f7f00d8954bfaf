"""Array parameters in PostgreSQL's binary format, packed by hand.

Some thousand numbers go with every batch; the driver takes four times as long to write them.
Format (array_recv in the server's arrayfuncs.c): dimensions, whether there are NULLs, the
elements' type, then size and lower bound of each dimension, and each element with its length.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Times are microseconds since then."""
JSONB_VERSION: Final = b"\x01"
_NULL: Final = struct.pack(">i", -1)
_HEADER: Final = struct.Struct(">5i").pack


@dataclass(frozen=True, slots=True)
class Array:
    """An array parameter. The statement has to cast it: the driver sends no type with it."""

    data: bytes


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> Buffer:
        return obj.data


psycopg.adapters.register_dumper(Array, _ArrayDumper)


def _fixed(oid: int, code: str) -> Callable[[Sequence[float]], Array]:
    size = struct.calcsize(f">{code}")

    def column(values: Sequence[float]) -> Array:
        count = len(values)
        fields = [field for value in values for field in (size, value)]
        body = struct.pack(f">{('i' + code) * count}", *fields)
        return Array(_HEADER(1, 0, oid, count, 1) + body)

    return column


def integers(values: Sequence[int]) -> Array:
    """integer[]: a fifth of the time of the general way."""
    count = len(values)
    fields = array("i", (4,)) * (2 * count)  # each with its length, 4 bytes, before it
    fields[1::2] = array("i", values)
    if sys.byteorder == "little":
        fields.byteswap()
    return Array(_HEADER(1, 0, 23, count, 1) + fields.tobytes())


smallints: Final = _fixed(21, "h")
bigints: Final = _fixed(20, "q")


def times(values: Sequence[datetime]) -> Array:
    """timestamptz[]: microseconds since 2000."""
    # spelled out: dividing a timedelta costs three times as much
    since = [value - EPOCH for value in values]
    return _times([(t.days * 86400 + t.seconds) * 1_000_000 + t.microseconds for t in since])


_times: Final = _fixed(1184, "q")


def floats(values: Sequence[float | None]) -> Array:
    """float8[]; None is NULL."""
    if None not in values:
        return _all_floats([value for value in values if value is not None])
    pack = struct.Struct(">id").pack
    body = b"".join(_NULL if value is None else pack(8, value) for value in values)
    return Array(_HEADER(1, 1, 701, len(values), 1) + body)


_all_floats: Final = _fixed(701, "d")


def byteas(values: Sequence[bytes]) -> Array:
    """bytea[]."""
    length = struct.Struct(">i").pack
    parts = [part for value in values for part in (length(len(value)), value)]
    return Array(b"".join((_HEADER(1, 0, 17, len(values), 1), *parts)))


def documents(values: Sequence[str | None]) -> Array:
    """jsonb[] of JSON texts; None is NULL."""
    if not any(values):
        return Array(_HEADER(1, 1, 3802, len(values), 1) + _NULL * len(values))
    parts = []
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            text = JSONB_VERSION + value.encode()
            parts.append(struct.pack(">i", len(text)) + text)
    return Array(_HEADER(1, 1, 3802, len(values), 1) + b"".join(parts))
