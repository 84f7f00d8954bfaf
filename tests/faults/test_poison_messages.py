"""Poison between good messages: the good are stored, each bad one is kept, told and acked."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cityos.bootstrap.ingest import IngestProcess
from cityos.domain.entity import Device
from cityos.runtime.broker import MqttBroker
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry
from tests.faults.ledger import register_city
from tests.ingest_town import IngestTown, connected, running_ingest
from tests.waiting import wait_until

NOW = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - a device's own clock


def reading(**changes: Any) -> bytes:
    return json.dumps(
        {"property": "water_level", "value": 1.5, "time": NOW.isoformat(), **changes}
    ).encode()


POISON: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"water_level=1.5", "undecodable"),
    "empty": (b"", "undecodable"),
    "an empty array": (b"[]", "undecodable"),
    "cut off": (reading()[:-5], "undecodable"),
    "wrong type of value": (reading(value="high"), "wrong_type"),
    "a boolean for a number": (reading(value=True), "wrong_type"),
    "a position for a number": (
        reading(value={"longitude": 138.3, "latitude": 34.8}),
        "wrong_type",
    ),
    "no value": (b'{"property": "water_level"}', "undecodable"),
    "NaN": (reading().replace(b"1.5", b"NaN"), "undecodable"),
    "1e999": (reading().replace(b"1.5", b"1e999"), "undecodable"),
    "NUL in a text": (
        json.dumps({"property": "status_text", "value": "a\x00b"}).encode(),
        "undecodable",
    ),
    "NUL in a name": (reading(entity="a\x00b"), "undecodable"),
    "a lone surrogate": (b'{"property": "status_text", "value": "\\ud800"}', "undecodable"),
    "nesting 100,000 deep": (b"[" * 100_000, "undecodable"),
    "an integer of 5,000 digits": (reading().replace(b"1.5", b"9" * 5000), "undecodable"),
    "wrong UTF-8": (b'{"property": "status_text", "value": "\xff\xfe"}', "undecodable"),
    "a time without offset": (reading(time="2026-11-22T01:02:03"), "undecodable"),
    "year 1970": (reading(time="1970-01-01T00:00:00Z"), "implausible_time"),
    "tomorrow": (reading(time=(NOW + timedelta(days=1)).isoformat()), "implausible_time"),
    "year 12000": (reading(time="12000-01-01T00:00:00Z"), "undecodable"),
    "unknown property": (reading(property="mood"), "unknown_property"),
    "another's entity": (reading(entity="urn:ngsi-ld:Secret:1"), "unknown_entity"),
    "a unit of another dimension": (reading(unit="Cel"), "unit_not_convertible"),
    "an unknown unit": (reading(unit="shaku"), "unknown_unit"),
    "out of range": (reading(value=5000), "out_of_range"),
    "a dataset that means an exercise": (
        reading(dataset="urn:cityos:exercise:typhoon"),
        "reserved_name",
    ),
    "1 MB": (b'{"pad": "' + b"x" * 1_000_000 + b'"}', "too_large"),
}


@dataclass
class Harness(IngestTown):
    process: IngestProcess
    feedback: queue.Queue[tuple[str, dict[str, Any]]]

    def send(self, payload: bytes, device: str = "g1", topic: str = "") -> None:
        self.publish(device, payload, topic=topic)


@pytest.fixture
def harness(
    tmp_path: Path, mqtt_broker: MqttBroker, redis_url: str, database_url: str
) -> Iterator[Harness]:
    register_city(database_url)
    heard: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
    ingest = running_ingest(
        tmp_path, broker=mqtt_broker, redis_url=redis_url, database_url=database_url
    )
    with ingest as process, connected(mqtt_broker) as vendor:
        vendor.on_message = lambda _c, _d, message: heard.put(
            (message.topic, json.loads(message.payload))
        )
        vendor.subscribe("cityos/v1/t/acme/+/errors", qos=1)
        yield Harness(database_url, vendor, process, heard)


def test_each_poison_is_kept_told_and_acknowledged_and_harms_nobody(
    harness: Harness, tmp_path: Path, mqtt_broker: MqttBroker, redis_url: str
) -> None:
    for number, (payload, _) in enumerate(POISON.values()):
        # a device each, so that nobody's feedback is throttled
        harness.send(reading(time=(NOW - timedelta(seconds=number)).isoformat()), "g0")
        harness.send(payload, f"g{number % 20}")
        time.sleep(0.02)
    harness.send(reading(time=(NOW - timedelta(minutes=5)).isoformat()), "g0")

    good = harness.wait_for("SELECT value FROM observation", len(POISON) + 1)
    assert good == [(1.5,)] * (len(POISON) + 1)

    letters = harness.wait_for(
        "SELECT payload, reason, detail, path, hint FROM dead_letter ORDER BY id", len(POISON)
    )
    said = {bytes(payload): (reason, detail) for payload, reason, detail, _, _ in letters}
    assert len(letters) == len(POISON)
    for name, (payload, reason) in POISON.items():
        assert said[payload][0] == reason, name
        assert said[payload][1], name
    for _, _, detail, path, hint in letters:
        assert path.startswith("$")
        assert "Traceback" not in detail + hint
        assert "psycopg" not in detail + hint

    told = [harness.feedback.get(timeout=10) for _ in POISON]
    assert sorted(message["reason"] for _, message in told) == sorted(
        reason for _, reason in POISON.values()
    )
    for topic, message in told:
        assert topic == message["topic"].replace("/observations", "/errors")
        assert {"reason", "detail", "path", "hint", "received_at", "payload_excerpt"} <= set(
            message
        )

    harness.process.stop()
    assert harness.process._ingest._spool.waiting_messages == 0
    # in the same session the broker first sends once more what is not acknowledged
    again = running_ingest(
        tmp_path, broker=mqtt_broker, redis_url=redis_url, database_url=harness.url
    )
    with again as process:
        harness.send(reading(time=(NOW - timedelta(minutes=6)).isoformat()), "g0")
        assert len(harness.wait_for("SELECT 1 FROM observation", len(good) + 1)) == len(good) + 1
        assert process._ingest._metrics.received._value.get() == 1
    assert harness.rows("SELECT count(*) FROM dead_letter") == [(len(letters),)]


def test_an_unknown_device_is_told_on_its_own_topic_and_its_message_kept(
    harness: Harness,
) -> None:
    harness.send(reading(), "stranger")
    ((reason, payload),) = harness.wait_for("SELECT reason, payload FROM dead_letter", 1)
    assert (reason, bytes(payload)) == ("unknown_device", reading())
    topic, message = harness.feedback.get(timeout=10)
    assert topic == "cityos/v1/t/acme/stranger/errors"
    assert "register" in message["hint"]


def test_of_an_array_the_good_readings_are_stored_and_the_bad_ones_named(
    harness: Harness,
) -> None:
    payload = [
        json.loads(reading()),
        json.loads(reading(property="mood")),
        json.loads(reading(time=(NOW - timedelta(seconds=1)).isoformat(), value=900)),
        json.loads(reading(time=(NOW - timedelta(seconds=2)).isoformat())),
    ]
    harness.send(json.dumps(payload).encode())
    assert len(harness.wait_for("SELECT value FROM observation", 2)) == 2
    assert harness.wait_for("SELECT path, reason FROM dead_letter ORDER BY path", 2) == [
        ("$[1]", "unknown_property"),
        ("$[2]", "out_of_range"),
    ]


def test_a_device_cannot_make_series_without_end(harness: Harness) -> None:
    payload = [
        json.loads(reading(property="air_temperature", dataset=f"d{number}"))
        for number in range(1000)
    ]
    harness.send(json.dumps(payload).encode())
    harness.send(reading(property="air_temperature", dataset="one more"))
    assert harness.wait_for("SELECT reason FROM dead_letter", 1) == [("too_many_series",)]
    assert harness.rows("SELECT count(*) FROM series") == [(1000,)]


def test_a_device_that_floods_with_rubbish_is_told_now_and_then(harness: Harness) -> None:
    for _ in range(300):
        harness.vendor.publish("cityos/v1/t/acme/g1/observations", b"rubbish", qos=1)
    harness.send(reading(), "g2")
    assert len(harness.wait_for("SELECT 1 FROM dead_letter", 300)) == 300
    assert harness.wait_for("SELECT 1 FROM observation", 1) == [(1,)]
    wait_until(lambda: not harness.feedback.empty())
    time.sleep(0.5)
    assert 1 <= harness.feedback.qsize() <= 60


def test_a_device_registered_later_is_heard_within_seconds(harness: Harness) -> None:
    harness.send(reading(), "late")
    harness.wait_for("SELECT 1 FROM dead_letter", 1)
    database = Database(harness.url, application="register", max_size=1)
    entity = "urn:ngsi-ld:WaterLevelGauge:t:1"
    PostgresRegistry(database).put_devices(
        "t", [Device(vendor="acme", id="late", adapter="cityos_json", entity=entity)]
    )
    database.close()

    def is_heard() -> bool:
        harness.send(reading(), "late")
        time.sleep(0.3)
        return harness.rows("SELECT value FROM observation") == [(1.5,)]

    wait_until(is_heard, timeout_s=10)
