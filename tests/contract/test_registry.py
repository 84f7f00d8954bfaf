"""What every Registry keeps to, on the real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from cityos.domain.entity import Device, Entity, Name, Tenant
from cityos.domain.observation import Position
from cityos.errors import InvalidRequest, NotFound
from cityos.storage.database import Database
from cityos.storage.reader import PostgresCityReader
from cityos.storage.registry import PostgresRegistry

YAIZU = Tenant(
    id="yaizu", name=Name("Yaizu", "焼津市"), practice=True, attributes={"code": "22212"}
)
GAUGE = Entity(
    id="urn:ngsi-ld:WaterLevelGauge:yaizu:asahi",
    type="WaterLevelGauge",
    name=Name("Asahi river", "朝比奈川"),
    position=Position(138.3, 34.9),
    attributes={"danger_level_m": 3.5, "note": "日本語"},
)
RIVER = Entity(
    id="urn:ngsi-ld:River:yaizu:asahi",
    type="River",
    name=Name("Asahi", "朝比奈川"),
    geometry={"type": "LineString", "coordinates": [[138.2, 34.9], [138.3, 34.9]]},
)
LOGGER = Device(
    vendor="acme",
    id="logger-1",
    adapter="cityos_json",
    entity=GAUGE.id,
    entities={"ch1": GAUGE.id},
    settings={"scale": 2},
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, application="test", max_size=2)
    yield opened
    opened.close()


@pytest.fixture
def registry(database: Database) -> PostgresRegistry:
    return PostgresRegistry(database)


def test_what_was_put_comes_back(registry: PostgresRegistry, database: Database) -> None:
    registry.put_tenant(YAIZU)
    registry.put_entities("yaizu", [GAUGE, RIVER])
    registry.put_devices("yaizu", [LOGGER])

    assert registry.tenants() == [YAIZU]
    assert registry.devices("yaizu") == [LOGGER]
    reader = PostgresCityReader(database)
    found = reader.tenant("yaizu")
    assert found == YAIZU
    assert found.created_at is not None
    assert reader.entity("yaizu", GAUGE.id) == GAUGE
    assert reader.entity("yaizu", RIVER.id) == RIVER


def test_putting_again_replaces(registry: PostgresRegistry, database: Database) -> None:
    registry.put_tenant(YAIZU)
    registry.put_entities("yaizu", [GAUGE])
    registry.put_devices("yaizu", [LOGGER])
    moved = Entity(id=GAUGE.id, type="WaterLevelGauge", name=Name("Moved", "移設"))
    off = Device(vendor="acme", id="logger-1", adapter="senml", entity=GAUGE.id, enabled=False)

    registry.put_tenant(Tenant(id="yaizu", name=Name("Yaizu City", "焼津市")))
    registry.put_entities("yaizu", [moved])
    registry.put_devices("yaizu", [off])

    assert registry.tenants() == [Tenant(id="yaizu", name=Name("Yaizu City", "焼津市"))]
    assert PostgresCityReader(database).entity("yaizu", GAUGE.id) == moved
    assert registry.devices("yaizu") == [off]


def test_a_device_must_speak_for_known_entities(registry: PostgresRegistry) -> None:
    registry.put_tenant(YAIZU)
    registry.put_entities("yaizu", [GAUGE])
    stranger = "urn:ngsi-ld:WaterLevelGauge:yaizu:unknown"

    with pytest.raises(InvalidRequest, match="unknown"):
        registry.put_devices("yaizu", [LOGGER, _device(entity=stranger)])
    with pytest.raises(InvalidRequest, match="unknown"):
        registry.put_devices("yaizu", [_device(entities={"a": stranger})])
    assert registry.devices("yaizu") == []


def test_another_tenants_entity_is_unknown(registry: PostgresRegistry) -> None:
    registry.put_tenant(YAIZU)
    registry.put_tenant(Tenant(id="fukui", name=Name("Fukui", "福井市")))
    registry.put_entities("fukui", [GAUGE])

    with pytest.raises(InvalidRequest):
        registry.put_devices("yaizu", [LOGGER])


def test_an_unknown_tenant_is_not_found(registry: PostgresRegistry) -> None:
    with pytest.raises(NotFound):
        registry.put_entities("nowhere", [GAUGE])
    with pytest.raises(NotFound):
        registry.put_devices("nowhere", [LOGGER])


def test_every_change_raises_the_version_and_is_told(
    registry: PostgresRegistry, database_url: str
) -> None:
    seen = [registry.devices_version()]
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("LISTEN cityos_registry")
        registry.put_tenant(YAIZU)
        seen.append(registry.devices_version())
        registry.put_entities("yaizu", [GAUGE])
        seen.append(registry.devices_version())
        registry.put_devices("yaizu", [LOGGER])
        seen.append(registry.devices_version())
        told = list(listener.notifies(timeout=5, stop_after=3))

    assert seen == sorted(set(seen))
    assert [notice.channel for notice in told] == ["cityos_registry"] * 3


def _device(entity: str = GAUGE.id, entities: dict[str, str] | None = None) -> Device:
    return Device(
        vendor="acme", id="other", adapter="cityos_json", entity=entity, entities=entities or {}
    )
