"""What has to leave the city, and what has left.

A delivery is taken under a row lock that ends with the process: another worker can go on at once
after a crash, and two workers never have the same situation's messages at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from psycopg.rows import TupleRow

from cityos.ports import Backlog, Delivery
from cityos.storage import news
from cityos.storage.database import Database
from cityos.storage.lane import alert_of
from cityos.storage.news import Listener

_ERROR_CHARACTERS: Final = 500
_TICK: Final = timedelta(microseconds=1)
_HORIZON: Final = timedelta(hours=1)
_EVER: Final = datetime.max.replace(tzinfo=UTC)

# A situation is its service's own: another service may call one the same.
# The first attempt waits for nobody's clock; a retry further ahead than any back-off goes comes
# from a clock that was set back since, and is due.
_TAKE: Final = """
SELECT o.id, o.tenant_id, o.channel, o.situation, o.attempts, o.status, a.document::text
FROM outbox o JOIN alert a USING (tenant_id, status, run, identifier)
WHERE o.channel = %(channel)s AND o.delivered_at IS NULL
  AND (o.attempts = 0 OR o.next_at NOT BETWEEN %(after)s AND %(horizon)s)
  AND NOT EXISTS (
      SELECT FROM outbox earlier JOIN alert before USING (tenant_id, status, run, identifier)
      WHERE (earlier.channel, earlier.status, earlier.tenant_id, earlier.run, earlier.situation)
          = (o.channel, o.status, o.tenant_id, o.run, o.situation)
        AND earlier.delivered_at IS NULL AND earlier.id < o.id
        AND before.source = a.source)
ORDER BY o.status, o.id LIMIT 1
FOR UPDATE OF o SKIP LOCKED
"""
_DELIVERED: Final = """
UPDATE outbox SET delivered_at = %s, attempts = attempts + 1, last_error = NULL WHERE id = %s
"""
_FAILED: Final = """
UPDATE outbox SET next_at = %s, attempts = attempts + 1, last_error = %s
WHERE id = %s AND delivered_at IS NULL
"""
_RETRY_NOW: Final = """
UPDATE outbox SET next_at = created_at WHERE channel = %s AND delivered_at IS NULL
"""
# Our last message of every situation is the one that nothing has superseded.
_LAST: Final = """
SELECT 0, a.tenant_id, %(channel)s, a.situation, 0, a.status, a.document::text
FROM alert a
WHERE a.ours AND a.superseded_at IS NULL
  AND a.valid_until > %(since)s AND a.valid_until <= %(until)s
  AND NOT EXISTS (
      SELECT FROM outbox o
      WHERE (o.tenant_id, o.status, o.run, o.identifier)
          = (a.tenant_id, a.status, a.run, a.identifier)
        AND o.channel = %(channel)s AND o.delivered_at IS NULL)
ORDER BY a.status, a.sent
"""
_BACKLOG: Final = """
SELECT channel, count(*), extract(epoch FROM %s - min(created_at))
FROM outbox WHERE delivered_at IS NULL GROUP BY channel
"""


class PostgresOutbox:
    """An ``Outbox``. ``listener`` hears ``cityos_delivery``."""

    def __init__(self, database: Database, listener: Listener) -> None:
        self._database = database
        self._listener = listener

    @classmethod
    def at(cls, url: str, database: Database, *, application: str) -> PostgresOutbox:
        return cls(database, Listener(url, news.DELIVERY, application=application))

    @contextmanager
    def take(self, channel: str, now: datetime) -> Iterator[Delivery | None]:
        with self._database.connection() as connection:
            values = {"channel": channel, "after": now + _TICK, "horizon": now + _HORIZON}
            row = connection.execute(_TAKE, values).fetchone()
            yield None if row is None else _delivery(row)
            if row is not None:
                connection.execute(_DELIVERED, (now, row[0]))

    def failed(self, delivery_id: int, error: str, retry_at: datetime) -> None:
        reason = error.replace("\0", "")[:_ERROR_CHARACTERS]
        with self._database.connection() as connection:
            connection.execute(_FAILED, (retry_at, reason, delivery_id))

    def retry_now(self, channel: str) -> None:
        with self._database.connection() as connection:
            connection.execute(_RETRY_NOW, (channel,))

    def standing(self, channel: str, now: datetime) -> Sequence[Delivery]:
        return self._last(channel, now, _EVER)

    def expired(self, channel: str, since: datetime, until: datetime) -> Sequence[Delivery]:
        return self._last(channel, since, until)

    def backlog(self, now: datetime) -> Mapping[str, Backlog]:
        with self._database.connection() as connection:
            rows = connection.execute(_BACKLOG, (now,)).fetchall()
        return {channel: Backlog(waiting, float(age)) for channel, waiting, age in rows}

    def wait(self, timeout_s: float) -> None:
        self._listener.wait(timeout_s)

    def close(self) -> None:
        self._listener.close()

    def _last(self, channel: str, since: datetime, until: datetime) -> Sequence[Delivery]:
        values = {"channel": channel, "since": since, "until": until}
        with self._database.connection() as connection:
            return [_delivery(row) for row in connection.execute(_LAST, values)]


def _delivery(row: TupleRow) -> Delivery:
    number, tenant, channel, situation, attempts, status, document = row
    return Delivery(number, tenant, channel, alert_of(status, document), situation, attempts)
