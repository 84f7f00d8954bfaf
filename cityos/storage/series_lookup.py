"""The number and the unit of a series, looked up once."""

from __future__ import annotations

from typing import Final, LiteralString

from cityos.domain.history import SeriesKey
from cityos.errors import NotFound
from cityos.storage.database import Database

_MOST: Final = 200_000
"""Series remembered: some 60 MB. Past that the table starts anew rather than grow."""

_FIND: Final[LiteralString] = """
SELECT id, unit FROM series
WHERE (tenant_id, entity_id, property, dataset) = (%s, %s, %s, %s)
"""


class SeriesLookup:
    """Series are never renumbered and never change their unit, so what was found stays true."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[str, SeriesKey], tuple[int, str]] = {}

    def find(self, tenant: str, series: SeriesKey) -> tuple[int, str]:
        """Return the number and the UCUM unit of a series.

        Raises NotFound, Unavailable.
        """
        found = self._known.get((tenant, series))
        if found is not None:
            return found
        with self._database.connection() as connection:
            row = connection.execute(
                _FIND, (tenant, series.entity, series.observed_property, series.dataset)
            ).fetchone()
        if row is None:
            where = f" in dataset {series.dataset}" if series.dataset else ""
            message = f"{series.entity} has no series of {series.observed_property!r}{where}"
            raise NotFound(message)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[tenant, series] = (row[0], row[1])
        return row[0], row[1]
