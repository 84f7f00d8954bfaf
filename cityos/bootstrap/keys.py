"""``cityos key``: making, listing and revoking the keys of the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.table import Table

from cityos.bootstrap import connect
from cityos.clock import SystemClock, for_people
from cityos.identity.key_ring import PepperedKeyRing
from cityos.settings import Settings
from cityos.storage.database import Database
from cityos.storage.keys import PostgresKeyStore


def key_ring(settings: Settings, database: Database) -> PepperedKeyRing:
    return PepperedKeyRing(
        PostgresKeyStore(database), pepper=connect.key_pepper(settings), clock=SystemClock()
    )


def create(settings: Settings, *, name: str, role: str) -> str:
    """Return the text of a new key: the only time that it is known.

    Raises:
        InvalidRequest: there is no such role, or the name cannot be one.
        NotFound: there is no such tenant.
    """
    with _ring(settings) as ring:
        _, text = ring.issue(settings.tenant, name=name, role=role)
    return text


def table(settings: Settings) -> Table:
    with _ring(settings) as ring:
        keys = ring.keys(settings.tenant)
    rows = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("key", "name", "role", "made", "revoked"):
        rows.add_column(title, no_wrap=title != "name")
    for key in keys:
        made = for_people(key.created_at, to_the="minutes")
        revoked = for_people(key.revoked_at, to_the="minutes") if key.revoked_at else ""
        rows.add_row(key.id, key.name, key.role, made, revoked)
    return rows


def revoke(settings: Settings, key_id: str) -> None:
    """Raises NotFound."""
    with _ring(settings) as ring:
        ring.revoke(settings.tenant, key_id)


@contextmanager
def _ring(settings: Settings) -> Iterator[PepperedKeyRing]:
    url = connect.addresses(settings, "database_url").database_url
    database = Database(url, application="cityos-key", max_size=1)
    try:
        yield key_ring(settings, database)
    finally:
        database.close()
