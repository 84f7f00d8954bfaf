"""Events that were set aside, as an operator lists them and has them handled once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString

from cityos.ports import FailedEvent
from cityos.storage import queries
from cityos.storage.database import Database

_NEWEST: Final[LiteralString] = """
SELECT id, status, run,
       coalesce(document ->> 'identifier',
                concat_ws(' ', document ->> 'entity', document ->> 'property')),
       at, failed_at, coalesce(error, '')
FROM event WHERE tenant_id = %s AND failed_at IS NOT NULL ORDER BY failed_at DESC, id DESC LIMIT %s
"""
_RETRY: Final[LiteralString] = """
UPDATE event SET failed_at = NULL, error = NULL
WHERE tenant_id = %(tenant)s AND failed_at IS NOT NULL
  AND (%(ids)s::bigint[] = '{}' OR id = ANY(%(ids)s::bigint[]))
RETURNING id
"""


class PostgresFailedEvents:
    """``FailedEvents`` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, tenant: str, *, limit: int = 100) -> Sequence[FailedEvent]:
        with self._database.connection() as connection:
            rows = connection.execute(_NEWEST, (tenant, limit)).fetchall()
        return [FailedEvent(*row) for row in rows]

    def retry(self, tenant: str, ids: Sequence[int] = ()) -> Sequence[int]:
        with self._database.connection() as connection:
            rows = connection.execute(_RETRY, {"tenant": tenant, "ids": list(ids)}).fetchall()
            connection.execute(queries.NOTIFY_WORK)
        return sorted(row[0] for row in rows)
