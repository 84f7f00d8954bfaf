"""A server starts with a wrong clock and refuses what is right; nothing of it is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import CliRunner

from cityos.cli import app
from cityos.cli.invocation import console
from cityos.clock import SystemClock
from cityos.domain.observation import Quality
from cityos.errors import InvalidRequest
from cityos.ports import FIRST_RECEIPT
from cityos.runtime.broker import MqttBroker
from tests.faults.ledger import register_city
from tests.ingest_town import IngestTown, at_the_console, connected, running_ingest
from tests.waiting import wait_until

NOW = SystemClock().now().replace(microsecond=0)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)
TO_2000 = datetime(2000, 1, 1, tzinfo=UTC) - NOW
VALUES = "SELECT observed_at, received_at, quality FROM observation ORDER BY observed_at"
REASONS = "SELECT reason FROM dead_letter ORDER BY id"
WAITING = "SELECT payload FROM dead_letter WHERE replayed_at IS NULL"


@dataclass
class WrongClock(SystemClock):
    by: timedelta

    def now(self) -> datetime:
        return super().now() + self.by


@dataclass
class Town(IngestTown):
    clock: WrongClock
    notices: dict[str, str] = field(default_factory=dict)

    def say(self, *times: datetime | None) -> None:
        """One message a time; without a time: a reading without one."""
        for observed_at in times:
            self.publish("g1", json.dumps(reading(observed_at)).encode())


Start: TypeAlias = Callable[[timedelta], AbstractContextManager[Town]]


def reading(observed_at: datetime | None) -> dict[str, object]:
    time = {"time": observed_at.isoformat()} if observed_at else {}
    return {"property": "water_level", "value": 1.5, **time}


@pytest.fixture
def start(
    tmp_path: Path,
    mqtt_broker: MqttBroker,
    redis_url: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    _logs_as_before: None,
) -> Start:
    mqtt_url = mqtt_broker.url_for("replay")
    at_the_console(monkeypatch, tmp_path, database_url=database_url, mqtt_url=mqtt_url)
    monkeypatch.setattr(console, "_width", 300)
    register_city(database_url)

    @contextmanager
    def start(by: timedelta) -> Iterator[Town]:
        clock, notices = WrongClock(by), dict[str, str]()
        ingest = running_ingest(
            tmp_path,
            broker=mqtt_broker,
            redis_url=redis_url,
            database_url=database_url,
            clock=clock,
            notices=notices,
        )
        with ingest, connected(mqtt_broker) as vendor:
            yield Town(database_url, vendor, clock, notices)

    return start


def replay(*words: str) -> str:
    result = CliRunner().invoke(app, ["dead-letters", "replay", *words])
    if result.exception:
        raise result.exception
    return result.stdout


def test_what_a_clock_years_behind_refused_is_stored_once_it_is_right(start: Start) -> None:
    with start(TO_2000) as town:
        wait_until(lambda: "it says 2000-01-01T" in town.notices.get("past", ""))
        town.say(NOW - 2 * MINUTE, NOW + DAY, NOW - 20 * YEAR)
        town.publish("g1", json.dumps([reading(NOW - MINUTE), reading(None)]).encode())
        assert town.wait_for(REASONS, 4) == [("implausible_time",)] * 4
        ((assumed, _, quality),) = town.wait_for(VALUES, 1)
        assert (assumed.year, quality) == (2000, Quality.TIME_ASSUMED)

        town.clock.by = timedelta(0)
        wait_until(lambda: not town.notices["past"])
        assert "without a time of their own stand at a wrong one" in town.notices["set"]
        said = replay()
        assert "handed to the broker: 1 messages, for 1 of the 4 dead letters" in said
        assert "is in the future (id 2)" in said
        assert "is more than ten years back (id 3)" in said
        assert "left out: 1, without a time of its own" in said
        _, (stored, received_at, quality) = town.wait_for(VALUES, 2)
        assert (stored, quality) == (NOW - 2 * MINUTE, Quality.GOOD)
        assert received_at >= NOW, "it came when it was replayed, as nobody knows when it did"

        assert "handed to the broker: 0 messages" in replay()
        assert "handed to the broker: 1 messages" in replay("--again", "--id", "1")
        assert "handed to the broker: 1 messages" in replay("--now")
        assert [row[0] for row in town.wait_for(VALUES, 4)][2] == NOW - MINUTE
        assert len(town.rows(REASONS)) == 4, "nothing is refused again"


def test_what_a_clock_hours_behind_refused_is_stored_with_a_word_from_a_person(
    start: Start,
) -> None:
    """A server that was off without a battery goes on where it stopped: that can be true."""
    with start(-2 * DAY) as town:
        town.say(NOW - DAY)  # of a device that is a day ahead, under a clock that is right
        town.wait_for(REASONS, 1)
        town.clock.by = -3 * HOUR
        wait_until(lambda: "set" in town.notices)
        before = town.notices["set"]
        town.say(NOW - MINUTE, NOW + DAY)
        town.wait_for(REASONS, 3)
        town.clock.by = timedelta(0)
        wait_until(lambda: town.notices["set"] != before)

        said = replay()
        assert "handed to the broker: 0 messages" in said
        assert "was it this server's clock that was wrong? --clock-was-wrong --since" in said
        found = re.search("`cityos dead-letters replay (.*?)`", town.notices["set"])
        assert found is not None
        said = replay(*found[1].split())
        assert "handed to the broker: 1 messages, for 1 of the 2 dead letters" in said
        assert [row[0] for row in town.wait_for(VALUES, 1)] == [NOW - MINUTE]
        assert len(town.rows(WAITING)) == 2


@pytest.mark.usefixtures("start")
def test_a_clock_that_was_wrong_was_so_at_some_time() -> None:
    with pytest.raises(
        InvalidRequest, match="--clock-was-wrong needs --since and --until, or --id"
    ):
        replay("--clock-was-wrong")


def test_a_clock_behind_what_the_store_has_is_named_at_the_start(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cityos.bootstrap.ingest._installed_at", lambda: FIRST_RECEIPT)
    with start(timedelta(0)) as town:
        town.say(NOW)
        town.wait_for(VALUES, 1)
    with start(-HOUR) as town:
        wait_until(lambda: "it says " in town.notices.get("past", ""))
