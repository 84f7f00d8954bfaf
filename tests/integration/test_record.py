"""What devices sent, recorded and replayed: the same day once more, as an exercise."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest
from typer.testing import CliRunner

from cityos.cli import app
from cityos.domain import topic
from cityos.domain.entity import Device, Entity, Name, Tenant
from cityos.errors import CityOSError, Unavailable
from cityos.ports import IngestBatch, Origin, RawBlock
from cityos.runtime.broker import MqttBroker
from cityos.storage import raw_messages
from cityos.storage.database import Database
from cityos.storage.raw_messages import PostgresRawMessages
from cityos.storage.registry import PostgresRegistry
from cityos.storage.writer import PostgresObservationWriter
from tests.ingest_town import IngestTown, at_the_console, connected, running_ingest

NOW = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - a device's own clock
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
READINGS = """
SELECT s.entity_id, s.property, o.observed_at, o.value
FROM observation o JOIN series s ON s.id = o.series_id WHERE s.dataset = %s ORDER BY 1, 2, 3
"""
DEVICES = {"koya": "cityos_json", "exercise": "cityos_json", "gateway": "senml"}


def register(url: str) -> None:
    database = Database(url, application="register", max_size=1)
    registry = PostgresRegistry(database)
    registry.put_tenant(Tenant(id="t", name=Name("T", "T")))
    urns = {device: f"urn:ngsi-ld:WaterLevelGauge:t:{device}" for device in DEVICES}
    registry.put_entities(
        "t", [Entity(id=urn, type="WaterLevelGauge", name=Name("G", "G")) for urn in urns.values()]
    )
    registry.put_devices(
        "t",
        [
            Device(vendor="acme", id=device, adapter=adapter, entity=urns[device])
            for device, adapter in DEVICES.items()
        ],
    )
    database.close()


class Town(IngestTown):
    """Tenant ``t`` with a running ingest."""

    def readings(self, count: int, run: str = "") -> list[Any]:
        """What is stored for real or of an exercise, when there is so much of it."""
        dataset, end = f"urn:cityos:exercise:{run}" if run else "", time.monotonic() + 15
        while len(rows := self.rows(READINGS, dataset)) < count and time.monotonic() < end:
            time.sleep(0.05)
        return rows


@pytest.fixture
def town(
    tmp_path: Path,
    mqtt_broker: MqttBroker,
    redis_url: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    _logs_as_before: None,
) -> Iterator[Town]:
    mqtt_url = mqtt_broker.url_for("rehearsal")
    at_the_console(monkeypatch, tmp_path, database_url=database_url, mqtt_url=mqtt_url)
    register(database_url)
    with (
        running_ingest(
            tmp_path, broker=mqtt_broker, redis_url=redis_url, database_url=database_url
        ),
        connected(mqtt_broker) as vendor,
    ):
        yield Town(database_url, vendor)


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words)
    if isinstance(result.exception, CityOSError):
        raise result.exception
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def reading(device: str, value: float, **more: Any) -> tuple[str, bytes]:
    return device, json.dumps({"property": "water_level", "value": value, **more}).encode()


def pack(device: str, *records: dict[Any, Any]) -> tuple[str, bytes]:
    return device, cbor2.dumps([{0: "water_level", **record} for record in records])


def test_a_replay_of_a_recording_says_the_same_at_the_same_times(
    town: Town, tmp_path: Path, mqtt_broker: MqttBroker
) -> None:
    own = (NOW - timedelta(hours=3)).isoformat()
    for device, payload in (
        reading("koya", 1.0, time=own),
        reading("koya", 1.5),  # without a time: that of receipt
        reading("exercise", 2.0),
        pack("gateway", {2: 3.0, 6: -600}, {2: 3.5}),  # ten minutes ago, and now; not UTF-8
        ("koya", b"\xff rubbish"),
    ):
        town.publish(device, payload)
    with connected(mqtt_broker, "rehearsal") as rehearsal:
        drill = topic.observations("t", "acme", "koya", "drill")
        rehearsal.publish(drill, reading("koya", 9.0)[1], qos=1).wait_for_publish(10)
    said = town.readings(5)
    assert len(said) == 5
    assert len(town.readings(1, "drill")) == 1

    since, until = NOW - timedelta(days=40), NOW + timedelta(days=1)
    told = run("record", "day.jsonl", "--since", str(since.date()), "--until", until.isoformat())
    assert "written: 5 messages of 3 devices to day.jsonl" in told
    assert re.search(r"10 days, \S+ of the asked time lies before .* kept for 30 days", told)
    assert f"replay {tmp_path / 'day.jsonl'} --speed 60" in told

    replayed = run("replay", "day.jsonl", "--speed", "max", "--run", "again")
    assert "5 messages published" in replayed
    assert "refused by the city: 1 (undecodable: 1)" in replayed
    assert town.readings(5, "again") == said
    assert town.readings(5) == said

    once_more = run(
        "record", "again.jsonl", "--since", str(since.date()), "--until", until.isoformat()
    )
    assert "written: 5 messages" in once_more, "an exercise is no part of what was sent for real"
    assert Path("again.jsonl").read_bytes() == Path("day.jsonl").read_bytes()


# --- the store ----------------------------------------------------------------------------------


class Kept:
    """Messages in the store, each received at a time of our choice."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, application="test", max_size=2)
        self.messages = PostgresRawMessages(self.database)
        self._writer = PostgresObservationWriter(self.database)
        self._next_id = 1

    def keep(
        self,
        at: datetime,
        payloads: Iterable[bytes],
        *,
        tenant: str = "t",
        vendor: str = "acme",
        exercise: str = "",
    ) -> None:
        where = topic.observations(tenant, vendor, "koya", exercise)
        origin = self._writer.origin(Origin(tenant, vendor, "koya", where, "cityos_json@1"))
        block = RawBlock(self._next_id, at, [], list(payloads))
        block.origins.extend([origin] * len(block.payloads))
        self._writer.store(IngestBatch(raw=[block]))
        self._next_id += len(block.payloads) + 1

    def sent(self, since: datetime, until: datetime, **rest: str) -> list[bytes]:
        return [message.payload for message in self.messages.sent("t", since, until, **rest)]


