"""The database, opened for a command about one city."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cityos.storage.database import Database
from cityos.storage.reader import PostgresCityReader


@contextmanager
def city_store(url: str, tenant: str, *, application: str) -> Iterator[Database]:
    """Raises NotFound: there is no such tenant."""
    database = Database(url, application=application, max_size=2)
    try:
        PostgresCityReader(database).tenant(tenant)
        yield database
    finally:
        database.close()
