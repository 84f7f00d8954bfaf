"""The ingest processes that are at work, by a lock that each holds as long as it lives.

A lock of the session needs no clock and no clean-up: it ends with the connection, however the
process ended. The connection is this one's own, for a pool would replace it after a while.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Final
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.observation import Quality
from cityos.errors import Unavailable
from cityos.ports import OtherNode
from cityos.storage import queries
from cityos.storage.database import connect
from cityos.storage.queries import Query

_APPLICATION: Final = "cityos-ingest-at-work"
_AT_WORK: Final = 0x0C17_7907
# Shared, so that who works with a copy of our spool holds it beside us and is seen.
_LOCK: Final[Query] = "SELECT pg_advisory_lock_shared(%s, %s)"
_OTHERS: Final[Query] = """
SELECT n.spool, coalesce(a.backend_start, now()), coalesce(host(a.client_addr), ''), n.id = %s
FROM pg_locks l
JOIN ingest_node n ON n.id = l.objid::bigint
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid::bigint = %s
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.pid <> pg_backend_pid()
ORDER BY 2, 1
"""
# For the server's side of the connection, whose default is two hours: a machine that lost its
# power would hold the lock for as long, and meet itself as another when it is back.
_LET_GO_SOON: Final[Query] = """
SELECT set_config('tcp_keepalives_idle', '5', false),
       set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false)
"""
# A reading without a time of its own, received while the clock was ahead, stays the latest until
# that time has come: it would have the clock doubted for as long.
_NEWEST_RECEIPT: Final[Query] = "SELECT max(received_at) FROM latest WHERE quality & %s = 0"


class PostgresIngestNodes:
    """``IngestNodes`` on PostgreSQL. For one thread, but for ``close`` at the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection[TupleRow] | None = None
        self._node: int | None = None

    def others(self, spool: UUID) -> Sequence[OtherNode]:
        with self._connected() as connection:
            if self._node is None:
                connection.execute(queries.REGISTER_NODE, (spool,))
                row = connection.execute(queries.NODE, (spool,)).fetchone()
                assert row is not None  # noqa: S101 - the row was there or was just written
                connection.execute(_LOCK, (_AT_WORK, row[0]))
                self._node = int(row[0])
            rows = connection.execute(_OTHERS, (self._node, _AT_WORK)).fetchall()
        return [OtherNode(*row) for row in rows]

    def newest_receipt(self) -> datetime | None:
        with self._connected() as connection:
            row = connection.execute(_NEWEST_RECEIPT, (int(Quality.TIME_ASSUMED),)).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        self._node = None
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    @contextmanager
    def _connected(self) -> Iterator[Connection[TupleRow]]:
        """Raises Unavailable; the next call connects again."""
        try:
            if self._connection is None:
                self._connection = connect(self._url, _APPLICATION)
                self._connection.execute(_LET_GO_SOON)
            yield self._connection
        except psycopg.Error as error:
            self.close()
            raise Unavailable("the store does not say who is at work") from error
