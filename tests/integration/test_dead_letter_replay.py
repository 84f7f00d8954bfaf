"""A vendor was refused, the mistake is mended, and what was refused is in the store after all."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from cityos.cli import app
from cityos.cli.invocation import console
from cityos.domain.entity import Device
from cityos.errors import CityOSError, InvalidRequest, NotFound, Unavailable
from cityos.runtime.broker import MqttBroker
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry
from tests.faults.ledger import entity_of, register_city
from tests.ingest_town import IngestTown, at_the_console, connected, running_ingest

NOW = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - a device's own clock
_LEARNS_S = 1.3
"""Ingest looks for new devices once a second."""


def reading(device: str, minute: int = 0, **changes: Any) -> tuple[str, bytes]:
    said = {"property": "water_level", "value": 1.5, "time": _time(minute), **changes}
    return device, json.dumps(said).encode()


def _time(minute: int) -> str:
    return (NOW - timedelta(minutes=minute)).isoformat()


class Town(IngestTown):
    def say(self, *messages: tuple[str, bytes]) -> None:
        for device, payload in messages:
            self.publish(device, payload)

    def register(self, device: str) -> None:
        database = Database(self.url, application="register", max_size=1)
        mended = Device(vendor="acme", id=device, adapter="cityos_json", entity=entity_of(0))
        PostgresRegistry(database).put_devices("t", [mended])
        database.close()
        time.sleep(_LEARNS_S)


@pytest.fixture
def _settings(
    tmp_path: Path,
    mqtt_broker: MqttBroker,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    _logs_as_before: None,
) -> None:
    mqtt_url = mqtt_broker.url_for("replay")
    at_the_console(monkeypatch, tmp_path, database_url=database_url, mqtt_url=mqtt_url)
    columns(monkeypatch, 200)


@pytest.fixture
def town(
    tmp_path: Path, mqtt_broker: MqttBroker, redis_url: str, database_url: str, _settings: None
) -> Iterator[Town]:
    register_city(database_url)
    ingest = running_ingest(
        tmp_path, broker=mqtt_broker, redis_url=redis_url, database_url=database_url
    )
    with ingest, connected(mqtt_broker) as vendor:
        yield Town(database_url, vendor)


def columns(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Make the terminal so wide: where COLUMNS was set at the start, it is not read again."""
    monkeypatch.setattr(console, "_width", count)


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["dead-letters", *words])
    if isinstance(result.exception, CityOSError):
        raise result.exception
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


VALUES = "SELECT observed_at FROM observation"
LETTERS = "SELECT id, reason FROM dead_letter ORDER BY id"


def test_what_an_unregistered_device_said_is_stored_once_it_is_registered(town: Town) -> None:
    town.say(reading("new", 1), reading("new", 2), reading("g1", unit="shaku"))
    (first, *_), *_ = town.wait_for(LETTERS, 3)
    assert run("list").count("unknown_device") == 2
    assert run("list", "--reason", "unknown_unit").count("acme/g1") == 1

    said = run("replay")
    assert "handed to the broker: 0 messages" in said
    assert "left out: 2, still refused: unknown_device" in said
    assert "left out: 1, still refused: unknown_unit" in said
    assert said.count(f"(id {first}, {first + 1})") == 1

    town.register("new")
    assert "handed to the broker: 1 messages" in run("replay", "--id", str(first))
    assert f"replayed before (--again sends it once more): {first}" in run(
        "replay", "--id", str(first)
    )
    assert "handed to the broker: 1 messages, for 1 of the 1 dead letters" in run(
        "replay", "--reason", "unknown_device"
    )
    stored = town.wait_for(VALUES, 2)
    assert sorted(at for (at,) in stored) == [
        NOW - timedelta(minutes=2),
        NOW - timedelta(minutes=1),
    ]

    assert "handed to the broker: 0 messages" in run("replay")
    assert "handed to the broker: 2 messages" in run(
        "replay", "--again", "--reason", "unknown_device"
    )
    time.sleep(0.5)
    assert len(town.rows(VALUES)) == 2, "the same reading again changes nothing"
    assert len(town.rows(LETTERS)) == 3, "nothing that is sent again is refused again"


