"""Dead letters in PostgreSQL, as an operator lists them and sends them again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from cityos.ports import DeadLetter, KeptDeadLetter
from cityos.storage.database import Database

# A message that came before its city was registered has no tenant, but its topic names one.
_OF_TENANT: Final[LiteralString] = """
SELECT id, tenant_id, raw_id, received_at, vendor, device, topic, payload, reason, detail, path,
       hint, replayed_at
FROM dead_letter
WHERE (tenant_id = %(tenant)s OR tenant_id = '' AND split_part(topic, '/', 3) = %(tenant)s)
  AND (%(reason)s = '' OR reason = %(reason)s)
"""
_NEWEST: Final[LiteralString] = f"{_OF_TENANT} ORDER BY id DESC LIMIT %(limit)s"
_WAITING: Final[LiteralString] = f"""{_OF_TENANT}
  AND id > %(after)s AND (%(up_to)s::bigint IS NULL OR id <= %(up_to)s::bigint)
  AND (%(ids)s::bigint[] = '{{}}' OR id = ANY(%(ids)s::bigint[]))
  AND (%(again)s OR replayed_at IS NULL)
ORDER BY id LIMIT %(limit)s
"""
_NEWEST_ID: Final[LiteralString] = "SELECT coalesce(max(id), 0) FROM dead_letter"
_REPLAYED: Final[LiteralString] = "UPDATE dead_letter SET replayed_at = %s WHERE raw_id = %s"


class PostgresDeadLetters:
    """``DeadLetters`` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(
        self, tenant: str, *, reason: str = "", limit: int = 100
    ) -> Sequence[KeptDeadLetter]:
        return self._read(_NEWEST, {"tenant": tenant, "reason": reason, "limit": limit})

    def newest_id(self) -> int:
        with self._database.connection() as connection:
            row = connection.execute(_NEWEST_ID).fetchone()
        return int(row[0]) if row else 0

    def waiting(
        self,
        tenant: str,
        *,
        reason: str = "",
        ids: Sequence[int] = (),
        again: bool = False,
        after: int = 0,
        up_to: int | None = None,
        limit: int = 50,
    ) -> Sequence[KeptDeadLetter]:
        parameters = {
            "tenant": tenant,
            "reason": reason,
            "ids": list(ids),
            "again": again,
            "after": after,
            "up_to": up_to,
            "limit": limit,
        }
        return self._read(_WAITING, parameters)

    def replayed(self, message: int, now: datetime) -> None:
        with self._database.connection() as connection:
            connection.execute(_REPLAYED, (now, message))

    def _read(self, query: LiteralString, parameters: dict[str, Any]) -> Sequence[KeptDeadLetter]:
        with self._database.connection() as connection:
            rows = connection.execute(query, parameters).fetchall()
        return [KeptDeadLetter(row[0], DeadLetter(*row[1:12]), row[12]) for row in rows]
