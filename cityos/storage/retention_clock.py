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

from cityos.storage.queries import Query

_PACE: Final = 24
_ADVANCE: Final[Query] = """
INSERT INTO retention_clock AS known (at) VALUES (%(now)s)
ON CONFLICT (single) DO UPDATE
SET at = least(greatest(excluded.at, known.at - %(step)s), known.at + %(step)s)
RETURNING least(at, %(now)s)
"""


def passed(connection: Connection[TupleRow], now: datetime, elapsed: timedelta) -> datetime:
    """Return the time that ages are counted to; ``elapsed``: since the last call.

    A store that was never asked believes the clock.
    """
    step = elapsed * _PACE
    row = connection.execute(_ADVANCE, {"now": now, "step": step}).fetchone()
    assert row is not None  # noqa: S101 - an INSERT that returns
    at: datetime = row[0]
    return at
