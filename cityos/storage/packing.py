"""A batch as the server takes it: bytes and arrays, made without touching the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cityos.domain.observation import Quality
from cityos.ports import OBSERVED_AT, QUALITY, SERIES, CheckedValue, IngestBatch
from cityos.storage import binary_array, binary_copy, raw_blocks
from cityos.storage.binary_array import Array
from cityos.storage.documents import encode_value

_NUMBERS: Final = frozenset((float, int))
_LATE: Final = int(Quality.LATE)
FEW: Final = 1500
"""So many values at the most go as arrays, in one trip to the server with all that ends a batch.
COPY takes four trips more and costs more before the first row; from 2,000 on it is cheaper."""


class Packed(NamedTuple):
    """A batch, or a part of it, as the server takes it; no value has the flag LATE yet.

    Its values are rows for COPY or, if they are few, columns.
    """

    size: int
    raw: Sequence[raw_blocks.Row]
    rows: bytes
    columns: Sequence[Array]


class Values(NamedTuple):
    """The values of a batch: ``rows`` for COPY, the others as ``columns``."""

    rows: Sequence[bytes]
    columns: Sequence[Array]


class Ending(NamedTuple):
    """What ends a batch's transaction: parameters of ``queries.STORE``, ready for the driver.

    ``latest`` is empty where all values go as columns: the newest are found among them.
    """

    columns: Sequence[Array]
    raw: Sequence[Array]
    latest: Sequence[Array]
    hours: Sequence[datetime]


def pack(batch: IngestBatch, *, few: bool) -> Packed:
    return Packed(
        len(batch.raw) + len(batch.values),
        raw_blocks.rows(batch.raw),
        b"" if few else binary_copy.values(batch.values),
        _columns(batch.values) if few else (),
    )


def values(batch: IngestBatch, late: frozenset[int]) -> Values:
    """As they were packed; those that are ``late`` are flagged."""
    parts = _packed(batch)
    rows = [part.rows for part in parts if part.rows]
    if rows and late:
        return all_as_rows(batch, late)
    of_parts = [part.columns for part in parts if part.columns]
    columns = [binary_array.joined(same) for same in zip(*of_parts, strict=True)]
    if columns and late:
        columns[QUALITY] = binary_array.smallints(
            [value[QUALITY] | (_LATE if id(value) in late else 0) for value in batch.values]
        )
    return Values(rows, columns or _columns(()))


def all_as_rows(batch: IngestBatch, late: frozenset[int]) -> Values:
    """All for COPY; those that are ``late`` are flagged."""
    rows = [binary_copy.values(batch.values, late)] if batch.values else []
    return Values(rows, _columns(()))


def newest_of(
    values: Sequence[CheckedValue],
) -> tuple[dict[int, CheckedValue], list[CheckedValue]]:
    """The newest value of each series in the batch, by series number; and the late ones."""
    newest: dict[int, CheckedValue] = {}
    late: list[CheckedValue] = []
    for value in values:
        series, observed_at = value[SERIES], value[OBSERVED_AT]
        best = newest.get(series.id)
        known = series.latest_at if best is None else best[OBSERVED_AT]
        if known is None or observed_at >= known:
            newest[series.id] = value
        else:
            late.append(value)
    return newest, late


def marks(values: Iterable[CheckedValue]) -> frozenset[int]:
    return frozenset(id(value) for value in values)


def ending(batch: IngestBatch, newest: dict[int, CheckedValue], stored: Values) -> Ending:
    return Ending(
        stored.columns,
        raw_blocks.columns([row for part in _packed(batch) for row in part.raw]),
        _columns(newest.values() if stored.rows else ()),
        _hours([value[OBSERVED_AT] for value in batch.values]) if batch.values else (),
    )


def _packed(batch: IngestBatch) -> Sequence[Packed]:
    """What was packed ahead if that is all of it; otherwise all is packed now."""
    packed = [part for part in batch.packed if isinstance(part, Packed)]
    if sum(part.size for part in packed) != len(batch.raw) + len(batch.values):
        packed = [pack(batch, few=len(batch.values) <= FEW)]
        batch.packed = list(packed)
    return packed


def _columns(values: Collection[CheckedValue]) -> Sequence[Array]:
    """The parameters of ``queries.VALUES``."""
    series, observed_at, received_at, raw_ids, contents, quality = (
        zip(*values, strict=True) if values else ((),) * 6
    )
    numbers: Sequence[float | None] = contents
    documents: Sequence[str | None] = (None,) * len(contents)
    if not _NUMBERS.issuperset(map(type, contents)):
        numbers = [value if type(value) in _NUMBERS else None for value in contents]
        documents = [
            None if type(value) in _NUMBERS else encode_value(value) for value in contents
        ]
    return (
        binary_array.integers([one.id for one in series]),
        binary_array.times(observed_at),
        binary_array.repeated_times(received_at),
        binary_array.bigints(raw_ids),
        binary_array.floats(numbers),
        binary_array.smallints(quality),
        binary_array.documents(documents),
    )


def _hours(times: Sequence[datetime]) -> list[datetime]:
    """The hours that the times fall in, oldest first."""
    first, last = _hour(min(times)), _hour(max(times))
    if last - first <= timedelta(hours=1):  # the usual batch: no need to look at each
        return sorted({first, last})
    return sorted({_hour(time) for time in times})


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
