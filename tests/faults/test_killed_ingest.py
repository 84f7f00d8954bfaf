"""kill -9 of ingest at any moment: nothing missing, nothing twice (promises P1, P3)."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cityos.runtime.broker import MqttBroker
from cityos.runtime.postgres import PostgresServer
from cityos.storage.database import migrate
from tests.faults.ledger import LedgerPublisher, register_city
from tests.waiting import wait_until

HERE = Path(__file__).parent


@dataclass
class IngestChild:
    folder: Path
    config: dict[str, Any]
    process: subprocess.Popen[str] | None = None
    deaths: int = 0
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / "ingest.log"

    def start(self, **die_at: int) -> None:
        """Start it, the first time until the broker has a session for it, which it keeps."""
        path = self.folder / "config.json"
        how = {"die_at": die_at, "first_start": self.process is None}
        path.write_text(json.dumps({**self.config, **how}))
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.ingest_child", str(path)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=HERE.parents[1],
            )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        # with messages waiting it may reach the place where it dies before it says so
        assert said == "started\n" or die_at, self.log.read_text()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.close_pipe()

    def died(self, timeout_s: float) -> int:
        assert self.process is not None
        code = self.process.wait(timeout_s)
        self.close_pipe()
        return code

    def spooled(self) -> int:
        """How many messages it has taken on, in all its lives."""
        with closing(sqlite3.connect(self.config["spool"])) as spool:
            (following,) = spool.execute("SELECT next_sequence FROM spool").fetchone()
        return int(following) - 1

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        self.close_pipe()

    def close_pipe(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def make_child(
    tmp_path: Path, mqtt_broker: MqttBroker, redis_url: str
) -> Iterator[Callable[[str], IngestChild]]:
    children: list[IngestChild] = []

    def make(database_url: str) -> IngestChild:
        child = IngestChild(
            tmp_path,
            {
                "database_url": database_url,
                "mqtt_url": mqtt_broker.url_for("ingest"),
                "redis_url": redis_url,
                "spool": str(tmp_path / "spool" / "ingest.db"),
                "spool_max_bytes": 1 << 30,
            },
        )
        children.append(child)
        return child

    yield make
    for child in children:
        child.stop()


@pytest.fixture
def publisher(mqtt_broker: MqttBroker) -> LedgerPublisher:
    return LedgerPublisher(lambda: mqtt_broker.url_for("acme", version=4), rate=2500)


def test_killed_at_random_times_while_20_000_messages_come(
    make_child: Callable[[str], IngestChild], publisher: LedgerPublisher, database_url: str
) -> None:
    register_city(database_url)
    child = make_child(database_url)
    child.start()
    sending = threading.Thread(target=publisher.publish, args=(20_000,))
    sending.start()
    moments = random.Random(20261122)
    kills = 0
    while sending.is_alive():
        time.sleep(moments.uniform(0.05, 0.8))
        child.kill()
        kills += 1
        child.start()
    sending.join()
    assert kills >= 4
    assert publisher.wait_until_stored(database_url, 60) == []
    assert_kept_once(child, database_url, 20_000)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,)


@pytest.mark.parametrize("place", ["after_spool", "after_commit"])
def test_killed_between_two_steps(
    place: str,
    make_child: Callable[[str], IngestChild],
    publisher: LedgerPublisher,
    database_url: str,
) -> None:
    """What is spooled but not acknowledged comes again from the broker; of what is committed but
    not removed from the spool, the store knows how far it got. Neither makes a second row.
    """
    register_city(database_url)
    child = make_child(database_url)
    child.start(**{place: 3})
    publisher.rate = 300
    sending = threading.Thread(target=publisher.publish, args=(2000,))
    sending.start()
    assert child.died(30) == -9
    for _ in range(2):
        child.start(**{place: 1})
        assert child.died(30) == -9
    child.start()
    sending.join()
    assert publisher.wait_until_stored(database_url, 30) == []
    assert_kept_once(child, database_url, 2000)


def test_killed_between_the_halves_of_a_batch_that_the_store_refuses(
    make_child: Callable[[str], IngestChild], publisher: LedgerPublisher, database_url: str
) -> None:
    """One message's thing is gone from the registry: it is found by halving, and kept aside."""
    register_city(database_url)
    child = make_child(database_url)
    child.start()
    child.kill()
    with psycopg.connect(database_url) as connection:  # the device is known, its thing is not
        connection.execute("ALTER TABLE device DROP CONSTRAINT device_tenant_id_entity_id_fkey")
        connection.execute(
            "INSERT INTO device (tenant_id, vendor, id, adapter, entity_id)"
            " VALUES ('t', 'acme', 'ghost', 'cityos_json', 'urn:ngsi-ld:Gone:1')"
        )
    publisher.rate = 5000
    publisher.publish(300)
    publisher.publish_one("ghost", b'{"property": "water_level", "value": 1.0}')
    publisher.publish(300, first=300)
    child.start(after_half=1)
    assert child.died(30) == -9
    child.start(after_half=2)
    assert child.died(30) == -9
    child.start()
    assert publisher.wait_until_stored(database_url, 30) == []
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT reason, device FROM dead_letter").fetchall() == [
            ("unknown_entity", "ghost")
        ]
        assert connection.execute(
            "SELECT count(*), count(DISTINCT id) FROM raw_message"
        ).fetchone() == (601, 601)


