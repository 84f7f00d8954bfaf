"""How fast ingest is against a bare receiver, and what it costs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from tests.bench.stage import DEVICES, Lanes, Stage, cpu_s

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
    stage.leave_city(url)
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