def test_a_reading_without_a_time_is_not_given_the_time_of_the_replay_unasked(town: Town) -> None:
    town.say(("new", b'{"property": "water_level", "value": 1.5}'))
    town.wait_for(LETTERS, 1)
    town.register("new")
    said = run("replay")
    assert "handed to the broker: 0 messages" in said
    assert "left out: 1, without a time of its own" in said
    assert "--now" in said
    assert "handed to the broker: 1 messages" in run("replay", "--now")
    assert len(town.wait_for(VALUES, 1)) == 1


def test_the_list_is_readable_in_a_narrow_terminal(town: Town, monkeypatch: Any) -> None:
    assert run("list") == "nothing is kept that was refused\n"
    town.say(reading("g1", unit="shaku"), reading("g1", entity="urn:ngsi-ld:Secret:elsewhere"))
    town.wait_for(LETTERS, 2)
    columns(monkeypatch, 60)
    listed = run("list")
    words = listed.split()
    assert max(map(len, listed.splitlines())) <= 60
    assert words.count("acme/g1") == 2
    assert {"unknown_unit", "unknown_entity", "'urn:ngsi-ld:Secret:elsewhere'"} <= set(words)


def test_what_a_vendor_wrote_is_shown_as_it_is(town: Town, monkeypatch: Any) -> None:
    """Not as markup of the table, which would hide it or end the listing."""
    town.say(reading("g1", 1, property="[/b][int]"))
    town.wait_for(LETTERS, 1)
    columns(monkeypatch, 300)
    assert "'[/b][int]' is not known" in run("list")


def test_a_clock_that_was_ahead_is_not_mended_by_waiting(town: Town) -> None:
    town.say(reading("g1", -60))
    town.wait_for(LETTERS, 1)
    with psycopg.connect(town.url) as connection:
        connection.execute("UPDATE dead_letter SET received_at = received_at - interval '1 day'")
    assert "left out: 1, still refused: implausible_time" in run("replay")


def test_of_an_array_what_is_mended_is_stored_and_the_rest_refused_anew(town: Town) -> None:
    good, bad = (
        json.loads(reading("g1", n, **more)[1]) for n, more in ((1, {}), (2, {"unit": "?"}))
    )
    town.say(("new", json.dumps([good, bad]).encode()))
    town.wait_for(LETTERS, 1)
    town.register("new")
    assert "handed to the broker: 1 messages" in run("replay")
    assert len(town.wait_for(VALUES, 1)) == 1
    assert [reason for _, reason in town.wait_for(LETTERS, 2)] == [
        "unknown_device",
        "unknown_unit",
    ]


@pytest.mark.usefixtures("_settings")
def test_without_ingest_nothing_is_taken_for_sent(
    start_own_broker: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker: MqttBroker = start_own_broker()
    if not broker.has_access_list:
        pytest.skip("this broker does not tell that nobody listens")
    monkeypatch.setenv("CITYOS_MQTT_URL", broker.url_for("replay"))
    register_city(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO dead_letter (tenant_id, raw_id, received_at, vendor, device, topic,"
            " payload, reason, detail, path, hint) VALUES ('t', 1, now(), 'acme', 'g1', %s, %s,"
            " 'unknown_device', 'x', '$', '')",
            ("cityos/v1/t/acme/g1/observations", reading("g1")[1]),
        )
    with pytest.raises(Unavailable, match="No matching subscribers"):
        run("replay")
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT replayed_at FROM dead_letter").fetchone() == (None,)


@pytest.mark.usefixtures("_settings")
def test_a_wrong_reason_or_city_is_named(database_url: str) -> None:
    register_city(database_url)
    with pytest.raises(InvalidRequest, match="reason 'unit' is none of undecodable, "):
        run("list", "--reason", "unit")
    with pytest.raises(NotFound):
        run("replay", "--tenant", "nowhere")
