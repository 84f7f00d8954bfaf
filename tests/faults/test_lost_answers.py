"""The store did it, and the answer never came: nothing is stored twice (promise P3)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cityos.runtime.broker import MqttBroker
from cityos.storage import queries
from tests.faults.ledger import register_city
from tests.ingest_town import IngestTown, connected, running_ingest

NOW = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - a device's own clock


def reading(value: float, device: int) -> bytes:
    text = {"property": "water_level", "value": value, "time": NOW.isoformat()}
    return json.dumps({**text, "dataset": f"d{device}"}).encode()


def test_a_deadline_that_passes_after_the_commit_stores_nothing_twice(
    tmp_path: Path,
    mqtt_broker: MqttBroker,
    redis_url: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register_city(database_url)
    # asked after the commit, and only where some value did not move the latest one
    slow = "SELECT 1, NULL, false FROM pg_sleep(5) WHERE (%b::integer[], %b::bigint[]) IS NOT NULL"
    monkeypatch.setattr(queries, "LATEST", slow)
    ingest = running_ingest(
        tmp_path,
        broker=mqtt_broker,
        redis_url=redis_url,
        database_url=database_url,
        statement_timeout_s=0.5,
    )
    with ingest, connected(mqtt_broker) as vendor:
        town = IngestTown(database_url, vendor)
        town.publish("g0", reading(1.5, 0))
        assert town.wait_for("SELECT value FROM observation", 1) == [(1.5,)]
        town.publish("g0", reading(1.5, 0))  # known already: it holds up those that follow
        topic = "cityos/v1/t/acme/g0/observations"
        burst = [vendor.publish(topic, reading(1.5, device), qos=1) for device in range(20)]
        for sent in burst:
            sent.wait_for_publish(10)
        assert len(town.wait_for("SELECT value FROM observation", 20)) == 20
        town.publish("g0", reading(1.5, 20))  # what comes after it is stored after it
        assert len(town.wait_for("SELECT value FROM observation", 21)) == 21
        kept = town.rows("SELECT count(*), count(DISTINCT id) FROM raw_message")
    assert kept == [(23, 23)]
