"""Tenants, entities and devices in PostgreSQL.

Every change raises ``registry_version`` and sends ``NOTIFY cityos_registry`` in its transaction,
so that caches in other processes, which compare the one or listen to the other, start anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from cityos.domain.entity import Device, Entity, Name, Tenant
from cityos.domain.occasion import PRACTICE_RUN, RESERVED, Exercise
from cityos.errors import Conflict, InvalidRequest, NotFound
from cityos.storage.database import Database

_TENANTS: Final[LiteralString] = (
    "SELECT id, name_en, name_ja, practice, attributes FROM tenant ORDER BY id"
)
_PUT_TENANT: Final[LiteralString] = """
INSERT INTO tenant (id, name_en, name_ja, practice, attributes) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET name_en = excluded.name_en, name_ja = excluded.name_ja,
    practice = excluded.practice, attributes = excluded.attributes
"""
_SET_TIME_LAPSE: Final[LiteralString] = """
UPDATE tenant SET attributes = (attributes - 'time_lapse') || %s WHERE id = %s AND practice
"""
_PRACTICE: Final[LiteralString] = "SELECT practice FROM tenant WHERE id = %s FOR UPDATE"
# What was refused in a rehearsal must never be sent again in earnest, nor the other way round.
_CLOSE_DEAD_LETTERS: Final[LiteralString] = """
UPDATE dead_letter SET replayed_at = now()
WHERE (tenant_id = %s OR tenant_id = '' AND split_part(topic, '/', 3) = %s)
  AND replayed_at IS NULL
"""
_HAS_VALUES: Final[LiteralString] = (
    "SELECT EXISTS (SELECT FROM series WHERE tenant_id = %s AND NOT starts_with(dataset, %s))"
)
# What a city has practiced becomes an exercise of its own: in earnest its series begin anew.
_SET_APART: Final[LiteralString] = """
UPDATE series
SET dataset = concat_ws('/', %s || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD"t"HH24MISS'),
                        nullif(dataset, ''))
WHERE tenant_id = %s AND NOT starts_with(dataset, %s)
"""
_PUT_ENTITY: Final[LiteralString] = """
INSERT INTO entity (tenant_id, id, type, name_en, name_ja, longitude, latitude, geometry,
                    attributes)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, id) DO UPDATE SET type = excluded.type, name_en = excluded.name_en,
    name_ja = excluded.name_ja, longitude = excluded.longitude, latitude = excluded.latitude,
    geometry = excluded.geometry, attributes = excluded.attributes, modified_at = now()
"""
_PUT_DEVICE: Final[LiteralString] = """
INSERT INTO device (tenant_id, vendor, id, adapter, entity_id, entities, settings, enabled)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, vendor, id) DO UPDATE SET adapter = excluded.adapter,
    entity_id = excluded.entity_id, entities = excluded.entities, settings = excluded.settings,
    enabled = excluded.enabled
