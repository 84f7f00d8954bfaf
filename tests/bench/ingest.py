"""How fast ingest is against a bare receiver, what it costs, and how soon a reading is there."""

from __future__ import annotations

import json
import statistics
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.load import reading, topic_of
from tests.bench.stage import DEVICES, TENANT, VENDOR, Lanes, Stage, cpu_s

_PROBE_EVERY_S = 0.02
_WATCH_EVERY_S = 0.002
_ASK_EVERY_S = 0.02


@dataclass(frozen=True)
class Run:
    """Messages a second, and CPU microseconds a message by process."""

    rate: float
    cpu_us: dict[str, float]


def receive(stage: Stage, messages: int, lanes: Lanes) -> Run:
    publisher = stage.publisher(messages, lanes=lanes)
    receiver = stage.receiver(messages)
    assert receiver.stdout is not None
    receiver.stdout.readline()
    parts = {"broker": stage.broker.child.pid, "publisher": publisher.child.pid}
    parts["receiver"] = receiver.pid
    before = {name: cpu_s(pid) for name, pid in parts.items()}
    started = time.perf_counter()
    publisher.go()
    line = receiver.stdout.readline()  # it waits afterwards, so its CPU time can be read
    seconds = time.perf_counter() - started
    json.loads(line)
    cost = {
        name: (cpu_s(pid) - before[name]) / messages * 1e6
        for name, pid in parts.items()
        if name != "receiver"
    }
    publisher.done()
    stage.end(publisher.child, receiver)
    return Run(messages / seconds, cost)


def ingest(stage: Stage, messages: int, lanes: Lanes) -> Run:
    """From the first message to the last row, in a city that has heard of its devices before."""
    url = stage.new_city()
    publisher = stage.publisher(messages, lanes=lanes)
    child = stage.cityos("ingest", database_url=url)
    with psycopg.connect(url, autocommit=True) as connection:
        wait_for_ingest(connection)
        hear_from_each_device(stage, connection)
        parts = {
            "broker": stage.broker.child.pid,
            "publisher": publisher.child.pid,
            "ingest": child.pid,
            "postgres": stage.postgres.child.pid,
        }
        before = {name: cpu_s(pid) for name, pid in parts.items()}
        started = time.perf_counter()
        publisher.go()
        while stored_up_to(connection) <= DEVICES + messages:
            time.sleep(_ASK_EVERY_S)
        seconds = time.perf_counter() - started
        cost = {n: (cpu_s(pid) - before[n]) / messages * 1e6 for n, pid in parts.items()}
        found = connection.execute("SELECT count(*) FROM observation").fetchone()
        assert found == (DEVICES + messages,), f"{found} of {DEVICES} + {messages} rows"
    publisher.done()
    stage.end(publisher.child, child)
    stage.forget_ingest_session(url)
    return Run(messages / seconds, cost)


def wait_for_ingest(connection: psycopg.Connection) -> None:
    """Return when ingest has introduced itself and its subscription stands."""
    end = time.monotonic() + 30
    while not connection.execute("SELECT 1 FROM ingest_node").fetchone():
        assert time.monotonic() < end, "ingest did not start"
        time.sleep(0.1)
    time.sleep(1.0)


def hear_from_each_device(stage: Stage, connection: psycopg.Connection) -> None:
    """A device's first message has its series and its origin numbered."""
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    first = stage.publisher(DEVICES, start=an_hour_ago.isoformat())
    first.go()
    while stored_up_to(connection) <= DEVICES:
        time.sleep(0.05)
    first.done()
    stage.end(first.child)


def stored_up_to(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT max(stored_up_to) FROM ingest_node").fetchone()
    return int(row[0]) if row else 0


def publish_to_queryable_ms(stage: Stage, rate: float, seconds: float) -> dict[str, float]:
    """Percentiles from a probe's publish to its row being there for a query, under load."""
    url = stage.new_city()
    publisher = stage.publisher(int(rate * seconds), rate=rate)
    child = stage.cityos("ingest", database_url=url)
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(VENDOR, stage.broker.passwords[VENDOR])
    client.connect("127.0.0.1", stage.broker.port)
    client.loop_start()
    sent: list[tuple[datetime, float]] = []
    seen: list[tuple[datetime, float]] = []
    stopping = threading.Event()

    def watch() -> None:
        """Ask for one row by its key: what asks must not be what is measured."""
        number = "SELECT id FROM series WHERE property = 'relative_humidity'"
        newest = "SELECT observed_at FROM latest WHERE series_id = %s"
        with psycopg.connect(url, autocommit=True) as connection:
            while (series := connection.execute(number).fetchone()) is None:
                if stopping.wait(0.05):
                    return
            last = None
            while not stopping.wait(_WATCH_EVERY_S):
                row = connection.execute(newest, series, prepare=True).fetchone()
                if row is not None and row[0] != last:
                    last = row[0]
                    seen.append((last, time.perf_counter()))

    with psycopg.connect(url, autocommit=True) as connection:
        wait_for_ingest(connection)
        hear_from_each_device(stage, connection)
    watcher = threading.Thread(target=watch)
    watcher.start()
    publisher.go()
    time.sleep(1.0)
    end = time.perf_counter() + seconds - 2.0
    while time.perf_counter() < end:
        at = datetime.now(UTC)
        body = reading(at, 50.0).replace(b"air_temperature", b"relative_humidity")
        body = body.replace(b'"Cel"', b'"%"')
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        sent.append((at, time.perf_counter()))
        client.publish(topic_of(TENANT, VENDOR, 0), body, qos=1)
        time.sleep(_PROBE_EVERY_S)
    time.sleep(1.5)
    stopping.set()
    watcher.join()
    publisher.done()
    client.disconnect()
    client.loop_stop()
    stage.end(publisher.child, child)
    stage.forget_ingest_session(url)
    return percentiles(
        [
            (min(shown for newest, shown in seen if newest >= at) - then) * 1000
            for at, then in sent
            if any(newest >= at for newest, _ in seen)
        ]
    )


def percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "samples": float(len(values))}