def city_server(start_own_postgres: Callable[..., PostgresServer]) -> PostgresServer:
    """A server of the test's own, with the city on it."""
    server = start_own_postgres()
    migrate(server.url)
    register_city(server.url)
    return server


@pytest.mark.timeout(240)
def test_the_database_is_away_for_a_minute(
    make_child: Callable[[str], IngestChild],
    publisher: LedgerPublisher,
    start_own_postgres: Callable[..., PostgresServer],
) -> None:
    server = city_server(start_own_postgres)
    child = make_child(server.url)
    child.start()
    publisher.rate = 200
    sending = threading.Thread(target=publisher.publish, args=(14_000,))
    sending.start()
    time.sleep(2)
    home, port = server.home, server.port
    server.kill()
    time.sleep(30)
    child.kill()  # and ingest dies as well: what it has is on its disk
    child.start()
    time.sleep(30)
    server = start_own_postgres(home, port=port)
    sending.join(60)
    assert not sending.is_alive(), "the publisher was held back"
    assert publisher.wait_until_stored(server.url, 30) == []


def test_a_store_too_slow_for_a_whole_batch_is_given_it_in_parts(
    make_child: Callable[[str], IngestChild], publisher: LedgerPublisher, database_url: str
) -> None:
    register_city(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN PERFORM pg_sleep(0.004); RETURN NEW; END'"
        )
        connection.execute(
            "CREATE TRIGGER dawdle BEFORE INSERT ON observation"
            " FOR EACH ROW EXECUTE FUNCTION dawdle()"
        )
    child = make_child(database_url)
    child.config["statement_timeout_s"] = 0.5  # for 125 of them
    child.start()
    publisher.publish(500)
    assert publisher.wait_until_stored(database_url, 30) == []
    wait_until(lambda: "store is back" in child.log.read_text())
    with psycopg.connect(database_url) as connection:
        kept = connection.execute("SELECT count(*), count(DISTINCT payload) FROM raw_message")
        assert kept.fetchone() == (500, 500)


def test_a_full_spool_leaves_the_messages_to_the_broker_and_takes_them_once(
    make_child: Callable[[str], IngestChild],
    publisher: LedgerPublisher,
    start_own_postgres: Callable[..., PostgresServer],
) -> None:
    server = city_server(start_own_postgres)
    child = make_child(server.url)
    child.config["spool_max_bytes"] = 200_000
    child.start()
    home, port = server.home, server.port
    server.kill()
    publisher.publish(4000)
    wait_until(lambda: "the broker holds the messages" in child.log.read_text())
    assert (child.folder / "spool" / "ingest.db").stat().st_size < 1_000_000
    server = start_own_postgres(home, port=port)
    assert publisher.wait_until_stored(server.url, 30) == []
    with psycopg.connect(server.url) as connection:
        kept = connection.execute("SELECT count(*), count(DISTINCT payload) FROM raw_message")
        assert kept.fetchone() == (4000, 4000)
    log = child.log.read_text()
    assert log.count("the broker holds the messages") == log.count("spool takes messages again")


def assert_kept_once(child: IngestChild, database_url: str, sent: int) -> None:
    """Each message that was taken on is kept as one raw message.

    What the broker sent again, for it had not heard that we have it, was taken on again.
    """

    def kept() -> Any:
        with psycopg.connect(database_url) as connection:
            return connection.execute(
                "SELECT count(*), count(DISTINCT id), count(DISTINCT payload) FROM raw_message"
            ).fetchone()

    end = time.monotonic() + 15
    while (found := kept()) != (once := (child.spooled(), child.spooled(), sent)):
        assert time.monotonic() < end, f"raw messages, ids, payloads: {found}, not {once}"
        time.sleep(0.05)
