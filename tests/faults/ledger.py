"""A publisher that writes down what it is about to send, and a checker that compares.

Loss is measured against the ledger, never against a broker's counters.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion
from psycopg import IsolationLevel

from cityos.domain.entity import Device, Entity, Name, Tenant
from cityos.ingest.listener import BrokerAddress
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry

START = datetime(2026, 11, 22, tzinfo=UTC)
DEVICES = 20


def entity_of(device: int) -> str:
    return f"urn:ngsi-ld:WaterLevelGauge:t:{device}"


def register_city(database_url: str) -> None:
    database = Database(database_url, application="register", max_size=1)
    registry = PostgresRegistry(database)
    registry.put_tenant(Tenant(id="t", name=Name("T", "T")))
    registry.put_entities(
        "t",
        [
            Entity(id=entity_of(number), type="WaterLevelGauge", name=Name("G", "G"))
            for number in range(DEVICES)
        ],
    )
    registry.put_devices(
        "t",
        [
            Device(vendor="acme", id=f"g{number}", adapter="cityos_json", entity=entity_of(number))
            for number in range(DEVICES)
        ],
    )
    database.close()


@dataclass
class LedgerPublisher:
    """Publishes numbered readings at a steady rate, keeps each until the broker has it."""

    broker_url: Callable[[], str]
    rate: float
    sent: dict[tuple[str, datetime], float] = field(default_factory=dict)

    def publish(self, count: int, *, first: int = 0) -> None:
        address = BrokerAddress.of(self.broker_url())
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="ledger", clean_session=False)
        client.username_pw_set(address.username, address.password)
        client.max_inflight_messages_set(200)
        client.connect(address.host, address.port)
        client.loop_start()
        window = threading.Semaphore(800)
        client.on_publish = lambda *_: window.release()
        started = time.monotonic()
        for number in range(first, first + count):
            device, at = number % DEVICES, START + timedelta(milliseconds=number)
            value = round(1 + number % 500 / 100, 2)
            self.sent[entity_of(device), at] = value
            reading = {"property": "water_level", "value": value, "time": at.isoformat()}
            assert window.acquire(timeout=60), "the broker takes nothing any more"
            client.publish(f"cityos/v1/t/acme/g{device}/observations", json.dumps(reading), qos=1)
            ahead = (number - first + 1) / self.rate - (time.monotonic() - started)
            if ahead > 0:
                time.sleep(ahead)
        for _ in range(800):
            assert window.acquire(timeout=60), "the broker did not acknowledge everything"
        client.disconnect()
        client.loop_stop()

    def publish_one(self, device: str, payload: bytes) -> None:
        """Publish something that is not in the ledger."""
        address = BrokerAddress.of(self.broker_url())
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set(address.username, address.password)
        client.connect(address.host, address.port)
        client.loop_start()
        client.publish(f"cityos/v1/t/acme/{device}/observations", payload, qos=1).wait_for_publish(
            10
        )
        client.disconnect()
        client.loop_stop()

    def missing(self, database_url: str) -> list[Any]:
        """Return what is not stored; what is there has to be right, and told of once."""
        with psycopg.connect(database_url) as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            rows = connection.execute(
                "SELECT s.entity_id, o.observed_at, o.value FROM observation o"
                " JOIN series s ON s.id = o.series_id"
            ).fetchall()
            events = connection.execute(
                "SELECT count(*), count(DISTINCT (document->'entity', document->'observed_at'))"
                " FROM event"
            ).fetchone()
        # an observation cannot be there twice, for its key forbids it; its event can
        assert events == (len(rows), len(rows)), "an event for each reading, and none twice"
        stored = {(entity, at): value for entity, at, value in rows}
        assert stored.keys() <= self.sent.keys(), "a row that nobody sent"
        wrong = [key for key, value in stored.items() if self.sent[key] != value]
        assert wrong == []
        return sorted(self.sent.keys() - stored.keys())

    def wait_until_stored(self, database_url: str, timeout_s: float) -> list[Any]:
        """Return what is missing when all is there or the time is up."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            with psycopg.connect(database_url) as connection:
                row = connection.execute("SELECT count(*) FROM observation").fetchone()
            if row is not None and row[0] >= len(self.sent):
                break
            time.sleep(0.2)
        return self.missing(database_url)
