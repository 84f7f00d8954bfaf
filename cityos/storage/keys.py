"""API keys in PostgreSQL: who may do what, and the HMAC by which a secret is known again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

import psycopg

from cityos.errors import Conflict, NotFound
from cityos.ports import ApiKey
from cityos.storage.database import Database

_FIND: Final[LiteralString] = """
SELECT id, tenant_id, name, role, created_at, revoked_at, digest FROM api_key WHERE id = %s
"""
_ADD: Final[LiteralString] = """
INSERT INTO api_key (id, tenant_id, name, role, digest, created_at, revoked_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_OF_TENANT: Final[LiteralString] = """
SELECT id, tenant_id, name, role, created_at, revoked_at FROM api_key
WHERE tenant_id = %s ORDER BY created_at DESC, id
"""
# The first revocation is the one that counts: doing it again must not move the time.
_REVOKE: Final[LiteralString] = """
UPDATE api_key SET revoked_at = coalesce(revoked_at, %s) WHERE tenant_id = %s AND id = %s
"""


class PostgresKeyStore:
    """A ``KeyStore`` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        with self._database.connection() as connection:
            row = connection.execute(_FIND, (key_id,)).fetchone()
        return None if row is None else (_key(row), bytes(row[6]))

    def add(self, key: ApiKey, digest: bytes) -> None:
        """Raises Conflict when the id is taken; NotFound when there is no such tenant."""
        row = (key.id, key.tenant, key.name, key.role, digest, key.created_at, key.revoked_at)
        try:
            with self._database.connection() as connection:
                connection.execute(_ADD, row)
        except psycopg.errors.UniqueViolation as error:
            raise Conflict("a key of this id exists already") from error
        except psycopg.errors.ForeignKeyViolation as error:
            message = f"there is no city {key.tenant!r} here"
            raise NotFound(message) from error

    def keys(self, tenant: str) -> Sequence[ApiKey]:
        with self._database.connection() as connection:
            rows = connection.execute(_OF_TENANT, (tenant,)).fetchall()
        return [_key(row) for row in rows]

    def revoke(self, tenant: str, key_id: str, now: datetime) -> None:
        with self._database.connection() as connection:
            changed = connection.execute(_REVOKE, (now, tenant, key_id)).rowcount
        if not changed:
            message = f"there is no key {key_id!r}"
            raise NotFound(message)


def _key(row: tuple[Any, ...]) -> ApiKey:
    return ApiKey(
        id=row[0],
        tenant=row[1],
        name=row[2],
        role=row[3],
        created_at=row[4],
        revoked_at=row[5],
    )
