"""Who is at work on a store, on the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest

from cityos.errors import Unavailable
from cityos.storage.database import Database
from cityos.storage.nodes import PostgresIngestNodes
from cityos.storage.writer import PostgresObservationWriter
from tests.waiting import wait_until

APPLICATION = "cityos-ingest-at-work"


@pytest.fixture
def node(database_url: str) -> Iterator[Callable[[], PostgresIngestNodes]]:
    opened: list[PostgresIngestNodes] = []

    def node() -> PostgresIngestNodes:
        opened.append(PostgresIngestNodes(database_url))
        return opened[-1]

    yield node
    for one in opened:
        one.close()


def test_each_sees_the_others_as_long_as_they_live(
    node: Callable[[], PostgresIngestNodes],
) -> None:
    first, second, spools = node(), node(), (uuid4(), uuid4())
    assert first.others(spools[0]) == []
    (other,) = second.others(spools[1])
    assert (other.spool, other.same_spool) == (spools[0], False)
    assert [one.spool for one in first.others(spools[0])] == [spools[1]]
    second.close()
    wait_until(lambda: first.others(spools[0]) == [])  # the server hears of it in its own time
    assert [one.spool for one in second.others(spools[1])] == [spools[0]], "it is back"


def test_one_that_works_with_a_copy_of_the_spool_is_seen_by_both(
    node: Callable[[], PostgresIngestNodes],
) -> None:
    first, second, spool = node(), node(), uuid4()
    assert first.others(spool) == []
    assert [one.same_spool for one in second.others(spool)] == [True]
    assert [one.same_spool for one in first.others(spool)] == [True]


def test_the_server_soon_lets_go_of_one_whose_machine_is_gone(
    node: Callable[[], PostgresIngestNodes],
) -> None:
    """It must not meet itself as another when it is back; the server's default is two hours."""
    one = node()
    one.others(uuid4())
    assert one._connection is not None
    settings = one._connection.execute(
        "SELECT name, setting FROM pg_settings WHERE name LIKE 'tcp_keepalives_%' ORDER BY name"
    ).fetchall()
    assert settings == [
        ("tcp_keepalives_count", "3"),
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
    ]


def test_a_start_costs_no_number(
    node: Callable[[], PostgresIngestNodes], database_url: str
) -> None:
    database = Database(database_url, application="test-nodes", max_size=1)
    writer, spool = PostgresObservationWriter(database), uuid4()
    first, _ = writer.resume(spool)
    for _ in range(3):
        assert writer.resume(spool) == (first, 0)
        node().others(spool)
    assert writer.resume(uuid4()) == (first + 1, 0)
    database.close()


def test_one_that_lost_its_connection_is_counted_again(
    node: Callable[[], PostgresIngestNodes], database_url: str
) -> None:
    first, second, spools = node(), node(), (uuid4(), uuid4())
    first.others(spools[0])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = %s AND datname = current_database()",
            (APPLICATION,),
        )
    assert second.others(spools[1]) == []
    with pytest.raises(Unavailable):
        first.others(spools[0])
    assert [one.spool for one in first.others(spools[0])] == [spools[1]]
    assert [one.spool for one in second.others(spools[1])] == [spools[0]]


def test_a_store_without_values_has_no_newest_receipt(
    node: Callable[[], PostgresIngestNodes],
) -> None:
    assert node().newest_receipt() is None
