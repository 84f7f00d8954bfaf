"""Sorts a staged batch of values into new ones, corrections and plain duplicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.ports import OBSERVED_AT, SERIES, CheckedValue
from cityos.storage import queries

_AT_ONCE: Final = 500
"""Corrections in one statement. Each may have 1000 compressed readings decompressed first, which
takes some 5 ms: far from the deadline of a statement."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """``new`` were not known; ``corrected`` replaced another value, which is kept aside."""

    new: list[CheckedValue]
    corrected: list[CheckedValue]


def values(connection: Connection[TupleRow], staged: Sequence[CheckedValue]) -> Reconciled:
    """Move the staged values into ``observation``; ``staged`` is what was copied, in order."""
    if not staged:
        return Reconciled([], [])
    row = connection.execute("SELECT min(position) FROM value_stage").fetchone()
    offset = int(row[0]) if row else 0
    new = connection.execute(queries.NEW_VALUES).fetchall()
    times = [value[OBSERVED_AT] for value in staged]
    span = {"first": min(times), "last": max(times)}
    corrected = connection.execute(queries.CORRECTIONS, span, prepare=False).fetchall()
    result = Reconciled(
        new=[staged[row[0] - offset] for row in sorted(new)],
        corrected=[staged[row[0] - offset] for row in sorted(corrected)],
    )
    if corrected:
        positions = sorted(row[0] for row in corrected)
        _correct(connection, dict(zip(positions, result.corrected, strict=True)))
    return result


def _correct(connection: Connection[TupleRow], corrected: dict[int, CheckedValue]) -> None:
    """Put the staged values at these positions in the place of those that are stored.

    Day by day: compressed readings are decompressed by series and time, and a day is about what
    is compressed together.
    """
    days: defaultdict[date, list[int]] = defaultdict(list)
    for position, value in corrected.items():
        days[value[OBSERVED_AT].date()].append(position)
    connection.execute(queries.CORRECT_ANY_NUMBER)
    for _, day in sorted(days.items()):
        for start in range(0, len(day), _AT_ONCE):
            positions = day[start : start + _AT_ONCE]
            times = [corrected[position][OBSERVED_AT] for position in positions]
            parameters = {
                "positions": positions,
                "series": sorted({corrected[position][SERIES].id for position in positions}),
                "first": min(times),
                "last": max(times),
            }
            connection.execute(queries.CORRECT, parameters, prepare=False)
