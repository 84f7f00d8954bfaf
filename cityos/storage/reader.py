"""What the doors read, from PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from cityos.domain.entity import Entity, Name, Tenant
from cityos.domain.history import BoundingBox, Bucket, Order, Sample, SeriesKey
from cityos.domain.observation import Quality
from cityos.errors import NotFound
from cityos.ports import DeadLetter, EntityQuery, FoundEntity, KeptDeadLetter, LatestValue
from cityos.storage import entity_rows
from cityos.storage.database import Database
from cityos.storage.documents import decode_value
from cityos.storage.history_reader import HistoryReader
from cityos.storage.series_lookup import SeriesLookup

_TENANT: Final[LiteralString] = (
    "SELECT id, name_en, name_ja, practice, attributes, created_at FROM tenant WHERE id = %s"
)
_LATEST: Final[LiteralString] = """
SELECT s.entity_id, s.property, s.dataset, s.unit, l.observed_at, l.received_at, l.value,
       l.quality, l.document
FROM series s JOIN latest l ON l.series_id = s.id
"""
# What was written by a transaction that an earlier snapshot could not see yet: finds what moved
# since then without an index that every write would have to pay for.
_POSITION: Final[LiteralString] = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""
_LATEST_CHANGES: Final[LiteralString] = """
SELECT s.tenant_id, s.entity_id, s.property, s.dataset, s.unit, l.observed_at, l.received_at,
       l.value, l.quality, l.document
FROM latest l JOIN series s ON s.id = l.series_id
"""
_WRITTEN_SINCE: Final[LiteralString] = "WHERE age(l.xmin) <= age(%s::text::xid)"
_SERIES_OF: Final[LiteralString] = """
SELECT entity_id, property, dataset FROM series WHERE tenant_id = %s AND entity_id = %s
ORDER BY property, dataset
"""
_DEAD_LETTERS: Final[LiteralString] = """
SELECT id, tenant_id, raw_id, received_at, vendor, device, topic, payload, reason, detail, path,
       hint, replayed_at
