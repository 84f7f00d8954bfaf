"""Dead letters as an operator works on them, on the real store."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from cityos.domain.entity import Name, Tenant
from cityos.ports import DeadLetter, IngestBatch, KeptDeadLetter
from cityos.storage.database import Database
from cityos.storage.dead_letters import PostgresDeadLetters
from cityos.storage.registry import PostgresRegistry
from cityos.storage.writer import PostgresObservationWriter
from cityos.testing import builders as b


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, application="test-dead-letters", max_size=2)
    yield opened
    opened.close()


@pytest.fixture
def letters(database: Database) -> PostgresDeadLetters:
    return PostgresDeadLetters(database)


def keep(database: Database, *said: dict[str, Any]) -> None:
    made = [
        DeadLetter(
            tenant=facts.get("tenant", "town"),
            raw_id=facts.get("raw_id", number),
            received_at=b.NOON,
            vendor="acme",
            device="g1",
            topic=facts.get("topic", "cityos/v1/town/acme/g1/observations"),
            payload=b"\x00\xff",
            reason=facts.get("reason", "undecodable"),
            detail="x",
            path=facts.get("path", "$"),
            hint="h",
        )
        for number, facts in enumerate(said, start=1)
    ]
    PostgresObservationWriter(database).store(IngestBatch(dead_letters=made))


def messages(kept: Sequence[KeptDeadLetter]) -> list[int]:
    return [each.letter.raw_id for each in kept]


def test_the_newest_come_first_and_of_one_reason_if_asked(
    database: Database, letters: PostgresDeadLetters
) -> None:
    keep(database, {}, {"reason": "unknown_unit"}, {"tenant": "fukui"}, {})
    assert messages(letters.newest("town")) == [4, 2, 1]
    assert messages(letters.newest("town", limit=1)) == [4]
    assert messages(letters.newest("town", reason="unknown_unit")) == [2]
    assert letters.newest("town")[0].letter.payload == b"\x00\xff"


def test_what_waits_comes_oldest_first_in_pages(
    database: Database, letters: PostgresDeadLetters
) -> None:
    keep(database, {}, {"tenant": "fukui"}, {"reason": "unknown_unit"}, {})
    first = letters.waiting("town", limit=2)
    assert messages(first) == [1, 3]
    assert messages(letters.waiting("town", after=first[-1].id, limit=2)) == [4]
    assert messages(letters.waiting("town", reason="unknown_unit")) == [3]
    assert messages(letters.waiting("town", ids=[first[0].id, 10_000])) == [1]


def test_a_replayed_message_waits_no_more_in_any_of_its_parts(
    database: Database, letters: PostgresDeadLetters
) -> None:
    keep(database, {"raw_id": 7, "path": "$[0]"}, {"raw_id": 7, "path": "$[1]"}, {"raw_id": 8})
    letters.replayed(7, b.NOON)
    assert messages(letters.waiting("town")) == [8]
    again = letters.waiting("town", again=True)
    assert messages(again) == [7, 7, 8]
    assert [each.replayed_at for each in again] == [b.NOON, b.NOON, None]


def test_what_came_before_the_city_was_registered_is_its_own_by_the_topic(
    database: Database, letters: PostgresDeadLetters
) -> None:
    keep(database, {"tenant": ""}, {"tenant": "", "topic": "cityos/v1/fukui/a/b/observations"})
    assert messages(letters.newest("town")) == messages(letters.waiting("town")) == [1]


def test_what_was_refused_since_a_replay_began_is_not_its_business(
    database: Database, letters: PostgresDeadLetters
) -> None:
    keep(database, {}, {})
    up_to = letters.newest_id()
    keep(database, {"raw_id": 3})
    assert messages(letters.waiting("town", up_to=up_to)) == [1, 2]
    assert messages(letters.waiting("town")) == [1, 2, 3]


def test_a_city_in_earnest_does_not_send_what_was_refused_in_its_practice(
    database: Database, letters: PostgresDeadLetters
) -> None:
    registry = PostgresRegistry(database)
    town = Tenant(id="town", name=Name("Town", "町"), practice=True)
    registry.put_tenant(town)
    keep(database, {}, {"tenant": "fukui"})
    registry.put_tenant(town)
    assert messages(letters.waiting("town")) == [1]
    registry.put_tenant(dataclasses.replace(town, practice=False))
    assert messages(letters.waiting("town")) == []
    assert messages(letters.waiting("fukui")) == [2]
