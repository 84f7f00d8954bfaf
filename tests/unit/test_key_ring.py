from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest

from cityos.errors import InvalidRequest, NotFound, Unauthenticated, Unavailable
from cityos.identity import api_keys
from cityos.identity.key_ring import PepperedKeyRing
from cityos.ports import ApiKey
from cityos.testing.builders import NOON
from cityos.testing.clock import ChosenClock

PEPPER = b"pepper that is at least 32 bytes long"


class KeysInMemory:
    """A ``KeyStore`` that counts how often it is asked."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[ApiKey, bytes]] = {}
        self.asked = 0
        self.away = False

    def find(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        self.asked += 1
        if self.away:
            raise Unavailable
        return self.kept.get(key_id)

    def add(self, key: ApiKey, digest: bytes) -> None:
        self.kept[key.id] = (key, digest)

    def keys(self, tenant: str) -> Sequence[ApiKey]:
        return [key for key, _ in self.kept.values() if key.tenant == tenant]

    def revoke(self, tenant: str, key_id: str, now: datetime) -> None:
        if key_id not in self.kept or self.kept[key_id][0].tenant != tenant:
            raise NotFound
        key, digest = self.kept[key_id]
        revoked = ApiKey(
            id=key.id,
            tenant=key.tenant,
            name=key.name,
            role=key.role,
            created_at=key.created_at,
            revoked_at=now,
        )
        self.kept[key_id] = (revoked, digest)


@pytest.fixture
def clock() -> ChosenClock:
    return ChosenClock(NOON)


@pytest.fixture
def store() -> KeysInMemory:
    return KeysInMemory()


@pytest.fixture
def ring(store: KeysInMemory, clock: ChosenClock) -> PepperedKeyRing:
    return PepperedKeyRing(store, pepper=PEPPER, clock=clock)


def test_an_issued_key_opens(ring: PepperedKeyRing, clock: ChosenClock) -> None:
    key, text = ring.issue("yaizu", name=" front desk ", role="official")

    assert ring.authenticate(text) == key
    assert (key.tenant, key.name, key.role) == ("yaizu", "front desk", "official")
    assert key.created_at == clock.now()
    assert list(ring.keys("yaizu")) == [key]


def test_nothing_kept_opens_anything(ring: PepperedKeyRing, store: KeysInMemory) -> None:
    key, text = ring.issue("yaizu", name="n", role="reader")
    digest = store.kept[key.id][1]

    assert text.encode() not in digest
    secret = api_keys.read(text)
    assert secret is not None
    assert digest != api_keys.KeyText(key.id, secret.secret).digest(bytes(32))


def test_a_key_of_another_server_does_not_open(
    ring: PepperedKeyRing, store: KeysInMemory, clock: ChosenClock
) -> None:
    other = PepperedKeyRing(store, pepper=bytes(32), clock=clock)
    _, text = ring.issue("yaizu", name="n", role="reader")

    with pytest.raises(Unauthenticated):
        other.authenticate(text)


@pytest.mark.parametrize("text", ["", "ck_x", "hello"])
def test_nonsense_is_refused_without_asking_the_store(
    ring: PepperedKeyRing, store: KeysInMemory, text: str
) -> None:
    with pytest.raises(Unauthenticated):
        ring.authenticate(text)
    assert store.asked == 0


def test_a_forged_secret_is_refused(ring: PepperedKeyRing) -> None:
    key, _ = ring.issue("yaizu", name="n", role="admin")
    forged = str(api_keys.KeyText(key.id, "x" * 43))

    with pytest.raises(Unauthenticated) as caught:
        ring.authenticate(forged)
    assert key.id not in str(caught.value)


def test_checked_keys_are_remembered_for_seconds_only(
    ring: PepperedKeyRing, store: KeysInMemory, clock: ChosenClock
) -> None:
    key, text = ring.issue("yaizu", name="n", role="reader")
    assert ring.recall(text) is None
    ring.authenticate(text)
    ring.authenticate(text)

    assert store.asked == 1
    assert ring.recall(text) == key
    clock.advance(9)
    assert ring.recall(text) is None
    ring.authenticate(text)
    assert store.asked == 2


def test_revoked_here_it_opens_nothing_at_once(ring: PepperedKeyRing) -> None:
    key, text = ring.issue("yaizu", name="n", role="reader")
    ring.authenticate(text)
    ring.revoke("yaizu", key.id)

    assert ring.recall(text) is None
    with pytest.raises(Unauthenticated):
        ring.authenticate(text)


def test_revoked_elsewhere_it_opens_nothing_within_ten_seconds(
    ring: PepperedKeyRing, store: KeysInMemory, clock: ChosenClock
) -> None:
    key, text = ring.issue("yaizu", name="n", role="reader")
    ring.authenticate(text)
    store.revoke("yaizu", key.id, clock.now())

    clock.advance(10)
    assert ring.recall(text) is None
    with pytest.raises(Unauthenticated):
        ring.authenticate(text)


def test_a_store_that_is_away_is_no_refusal(ring: PepperedKeyRing, store: KeysInMemory) -> None:
    _, text = ring.issue("yaizu", name="n", role="reader")
    store.away = True

    with pytest.raises(Unavailable):
        ring.authenticate(text)


@pytest.mark.parametrize(
    ("name", "role", "parameter"),
    [
        ("n", "root", "role"),
        ("", "reader", "name"),
        ("x" * 101, "reader", "name"),
        ("a\x00b", "reader", "name"),
    ],
)
def test_keys_are_issued_for_known_roles_and_proper_names(
    ring: PepperedKeyRing, name: str, role: str, parameter: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ring.issue("yaizu", name=name, role=role)
    assert caught.value.parameter == parameter


def test_the_pepper_must_be_a_secret(store: KeysInMemory, clock: ChosenClock) -> None:
    with pytest.raises(InvalidRequest):
        PepperedKeyRing(store, pepper=b"short", clock=clock)
