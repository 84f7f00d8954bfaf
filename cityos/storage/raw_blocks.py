"""Raw messages in rows that a page holds: a row costs the server as much as one message would.

They go as arrays, in the one trip that ends the batch: a COPY of their own would be two more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate, chain
from typing import Final, NamedTuple

from cityos.ports import Origin, RawBlock
from cityos.storage import binary_array
from cityos.storage.binary_array import Array

MOST_IN_A_ROW: Final = 64
"""``raw_message_by_id`` counts on it."""
_BYTES_IN_A_ROW: Final = 7500
"""With 64 origins and ends this fills a page of 8 KiB and stays in it."""


class Row(NamedTuple):
    """A row of ``raw_block``; origins are numbered by the time it is stored."""

    first_id: int
    received_at: datetime
    origins: Sequence[Origin]
    ends: Sequence[int]
    payloads: bytes


def rows(blocks: Iterable[RawBlock]) -> list[Row]:
    """Cut the blocks into rows."""
    found: list[Row] = []
    for first_id, received_at, origins, payloads in blocks:
        ends = list(accumulate(map(len, payloads)))
        start = done = 0
        while start < len(ends):
            most = min(start + MOST_IN_A_ROW, len(ends))
            stop = max(start + 1, bisect_right(ends, done + _BYTES_IN_A_ROW, start, most))
            part = payloads[start:stop]
            found.append(
                Row(
                    first_id + start,
                    received_at,
                    origins[start:stop],
                    list(accumulate(map(len, part))),
                    b"".join(part),
                )
            )
            start, done = stop, ends[stop - 1]
    return found


def columns(found: Sequence[Row]) -> Sequence[Array]:
    """The parameters of ``queries.RAW_BLOCKS``."""
    first_ids, received_at, origins, ends, payloads = (
        zip(*found, strict=True) if found else ((),) * 5
    )
    last = list(accumulate(map(len, ends)))
    first = [stop - len(part) + 1 for stop, part in zip(last, ends, strict=True)]
    return (
        binary_array.integers([origin.id for origin in chain.from_iterable(origins)]),
        binary_array.integers(list(chain.from_iterable(ends))),
        binary_array.bigints(first_ids),
        binary_array.times(received_at),
        binary_array.integers(first),
        binary_array.integers(last),
        binary_array.byteas(payloads),
    )