"""
_DEVICES: Final[LiteralString] = """
SELECT vendor, id, adapter, entity_id, entities, settings, enabled FROM device
WHERE tenant_id = %s ORDER BY vendor, id
"""
_UNKNOWN: Final[LiteralString] = """
SELECT wanted FROM unnest(%s::text[]) wanted
WHERE NOT EXISTS (SELECT FROM entity WHERE tenant_id = %s AND id = wanted)
ORDER BY wanted LIMIT 1
"""
_VERSION: Final[LiteralString] = (
    "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM registry_version"
)


class PostgresRegistry:
    """A ``Registry`` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tenants(self) -> Sequence[Tenant]:
        with self._database.connection() as connection:
            rows = connection.execute(_TENANTS).fetchall()
        return [
            Tenant(id=row[0], name=Name(row[1], row[2]), practice=row[3], attributes=row[4])
            for row in rows
        ]

    def put_tenant(self, tenant: Tenant) -> None:
        row = (
            tenant.id,
            tenant.name.en,
            tenant.name.ja,
            tenant.practice,
            Jsonb(dict(tenant.attributes)),
        )
        with self._database.connection() as connection:
            was = connection.execute(_PRACTICE, (tenant.id,)).fetchone()
            connection.execute(_PUT_TENANT, row)
            if was is not None and was[0] != tenant.practice:
                _switch(connection, tenant)
            _tell(connection)

    def set_time_lapse(self, tenant: str, hours: float | None) -> None:
        """Note how many hours of a practice city's rivers pass in one; None: they are real."""
        lapse = {} if hours is None else {"time_lapse": hours}
        with self._database.connection() as connection:
            connection.execute(_SET_TIME_LAPSE, (Jsonb(lapse), tenant))
            _tell(connection)

    def put_entities(self, tenant: str, entities: Sequence[Entity]) -> None:
        if not entities:
            return
        with self._database.connection() as connection:
            _require_tenant(connection, tenant)
            with connection.cursor() as cursor:
                cursor.executemany(_PUT_ENTITY, [_entity_row(tenant, each) for each in entities])
            _tell(connection)

    def put_devices(self, tenant: str, devices: Sequence[Device]) -> None:
        if not devices:
            return
        spoken_for = {device.entity for device in devices}
        spoken_for.update(entity for device in devices for entity in device.entities.values())
        with self._database.connection() as connection:
            _require_tenant(connection, tenant)
            row = connection.execute(_UNKNOWN, (sorted(spoken_for), tenant)).fetchone()
            if row is not None:
                message = f"a device speaks for {row[0]!r}, which is not an entity of this city"
                raise InvalidRequest(message, parameter="entity")
            with connection.cursor() as cursor:
                cursor.executemany(_PUT_DEVICE, [_device_row(tenant, each) for each in devices])
            _tell(connection)

    def devices(self, tenant: str) -> Sequence[Device]:
        with self._database.connection() as connection:
            rows = connection.execute(_DEVICES, (tenant,)).fetchall()
        return [
            Device(
                vendor=row[0],
                id=row[1],
                adapter=row[2],
                entity=row[3],
                entities=row[4],
                settings=row[5],
                enabled=row[6],
            )
            for row in rows
        ]

    def devices_version(self) -> int:
        with self._database.connection() as connection:
            row = connection.execute(_VERSION).fetchone()
        assert row is not None  # noqa: S101 - a sequence is a table of one row
        return int(row[0])


def _switch(connection: Connection[TupleRow], tenant: Tenant) -> None:
    """Part what the city does from here on from what it did before.

    Raises:
        Conflict: it has real values, which a practice city's would follow in the same series.
    """
    if not tenant.practice:
        apart = Exercise(f"{PRACTICE_RUN}-").dataset
        connection.execute(_SET_APART, (apart, tenant.id, RESERVED))
    else:
        row = connection.execute(_HAS_VALUES, (tenant.id, RESERVED)).fetchone()
        if row and row[0]:
            message = (
                f"the city {tenant.id!r} has real values, so it cannot become a practice city;"
                " rehearse with `cityos replay`, or load it under another id"
            )
            raise Conflict(message)
    connection.execute(_CLOSE_DEAD_LETTERS, (tenant.id, tenant.id))


def _tell(connection: Connection[TupleRow]) -> None:
    connection.execute("SELECT nextval('registry_version')")
    connection.execute("NOTIFY cityos_registry")


def _require_tenant(connection: Connection[TupleRow], tenant: str) -> None:
    if connection.execute("SELECT 1 FROM tenant WHERE id = %s", (tenant,)).fetchone() is None:
        message = f"there is no city {tenant!r} here"
        raise NotFound(message)


def _entity_row(tenant: str, entity: Entity) -> tuple[Any, ...]:
    position = entity.position
    return (
        tenant,
        entity.id,
        entity.type,
        entity.name.en,
        entity.name.ja,
        None if position is None else position.longitude,
        None if position is None else position.latitude,
        None if entity.geometry is None else Jsonb(dict(entity.geometry)),
        Jsonb(dict(entity.attributes)),
    )


def _device_row(tenant: str, device: Device) -> tuple[Any, ...]:
    return (
        tenant,
        device.vendor,
        device.id,
        device.adapter,
        device.entity,
        Jsonb(dict(device.entities)),
        Jsonb(dict(device.settings)),
        device.enabled,
    )
