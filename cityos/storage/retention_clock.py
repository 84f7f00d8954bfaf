"""What time it is for what is deleted by its age: the clock's, as far as it can be believed.

All that is kept would be old at once by a clock that is ahead. So for clean-ups no more than a day
passes in an hour, wherever the clock jumps to: there are hours to notice and to set it. Back it is
followed as slowly, for one that has lost its time stands in the past until somebody sets it; by
the clock itself nothing is ever deleted too early.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.ports import FIRST_RECEIPT
from cityos.storage.queries import Query

_PACE: Final = 24
_MOST: Final = timedelta(minutes=5)
"""Counted of the time since the last round: what the store was away for was no time to notice."""
# Not below the first receipt: a clock that has lost its time starts years before the present.
_ADVANCE: Final[Query] = """
INSERT INTO retention_clock AS known (at) VALUES (greatest(%(now)s, %(first)s))
ON CONFLICT (single) DO UPDATE
SET at = greatest(%(first)s, least(greatest(%(now)s, known.at - %(step)s), known.at + %(step)s))
RETURNING least(at, %(now)s)
"""


def passed(connection: Connection[TupleRow], now: datetime, elapsed: timedelta) -> datetime:
    """Return the time that ages are counted to; ``elapsed``: since the last call.

    A store that never kept anything believes the clock.
    """
    step = min(elapsed, _MOST) * _PACE
    values = {"now": now, "step": step, "first": FIRST_RECEIPT}
    row = connection.execute(_ADVANCE, values).fetchone()
    assert row is not None  # noqa: S101 - an INSERT that returns
    at: datetime = row[0]
    return at
