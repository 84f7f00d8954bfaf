"""The store did it, and the answer never came: nothing is stored twice (promise P3)."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cityos.runtime.broker import MqttBroker
from cityos.storage import queries
from tests.faults.ledger import register_city
from tests.ingest_town import SUBSCRIBED_S, IngestTown, connected, running_ingest

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
    slow = "SELECT 1 FROM pg_sleep(5) WHERE %b::integer[] IS NOT NULL AND %b::bigint[] IS NOT NULL"
    monkeypatch.setattr(queries, "LATEST_FROM", slow)
    ingest = running_ingest(
        tmp_path,
        broker=mqtt_broker,
        redis_url=redis_url,
        database_url=database_url,
        statement_timeout_s=0.5,
    )
    with ingest, connected(mqtt_broker) as vendor:
        time.sleep(SUBSCRIBED_S)
        town = IngestTown(database_url, vendor)
        town.publish("g0", reading(1.5, 0))
        assert town.wait_for("SELECT value FROM observation", 1) == [(1.5,)]
        for device in (0, 1, 2):  # the first of them is known already
            town.publish("g0", reading(1.5, device))
        assert len(town.wait_for("SELECT value FROM observation", 3)) == 3
        town.publish("g0", reading(1.5, 3))  # what comes after it is stored after it
        assert len(town.wait_for("SELECT value FROM observation", 4)) == 4
        kept = town.rows("SELECT count(*), count(DISTINCT id) FROM raw_message")
    assert kept == [(5, 5)]
