from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from cityos.storage.database import Database
from cityos.storage.maintenance import Maintenance, Retention

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


class Noon:
    def now(self) -> datetime:
        return NOW

    def monotonic_s(self) -> float:
        return 0.0


@pytest.fixture
def maintenance(database_url: str) -> Iterator[Maintenance]:
    database = Database(database_url, application="maintenance", max_size=1)
    yield Maintenance(database, Noon(), Retention(raw_message_days=30, observation_days=365))
    database.close()


def tables(connection: psycopg.Connection, parent: str) -> set[str]:
    rows = connection.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = %s::regclass",
        (parent,),
    )
    return {row[0] for row in rows}


def is_plain(connection: psycopg.Connection) -> bool:
    found = connection.execute(
        "SELECT relkind FROM pg_class WHERE oid = 'observation'::regclass"
    ).fetchone()
    return found == ("p",)


def test_partitions_are_made_ahead_and_dropped_when_their_time_is_over(
    maintenance: Maintenance, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        if not is_plain(connection):
            pytest.skip("TimescaleDB makes its chunks when they are needed")
        connection.execute(
            "SELECT make_room_for_raw_messages(ARRAY[%s, %s])",
            (NOW - timedelta(days=40), NOW - timedelta(days=10)),
        )
        connection.execute(
            "SELECT make_room_for_observations(ARRAY[%s])", (NOW - timedelta(days=400),)
        )
        maintenance.round()
        raw = tables(connection, "raw_message")
        assert "raw_message_20261013" not in raw
        assert {"raw_message_20261112", "raw_message_20261122", "raw_message_20261129"} <= raw
        assert "observation_20261116" in tables(connection, "observation")
        assert not [t for t in tables(connection, "observation") if t < "observation_2026"]
        assert connection.execute(
            "SELECT to_regclass('raw_message_20261112_brin') IS NOT NULL,"
            " to_regclass('raw_message_20261122_brin') IS NULL"
        ).fetchone() == (True, True)


def test_messages_go_when_their_days_are_over(maintenance: Maintenance, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        times = [NOW - timedelta(days=days) for days in (40, 10, 0)]
        connection.execute("SELECT make_room_for_raw_messages(%s)", (times,))
        for number, at in enumerate(times):
            connection.execute(
                "INSERT INTO raw_message (id, received_at, origin_id, payload)"
                " VALUES (%s, %s, 1, '')",
                (number, at),
            )
        maintenance.round()
        assert connection.execute("SELECT id FROM raw_message ORDER BY id").fetchall() == [
            (1,),
            (2,),
        ]


def test_old_refusals_and_deliveries_go(maintenance: Maintenance, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for number, days in enumerate((1, 100)):
            connection.execute(
                "INSERT INTO dead_letter (tenant_id, raw_id, received_at, vendor, device, topic,"
                " payload, reason, detail, path, hint)"
                " VALUES ('t', %s, %s, 'v', 'd', 'x', '', 'undecodable', '', '$', '')",
                (number, NOW - timedelta(days=days)),
            )
        maintenance.round()
        assert connection.execute("SELECT raw_id FROM dead_letter").fetchall() == [(0,)]


def test_two_at_the_same_time_do_not_disturb_each_other(
    maintenance: Maintenance, database_url: str
) -> None:
    with psycopg.connect(database_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (0x0C17_7906,))
        maintenance.round()
    maintenance.round()