FROM dead_letter
WHERE tenant_id = %(tenant)s AND (%(before)s::bigint IS NULL OR id < %(before)s)
ORDER BY id DESC LIMIT %(limit)s
"""


class PostgresCityReader:
    """A ``CityReader`` on PostgreSQL, with or without TimescaleDB.

    Works on any ``Database``, and fastest on one in autocommit: it reads in single statements.
    ``counting_timeout_s`` is how long the buckets of one request may take to count.
    """

    def __init__(self, database: Database, *, counting_timeout_s: float = 8.0) -> None:
        self._database = database
        self._lookup = SeriesLookup(database)
        self._history = HistoryReader(database, counting_timeout_s=counting_timeout_s)

    def tenant(self, tenant: str) -> Tenant:
        with self._database.connection() as connection:
            row = connection.execute(_TENANT, (tenant,)).fetchone()
        if row is None:
            message = f"there is no city {tenant!r} here"
            raise NotFound(message)
        identifier, name_en, name_ja, practice, attributes, created_at = row
        return Tenant(
            id=identifier,
            name=Name(name_en, name_ja),
            practice=practice,
            attributes=attributes,
            created_at=created_at,
        )

    # --- entities -----------------------------------------------------------------------------

    def find_entities(self, tenant: str, query: EntityQuery) -> Sequence[FoundEntity]:
        statement, parameters = entity_rows.query(tenant, query)
        with self._database.connection() as connection:
            rows = connection.execute(statement, parameters).fetchall()
        return [entity_rows.found(row) for row in rows]

    def entity(self, tenant: str, entity_id: str) -> Entity:
        with self._database.connection() as connection:
            row = connection.execute(entity_rows.ONE, (tenant, entity_id)).fetchone()
        if row is None:
            message = f"there is no entity {entity_id!r}"
            raise NotFound(message)
        return entity_rows.entity(row)

    def series_of(self, tenant: str, entity_id: str) -> Sequence[SeriesKey]:
        with self._database.connection() as connection:
            rows = connection.execute(_SERIES_OF, (tenant, entity_id)).fetchall()
        return [
            SeriesKey(entity=entity, observed_property=observed_property, dataset=dataset)
            for entity, observed_property, dataset in rows
        ]

    # --- values -------------------------------------------------------------------------------

    def latest(
        self,
        tenant: str,
        *,
        entity: str | None = None,
        entity_type: str | None = None,
        observed_property: str | None = None,
        dataset: str = "",
        bbox: BoundingBox | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> Sequence[LatestValue]:
        statement = _LATEST
        conditions: list[LiteralString] = ["s.tenant_id = %(tenant)s", "s.dataset = %(dataset)s"]
        parameters: dict[str, Any] = {"tenant": tenant, "dataset": dataset, "limit": limit}
        if entity is not None:
            conditions.append("s.entity_id = %(entity)s")
            parameters["entity"] = entity
        if observed_property is not None:
            conditions.append("s.property = %(property)s")
            parameters["property"] = observed_property
        if entity_type is not None or bbox is not None:
            statement += " JOIN entity e ON (e.tenant_id, e.id) = (s.tenant_id, s.entity_id) "
        if entity_type is not None:
            conditions.append("e.type = %(type)s")
            parameters["type"] = entity_type
        if bbox is not None:
            conditions.append(entity_rows.inside(bbox, "box", parameters))
        if after is not None:
            conditions.append("(s.entity_id, s.property) > (%(after_id)s, %(after_property)s)")
            parameters |= {"after_id": after[0], "after_property": after[1]}
        statement += "WHERE " + " AND ".join(conditions)
        statement += " ORDER BY s.entity_id, s.property LIMIT %(limit)s"
        with self._database.connection() as connection:
            rows = connection.execute(statement, parameters, binary=True).fetchall()
        return [_latest(row) for row in rows]

    def latest_changes(self, since: int | None) -> tuple[int, Sequence[tuple[str, LatestValue]]]:
        with self._database.connection() as connection:
            position = connection.execute(_POSITION).fetchone()
            assert position is not None  # noqa: S101 - a SELECT without FROM has one row
            lowest, next_transaction = position
            statement: LiteralString = _LATEST_CHANGES
            parameters: tuple[str, ...] = ()
            # a position from the future is one of another server: a restored copy counts anew
            if since is not None and since <= next_transaction:
                statement += _WRITTEN_SINCE
                # transaction numbers 0-2 are special, and a bit too much does no harm
                parameters = (str(max(since % 2**32, 3)),)
            rows = connection.execute(statement, parameters, binary=True).fetchall()
        return lowest, [(row[0], _latest(row[1:])) for row in rows]

    def unit(self, tenant: str, series: SeriesKey) -> str:
        return self._lookup.find(tenant, series)[1]

    def history(
        self,
        tenant: str,
        series: SeriesKey,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Order = Order.NEWEST_FIRST,
        after: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[Sample]:
        series_id, _ = self._lookup.find(tenant, series)
        return self._history.page(
            series_id, since=since, until=until, order=order, after=after, limit=limit
        )

    def buckets(
        self,
        tenant: str,
        series: SeriesKey,
        *,
        interval_s: int,
        since: datetime,
        until: datetime,
        limit: int = 1000,
    ) -> Sequence[Bucket]:
        series_id, _ = self._lookup.find(tenant, series)
        return self._history.buckets(
            series_id, interval_s=interval_s, since=since, until=until, limit=limit
        )

    # --- what was refused ---------------------------------------------------------------------

    def dead_letters(
        self, tenant: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[KeptDeadLetter]:
        parameters = {"tenant": tenant, "before": before, "limit": limit}
        with self._database.connection() as connection:
            rows = connection.execute(_DEAD_LETTERS, parameters).fetchall()
        return [KeptDeadLetter(row[0], DeadLetter(*row[1:12]), row[12]) for row in rows]


def _latest(row: tuple[Any, ...]) -> LatestValue:
    entity, observed_property, dataset, unit, observed_at, received_at, number, quality, doc = row
    return LatestValue(
        entity=entity,
        observed_property=observed_property,
        dataset=dataset,
        value=number if number is not None else decode_value(None, doc),
        unit=unit,
        observed_at=observed_at,
        received_at=received_at,
        quality=Quality(quality),
    )
