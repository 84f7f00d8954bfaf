"""What every KeyStore keeps to, on the real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from cityos.domain.entity import Name, Tenant
from cityos.errors import Conflict, NotFound
from cityos.ports import ApiKey
from cityos.storage.database import Database
from cityos.storage.keys import PostgresKeyStore
from cityos.storage.registry import PostgresRegistry

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
KEY = ApiKey(id="abc123", tenant="yaizu", name="front desk", role="official", created_at=NOW)
DIGEST = bytes(range(32))


@pytest.fixture
def keys(database_url: str) -> Iterator[PostgresKeyStore]:
    database = Database(database_url, application="test", max_size=2)
    registry = PostgresRegistry(database)
    registry.put_tenant(Tenant(id="yaizu", name=Name("Yaizu", "焼津市")))
    registry.put_tenant(Tenant(id="fukui", name=Name("Fukui", "福井市")))
    yield PostgresKeyStore(database)
    database.close()


def test_a_key_is_found_with_its_digest(keys: PostgresKeyStore) -> None:
    keys.add(KEY, DIGEST)

    assert keys.find("abc123") == (KEY, DIGEST)
    assert keys.find("abc124") is None


def test_ids_are_unique(keys: PostgresKeyStore) -> None:
    keys.add(KEY, DIGEST)

    with pytest.raises(Conflict):
        keys.add(KEY, b"other")
    assert keys.find("abc123") == (KEY, DIGEST)


def test_a_key_belongs_to_a_tenant_that_exists(keys: PostgresKeyStore) -> None:
    stray = ApiKey(id="x", tenant="nowhere", name="n", role="reader", created_at=NOW)

    with pytest.raises(NotFound):
        keys.add(stray, DIGEST)


def test_keys_of_a_tenant_newest_first(keys: PostgresKeyStore) -> None:
    later = ApiKey(
        id="zzz", tenant="yaizu", name="app", role="reader", created_at=NOW + timedelta(days=1)
    )
    other = ApiKey(id="other", tenant="fukui", name="app", role="admin", created_at=NOW)
    for key in (KEY, later, other):
        keys.add(key, DIGEST)

    assert keys.keys("yaizu") == [later, KEY]
    assert keys.keys("fukui") == [other]


def test_revoking_keeps_the_first_time(keys: PostgresKeyStore) -> None:
    keys.add(KEY, DIGEST)
    keys.revoke("yaizu", "abc123", NOW + timedelta(hours=1))
    keys.revoke("yaizu", "abc123", NOW + timedelta(hours=2))

    found = keys.find("abc123")
    assert found is not None
    assert found[0].revoked_at == NOW + timedelta(hours=1)


def test_only_the_own_tenants_key_can_be_revoked(keys: PostgresKeyStore) -> None:
    keys.add(KEY, DIGEST)

    with pytest.raises(NotFound):
        keys.revoke("fukui", "abc123", NOW)
    with pytest.raises(NotFound):
        keys.revoke("yaizu", "nothing", NOW)
    assert keys.find("abc123") == (KEY, DIGEST)
