"""Series as CSV (RFC 4180), for spreadsheets. Pure.

A spreadsheet takes text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return
for a formula, so such text gets an apostrophe in front. Numbers are left alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from cityos.api.v1 import mapping
from cityos.domain.history import Aggregate, Bucket, Sample
from cityos.domain.observation import Position, Value

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def samples(found: Sequence[Sample], *, unit: str, places: bool) -> bytes:
    """Return values as a table; ``places``: the values are positions."""
    head = ["observed_at", *(["longitude", "latitude"] if places else ["value"]), "unit",
            "received_at", "quality"]  # fmt: skip
    return _table(
        head,
        (
            [
                _time(sample.observed_at),
                *(_place(sample.value) if places else [_cell(sample.value)]),
                unit,
                _time(sample.received_at),
                " ".join(mapping.quality(sample.quality)),
            ]
            for sample in found
        ),
    )


def buckets(found: Sequence[Bucket], aggregate: Aggregate, *, unit: str) -> bytes:
    return _table(
        ["start", aggregate.value, "unit", "count"],
        ([_time(each.start), each.value(aggregate), unit, each.count] for each in found),
    )


def _table(head: list[str], rows: Iterable[list[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()


def _cell(value: Value) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return _safe(value)
    return _safe(msgspec.json.encode(value).decode())


def _place(value: Value) -> list[object]:
    if isinstance(value, Position):
        return [value.longitude, value.latitude]
    return ["", ""]


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _time(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
