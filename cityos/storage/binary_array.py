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
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Times are microseconds since then."""
JSONB_VERSION: Final = b"\x01"
MICROSECOND: Final = timedelta(microseconds=1)
_NULL: Final = struct.pack(">i", -1)
_FORM: Final = struct.Struct(">5i")
_HEADER: Final = _FORM.pack


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
    """Columns of numbers of one size, made without a loop in Python."""
    size = array(code).itemsize
    word = "h" if code == "h" else "i"
    width = array(word).itemsize
    before, after = 4 // width, size // width  # an element's length, and the element, in words
    empty = array(word, struct.pack(">i", size) + bytes(size))

    def column(values: Sequence[float]) -> Array:
        numbers = array(code, values)
        if sys.byteorder == "little":
            numbers.byteswap()
        words = array(word, numbers.tobytes())
        fields = empty * len(values)
        for at in range(after):
            fields[before + at :: before + after] = words[at::after]
        return Array(_HEADER(1, 0, oid, len(values), 1) + fields.tobytes())

    return column


smallints: Final = _fixed(21, "h")
integers: Final = _fixed(23, "i")
bigints: Final = _fixed(20, "q")
_times: Final = _fixed(1184, "q")
_all_floats: Final = _fixed(701, "d")


def times(values: Sequence[datetime]) -> Array:
    """timestamptz[]: microseconds since 2000."""
    # spelled out: dividing a timedelta costs three times as much
    since = [value - EPOCH for value in values]
    return _times([(t.days * 86400 + t.seconds) * 1_000_000 + t.microseconds for t in since])


def repeated_times(values: Sequence[datetime]) -> Array:
    """timestamptz[] of few different times, like those of receipt."""
    known = {value: (value - EPOCH) // MICROSECOND for value in set(values)}
    return _times([known[value] for value in values])


def floats(values: Sequence[float | None]) -> Array:
    """float8[]; None is NULL."""
    if None not in values:
        return _all_floats(cast("Sequence[float]", values))
    pack = struct.Struct(">id").pack
    body = b"".join(_NULL if value is None else pack(8, value) for value in values)
    return Array(_HEADER(1, 1, 701, len(values), 1) + body)


def byteas(values: Sequence[bytes]) -> Array:
    """bytea[]."""
    return _lengthy(17, values)


def texts(values: Sequence[str]) -> Array:
    """text[]."""
    return _lengthy(25, [value.encode() for value in values])


def _lengthy(oid: int, values: Sequence[bytes]) -> Array:
    length = struct.Struct(">i").pack
    parts = [part for value in values for part in (length(len(value)), value)]
    return Array(b"".join((_HEADER(1, 0, oid, len(values), 1), *parts)))


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


def joined(parts: Sequence[Array]) -> Array:
    """One array of several of one type, in their order."""
    if len(parts) == 1:
        return parts[0]
    _, nulls, oids, counts, _ = zip(*(_FORM.unpack_from(part.data) for part in parts), strict=True)
    head = _HEADER(1, max(nulls), oids[0], sum(counts), 1)
    return Array(b"".join((head, *(part.data[_FORM.size :] for part in parts))))
