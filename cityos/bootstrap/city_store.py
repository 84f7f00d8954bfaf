"""The database, opened for a command about one city; and what to say where it has no such city."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from cityos.bootstrap.listing import some
from cityos.domain.entity import Tenant
from cityos.errors import NotFound
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry

_MOST_NAMES: Final = 5


@contextmanager
def city_store(url: str, tenant: str, *, application: str) -> Iterator[Database]:
    """Raises NotFound: there is no such tenant."""
    database = Database(url, application=application, max_size=2)
    try:
        missing = absence(tenant, [one.id for one in cities(database)])
        if missing:
            raise NotFound(missing)
        yield database
    finally:
        database.close()


def cities(database: Database) -> Sequence[Tenant]:
    """Return the cities that the store has."""
    return PostgresRegistry(database).tenants()


def standing(city: Tenant) -> str:
    """Return whether what comes out of the city is real, as a line for people."""
    if city.practice:
        return f"{city.id} practices: everything that comes out of it is an exercise"
    return f"{city.id} is in earnest: its alerts are real"


def absence(tenant: str, there: Collection[str]) -> str:
    """Return what to do about a city that is not ``there``; nothing where it is."""
    if tenant in there:
        return ""
    text = f"there is no city {tenant!r} here yet: `cityos load FOLDER` makes it from its tables"
    if there:
        text += f"; or CITYOS_TENANT names one that is here: {some(sorted(there), _MOST_NAMES)}"
    return text
