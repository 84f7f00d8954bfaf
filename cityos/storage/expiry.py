"""What goes by DELETE when its time is over: in slices, so that no transaction is long.

A slice is a transaction of at most ``SLICE`` rows of a table. Whatever is dropped as a whole
partition is not here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.occasion import RESERVED
from cityos.storage.queries import CORRECT_ANY_NUMBER, Query

SLICE: Final = 5_000

# What a clock that had lost its time has stamped is not old: it waits until it is replayed.
DEAD_LETTERS: Final[Query] = """
DELETE FROM dead_letter WHERE id IN (
    SELECT id FROM dead_letter
    WHERE received_at < %(before)s
      AND (received_at >= %(first)s OR replayed_at < %(before)s) LIMIT %(slice)s)
"""
FAILED_EVENTS: Final[Query] = """
DELETE FROM event WHERE id IN (
    SELECT id FROM event WHERE failed_at < %(before)s LIMIT %(slice)s)
"""
DELIVERIES: Final[Query] = """
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox WHERE delivered_at < %(before)s LIMIT %(slice)s)
"""
# Never updated, so that a row stays where it was found.
CORRECTIONS: Final[Query] = """
DELETE FROM correction WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM correction WHERE observed_at < %(before)s LIMIT %(slice)s))
"""

# A row of latest says that there may be values: it goes last, so a run that is interrupted half
# way is found again. dataset <> '' is the condition of the index.
_ENDED: Final[Query] = """
WITH run AS (
    SELECT s.tenant_id, s.dataset FROM series s JOIN latest l ON l.series_id = s.id
    WHERE s.dataset <> '' AND starts_with(s.dataset, %s)
    GROUP BY s.tenant_id, s.dataset HAVING max(l.received_at) < %s
)
SELECT s.id FROM run
JOIN series s ON (s.tenant_id, s.dataset) = (run.tenant_id, run.dataset) AND s.dataset <> ''
JOIN latest l ON l.series_id = s.id
ORDER BY s.id LIMIT %s
"""
_SLICE_OF_VALUES: Final[Query] = """
SELECT min(observed_at), max(observed_at), count(*) FROM (
    SELECT observed_at FROM observation
    WHERE series_id = %s AND received_at < %s ORDER BY observed_at LIMIT %s) slice
"""
# Constants, and prepare=False: they limit what TimescaleDB decompresses.
_VALUES: Final[Query] = """
DELETE FROM observation
WHERE series_id = %s AND received_at < %s AND observed_at BETWEEN %s AND %s
"""
_CORRECTIONS_OF: Final[Query] = """
DELETE FROM correction WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM correction WHERE series_id = %s LIMIT %s))
"""
_HOURS_OF: Final[Query] = """
DELETE FROM rollup_hour WHERE (series_id, bucket) IN (
    SELECT series_id, bucket FROM rollup_hour WHERE series_id = %s LIMIT %s)
"""
_HAS_VALUES: Final[Query] = "SELECT EXISTS (SELECT FROM observation WHERE series_id = %s)"
_LATEST: Final[Query] = "DELETE FROM latest WHERE series_id = %s AND received_at < %s"


def ended_exercises(connection: Connection[TupleRow], before: datetime) -> list[int]:
    """The numbers of at most ``SLICE`` series of exercises that ended before this time.

    An exercise has ended when the newest value of each of its series was received before then.
    """
    rows = connection.execute(_ENDED, (f"{RESERVED}exercise:", before, SLICE)).fetchall()
    return [row[0] for row in rows]


def exercise_slice(connection: Connection[TupleRow], series: int, before: datetime) -> bool:
    """Delete a slice of a series of an ended exercise; return whether there may be more.

    Values received since ``before`` stay, and with them what was derived: the exercise has begun
    anew. The row of ``series`` stays always, for ingest remembers its number.
    """
    connection.execute(CORRECT_ANY_NUMBER)
    found = connection.execute(_SLICE_OF_VALUES, (series, before, SLICE), prepare=False).fetchone()
    first, last, count = found or (None, None, 0)
    if count:
        connection.execute(_VALUES, (series, before, first, last), prepare=False)
    if count == SLICE:
        return True
    left = connection.execute(_HAS_VALUES, (series,)).fetchone()
    if left and left[0]:
        return False
    for statement in (_CORRECTIONS_OF, _HOURS_OF):
        if connection.execute(statement, (series, SLICE)).rowcount == SLICE:
            return True
    connection.execute(_LATEST, (series, before))
    return False