@pytest.fixture
def kept(database_url: str) -> Iterator[Kept]:
    made = Kept(database_url)
    yield made
    made.database.close()


def test_messages_come_in_the_order_of_receipt_over_days(kept: Kept) -> None:
    days = [NOON + timedelta(days=days) for days in (0, 3, 1)]
    for day in days:  # stored in another order than received, as by two ingest nodes
        kept.keep(day, [b"%d-%d" % (day.day, number) for number in range(100)])
    expected = [b"%d-%d" % (day.day, number) for day in sorted(days) for number in range(100)]

    assert kept.sent(NOON - timedelta(days=9), NOON + timedelta(days=9)) == expected
    assert kept.sent(NOON, NOON + timedelta(days=1)) == expected[:100], "the end is not in it"
    assert kept.sent(NOON + timedelta(seconds=1), NOON + timedelta(days=1)) == []


def test_only_what_the_citys_own_devices_sent_for_real(kept: Kept) -> None:
    kept.keep(NOON, [b"real"])
    kept.keep(NOON, [b"other vendor"], vendor="other")
    kept.keep(NOON, [b"other city"], tenant="u")
    kept.keep(NOON, [b"exercise"], exercise="observations")
    a_day = NOON, NOON + timedelta(days=1)

    assert kept.sent(*a_day) == [b"real", b"other vendor"]
    assert kept.sent(*a_day, vendor="other") == [b"other vendor"]
    assert kept.sent(*a_day, vendor="nobody") == []


def test_a_day_that_was_not_asked_for_is_not_looked_at(kept: Kept) -> None:
    for day in (0, 5):
        kept.keep(NOON + timedelta(days=day), [b"x"])
    with kept.database.connection() as connection:
        parameters = {"since": NOON, "until": NOON + timedelta(hours=1), "origins": [1]}
        plan = connection.execute(f"EXPLAIN {raw_messages._SENT}".encode(), parameters).fetchall()
    assert sum(" Scan on " in line and "generate_series" not in line for (line,) in plan) == 1


def test_a_store_that_is_too_slow_is_said_to_be(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.keep(NOON, [b"x"])
    monkeypatch.setattr(raw_messages, "_SLOW", "SET LOCAL statement_timeout = '100ms'")
    slow = raw_messages._SENT.replace("WHERE", ", pg_sleep(5) WHERE", 1)
    monkeypatch.setattr(raw_messages, "_SENT", slow)
    with pytest.raises(Unavailable, match="ask for hours instead, or for one vendor"):
        kept.sent(NOON, NOON + timedelta(hours=1))
