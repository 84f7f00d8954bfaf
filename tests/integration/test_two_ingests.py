"""Two ingest processes of one city: each says of the other, and nothing gets lost."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from cityos.clock import SystemClock
from cityos.ingest.clock_watch import ClockWatch
from cityos.ingest.metrics import IngestMetrics
from cityos.ingest.neighbours import Neighbours
from cityos.ports import OtherNode
from cityos.runtime.broker import MqttBroker
from cityos.testing.builders import NOON
from tests.faults.ledger import register_city
from tests.ingest_town import IngestTown, connected, running_ingest
from tests.waiting import wait_until

READING = json.dumps(
    {"property": "water_level", "value": 1.5, "time": SystemClock().now().isoformat()}
).encode()


def test_the_second_says_at_once_that_another_is_at_work_and_what_it_costs(
    tmp_path: Path,
    mqtt_broker: MqttBroker,
    redis_url: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cityos.ingest.neighbours._EVERY_S", 0.2)
    register_city(database_url)
    notices: tuple[dict[str, str], ...] = ({}, {})
    metrics = CollectorRegistry(), CollectorRegistry()
    with ExitStack() as both:

        def start(number: int) -> None:
            both.enter_context(
                running_ingest(
                    tmp_path / str(number),
                    broker=mqtt_broker,
                    redis_url=redis_url,
                    database_url=database_url,
                    notices=notices[number],
                    metrics=metrics[number],
                )
            )

        def others(number: int) -> float | None:
            return metrics[number].get_sample_value("cityos_ingest_others")

        vendor = both.enter_context(connected(mqtt_broker))
        town = IngestTown(database_url, vendor)
        start(0)
        wait_until(lambda: bool(town.rows("SELECT FROM pg_locks WHERE locktype = 'advisory'")))
        assert notices[0] == {}
        with capture_logs() as logs:
            start(1)
            wait_until(lambda: bool(notices[1]))
            wait_until(lambda: others(0) == others(1) == 1)
        (first, _) = town.rows("SELECT spool FROM ingest_node ORDER BY id")
        ((subject, text),) = notices[1].items()
        assert subject == f"node {first[0]}"
        assert "each raw message is stored twice" in text
        said = [line for line in logs if line["event"].startswith("another ingest stores")]
        assert str(first[0]) in {line["spool"] for line in said}

        town.publish("g1", READING)
        assert len(town.wait_for("SELECT FROM raw_message", 2)) == 2
        assert len(town.rows("SELECT FROM observation")) == 1


class Nodes:
    def __init__(self) -> None:
        self.found: list[OtherNode] = []

    def others(self, _spool: UUID) -> list[OtherNode]:
        return self.found

    def newest_receipt(self) -> None:
        return None

    def close(self) -> None: ...


def test_whatever_goes_wrong_with_looking_ingest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that died would have the whole process restarted, and again after that."""
    monkeypatch.setattr("cityos.ingest.neighbours._EVERY_S", 0.01)
    nodes, metrics = Nodes(), IngestMetrics(CollectorRegistry())
    other = OtherNode(uuid4(), NOON, "", same_spool=False)
    nodes.found = [other]
    shown: list[str] = []

    def put(subject: str, _text: str) -> None:
        shown.append(subject)
        if len(shown) == 1:
            raise RuntimeError

    neighbours = Neighbours(
        nodes,
        uuid4(),
        clock_watch=ClockWatch(SystemClock(), metrics, put),
        metrics=metrics,
        put=put,
    )
    with capture_logs() as logs:
        neighbours.start()
        wait_until(lambda: len(shown) == 2)
        assert neighbours.is_alive
        neighbours.stop()
    assert "who else ingests could not be found out" in {line["event"] for line in logs}


def test_a_copy_of_the_spool_is_named_when_it_is_no_ghost_of_our_forerunner() -> None:
    nodes, spool, shown = Nodes(), uuid4(), dict[str, str]()
    metrics = IngestMetrics(CollectorRegistry())
    neighbours = Neighbours(
        nodes,
        spool,
        clock_watch=ClockWatch(SystemClock(), metrics, shown.__setitem__),
        metrics=metrics,
        put=shown.__setitem__,
    )
    twin = OtherNode(spool, NOON, "10.0.0.7", same_spool=True)
    nodes.found = [twin]
    neighbours.look()
    assert shown == {}
    nodes.found = []
    neighbours.look()
    nodes.found = [twin]
    neighbours.look()
    assert shown == {}
    neighbours.look()
    assert "at 10.0.0.7" in shown[f"node {spool}"]
    assert "messages get lost" in shown[f"node {spool}"]
    nodes.found = []
    neighbours.look()
    assert shown == {f"node {spool}": ""}
