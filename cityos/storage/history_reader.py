"""Reads series: pages of raw values, and buckets.

The primary key (series_id, observed_at) answers both, if the planner is told a time range:
without one it has to plan for every partition there is, and the cost grows with the years. So a
page is read in windows that start at its near end and widen; only a series that is silent for
months reaches the last, unbounded one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.history import Bucket, Order, Sample
from cityos.domain.observation import Quality
from cityos.errors import InvalidRequest, TookTooLong, Unavailable
from cityos.storage.database import Database
from cityos.storage.documents import decode_value

_BEGIN: Final = datetime(1, 1, 2, tzinfo=UTC)
_END: Final = datetime(9999, 12, 30, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
_WINDOWS: Final = (timedelta(days=2), timedelta(days=16), timedelta(days=128))
_HOUR_S: Final = 3600
_QUALITIES: Final = tuple(Quality(flags) for flags in range(8))

_LATEST_AT: Final[LiteralString] = "SELECT observed_at FROM latest WHERE series_id = %s"
_PAGE: Final[dict[Order, LiteralString]] = {
    Order.NEWEST_FIRST: """
SELECT observed_at, value, received_at, quality, raw_id, document FROM observation
WHERE series_id = %s AND observed_at >= %s AND observed_at < %s
ORDER BY observed_at DESC LIMIT %s
""",
    Order.OLDEST_FIRST: """
SELECT observed_at, value, received_at, quality, raw_id, document FROM observation
WHERE series_id = %s AND observed_at >= %s AND observed_at < %s
ORDER BY observed_at LIMIT %s
""",
}
_BUCKETS_OF_HOURS: Final[LiteralString] = """
SELECT date_bin(%(width)s, bucket, 'epoch') AS start, sum(count)::bigint, sum(sum),
       min(minimum), max(maximum)
FROM observation_hourly(%(series)s, %(since)s, %(until)s)
GROUP BY start ORDER BY start
"""
_BUCKETS_OF_VALUES: Final[LiteralString] = """
SELECT date_bin(%(width)s, observed_at, 'epoch') AS start, count(value), sum(value),
       min(value), max(value)
FROM observation
WHERE series_id = %(series)s AND observed_at >= %(since)s AND observed_at < %(until)s
  AND value IS NOT NULL
GROUP BY start ORDER BY start
"""


class HistoryReader:
    """Pages and buckets of one series, by its number."""

    def __init__(self, database: Database, *, counting_timeout_s: float) -> None:
        self._database = database
        self._counting_timeout_s = counting_timeout_s

    def page(
        self,
        series_id: int,
        *,
        since: datetime | None,
        until: datetime | None,
        order: Order,
        after: datetime | None,
        limit: int,
    ) -> list[Sample]:
        newest_first = order is Order.NEWEST_FIRST
        if after is not None and newest_first:
            until = after if until is None else min(until, after)
        elif after is not None:
            next_at = min(after, _END) + _TICK
            since = next_at if since is None else max(since, next_at)
        rows: list[TupleRow] = []
        with self._database.connection() as connection:
            if until is None:
                until = _after_latest(connection, series_id)
            for low, high in _windows(since or _BEGIN, until, newest_first=newest_first):
                parameters = (series_id, low, high, limit - len(rows))
                rows += connection.execute(_PAGE[order], parameters, binary=True).fetchall()
                if len(rows) >= limit:
                    break
        return [_sample(row) for row in rows]

    def buckets(
        self, series_id: int, *, interval_s: int, since: datetime, until: datetime, limit: int
    ) -> list[Bucket]:
        since, until = _aligned(since, until, interval_s, limit)
        by_hours = interval_s % _HOUR_S == 0
        parameters = {
            "series": series_id,
            "since": since,
            "until": until,
            "width": timedelta(seconds=interval_s),
        }
        deadline = f"{int(self._counting_timeout_s * 1000)}ms"
        try:
            with self._database.connection() as connection, connection.transaction():
                connection.execute("SELECT set_config('statement_timeout', %s, true)", (deadline,))
                rows = connection.execute(
                    _BUCKETS_OF_HOURS if by_hours else _BUCKETS_OF_VALUES, parameters, binary=True
                ).fetchall()
        except TookTooLong as error:
            message = (
                f"counting took longer than {self._counting_timeout_s:g} s; ask for a shorter "
                "time, or for an interval of whole hours (PT1H), which are counted in advance"
            )
            raise Unavailable(message) from error
        return [Bucket(*row) for row in rows]


def _after_latest(connection: Connection[TupleRow], series_id: int) -> datetime:
    row = connection.execute(_LATEST_AT, (series_id,), binary=True).fetchone()
    latest_at: datetime = _BEGIN if row is None else row[0]
    return latest_at + _TICK


def _windows(
    since: datetime, until: datetime, *, newest_first: bool
) -> Iterator[tuple[datetime, datetime]]:
    """Yield ``[low, high)`` that together are ``[since, until)``, from the near end on."""
    since, until = max(since, _BEGIN), min(until, _END)
    for width in _WINDOWS:
        if until - since <= width:
            break
        if newest_first:
            yield until - width, until
            until -= width
        else:
            yield since, since + width
            since += width
    if since < until:
        yield since, until


def _sample(row: tuple[Any, ...]) -> Sample:
    observed_at, number, received_at, quality, raw_id, document = row
    value = number if number is not None else decode_value(None, document)
    return Sample(observed_at, value, received_at, _QUALITIES[quality & 7], raw_id)


def _aligned(
    since: datetime, until: datetime, interval_s: int, limit: int
) -> tuple[datetime, datetime]:
    """Take ``since`` down and ``until`` up to whole intervals since the epoch."""
    if interval_s <= 0:
        raise InvalidRequest("the interval must be longer than nothing", parameter="interval")
    if since >= until:
        raise InvalidRequest("since must be before until", parameter="since")
    width = timedelta(seconds=interval_s)
    first = (since - _EPOCH) // width
    end = -((_EPOCH - until) // width)
    if end - first > limit:
        least_s = -(-int((until - since).total_seconds()) // limit)
        message = (
            f"this would make {end - first:,} intervals, and {limit:,} is the most; ask for a "
            f"shorter time or an interval of at least {least_s} s"
        )
        raise InvalidRequest(message, parameter="interval")
    try:
        return _EPOCH + first * width, _EPOCH + end * width
    except OverflowError as error:
        message = "since and until must lie between the years 2 and 9998"
        raise InvalidRequest(message, parameter="since") from error
