"""What every part of the store says when a statement is not finished in its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest

from cityos.clock import SystemClock
from cityos.errors import TookTooLong
from cityos.ports import EntityQuery
from cityos.storage.database import Database
from cityos.storage.dead_letters import PostgresDeadLetters
from cityos.storage.events import PostgresEventQueue
from cityos.storage.failed_events import PostgresFailedEvents
from cityos.storage.keys import PostgresKeyStore
from cityos.storage.orders import PostgresOrderBook
from cityos.storage.outbox import PostgresOutbox
from cityos.storage.reader import PostgresCityReader
from cityos.storage.registry import PostgresRegistry
from tests.alert_path import ISSUER

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TABLES = "alert, proposal, outbox, event, dead_letter, api_key, entity, tenant, device"


@pytest.fixture
def slow(database_url: str) -> Iterator[Database]:
    """Somebody holds everything that is asked for."""
    database = Database(database_url, application="test", statement_timeout_s=0.1)
    with psycopg.connect(database_url) as holder:
        holder.execute(f"LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE")
        yield database
    database.close()


def orders(database: Database) -> PostgresOrderBook:
    return PostgresOrderBook(database, channels=["mqtt"])


def take_events(database: Database, url: str) -> None:
    queue = PostgresEventQueue.at(url, database, application="test", clock=SystemClock())
    with closing(queue), queue.take():
        pass


def take_a_delivery(database: Database, url: str) -> None:
    outbox = PostgresOutbox.at(url, database, application="test")
    with closing(outbox), outbox.take("mqtt", NOW):
        pass


ASKED: dict[str, Callable[[Database, str], object]] = {
    "proposals": lambda database, _: orders(database).proposals("town"),
    "an approval": lambda database, _: orders(database).approve(
        "town", "p", issuer=ISSUER, by="k", note="", now=NOW
    ),
    "alerts": lambda database, _: orders(database).alerts("town"),
    "an alert": lambda database, _: orders(database).alert("town", "a"),
    "a delivery": take_a_delivery,
    "events": take_events,
    "failed events": lambda database, _: PostgresFailedEvents(database).newest("town"),
    "dead letters": lambda database, _: PostgresDeadLetters(database).newest("town"),
    "a key": lambda database, _: PostgresKeyStore(database).find("k"),
    "entities": lambda database, _: PostgresCityReader(database).find_entities(
        "town", EntityQuery()
    ),
    "devices": lambda database, _: PostgresRegistry(database).devices("town"),
}


@pytest.mark.parametrize("asked", ASKED)
def test_it_took_too_long_and_nothing_of_the_driver_comes_through(
    asked: str, slow: Database, database_url: str
) -> None:
    with pytest.raises(TookTooLong, match="did not finish in time") as raised:
        ASKED[asked](slow, database_url)
    assert isinstance(raised.value.__cause__, psycopg.errors.QueryCanceled)
