"""Messages as they came, read in the order in which they came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from psycopg.rows import TupleRow

from cityos.errors import TookTooLong, Unavailable
from cityos.storage.database import Database
from cityos.storage.queries import Query

_DAY: Final = timedelta(days=1)
_BEFORE_ALL: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Partitions are counted from here; nothing was received before."""
_ROWS_AT_ONCE: Final = 200
"""Few enough that a page of agencies' telegrams, the longest messages, fits into memory."""
_SLOW: Final[Query] = "SET LOCAL statement_timeout = '10min'"
# The seventh level of a topic is "exercise", or not there. A device may have that name.
_ORIGINS: Final[Query] = """
SELECT id, vendor, device FROM origin
WHERE tenant_id = %s AND (%s = '' OR vendor = %s) AND split_part(topic, '/', 7) = ''
"""
# Not joined with origin: how many messages a block has is a guess for the planner, and one that
# is wrong has it unpack every block once for each origin.
_SENT: Final[Query] = """
SELECT received_at, origin_id, payload FROM raw_message
WHERE received_at >= %(since)s AND received_at < %(until)s
  AND origin_id = ANY (%(origins)s::integer[])
ORDER BY received_at, id
"""


class RawMessage(NamedTuple):
    """What a device sent."""

    received_at: datetime
    vendor: str
    device: str
    payload: bytes


class PostgresRawMessages:
    """The raw messages that are kept; a part of them is in memory at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sent(
        self, tenant: str, since: datetime, until: datetime, *, vendor: str = ""
    ) -> Iterator[RawMessage]:
        """Yield what the city's devices sent for real, ``since <= received_at < until``.

        Each day is a transaction of its own: the server sorts a day at most, and maintenance
        never waits long to drop one.

        Raises:
            Unavailable: the store does not answer, or needs too long for a day.
        """
        origins = self._origins(tenant, vendor)
        start = max(since, _BEFORE_ALL)
        while start < until:
            end = min(until, start.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY)
            for received_at, origin, payload in self._within_a_day(start, end, [*origins]):
                yield RawMessage(received_at, *origins[origin], payload)
            start = end

    def _origins(self, tenant: str, vendor: str) -> dict[int, tuple[str, str]]:
        """Vendor and device by the number of the origin."""
        with self._database.connection() as connection:
            rows = connection.execute(_ORIGINS, (tenant, vendor, vendor)).fetchall()
        return {number: (vendor, device) for number, vendor, device in rows}

    def _within_a_day(
        self, since: datetime, until: datetime, origins: Sequence[int]
    ) -> Iterator[TupleRow]:
        parameters = {"since": since, "until": until, "origins": origins}
        try:
            with self._database.connection() as connection:
                connection.execute(_SLOW)
                with connection.cursor(name="raw_messages") as cursor:
                    cursor.itersize = _ROWS_AT_ONCE
                    yield from cursor.execute(_SENT, parameters, binary=True)
        except TookTooLong as error:
            raise Unavailable(
                "the database needs longer than 10 minutes for the messages of a day;"
                " ask for hours instead, or for one vendor"
            ) from error
