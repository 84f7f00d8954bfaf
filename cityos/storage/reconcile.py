"""Sorts a staged batch of values into new ones, corrections and plain duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.ports import CheckedValue
from cityos.storage import queries


@dataclass(frozen=True, slots=True)
class Reconciled:
    """``new`` were not known; ``corrected`` replaced another value, which is kept aside."""

    new: list[CheckedValue]
    corrected: list[CheckedValue]


def values(connection: Connection[TupleRow], staged: Sequence[CheckedValue]) -> Reconciled:
    """Move the staged values into ``observation``; ``staged`` is what was copied, in order."""
    if not staged:
        return Reconciled([], [])
    first = connection.execute("SELECT min(position) FROM value_stage").fetchone()
    offset = int(first[0]) if first else 0
    new = connection.execute(queries.NEW_VALUES).fetchall()
    corrected = connection.execute(queries.CORRECTIONS).fetchall()
    return Reconciled(
        new=[staged[row[0] - offset] for row in sorted(new)],
        corrected=[staged[row[0] - offset] for row in sorted(corrected)],
    )
