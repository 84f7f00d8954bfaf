"""How soon a reading is there for a query, while others come in at some rate."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.ingest import hear_from_each_device, wait_for_ingest
from tests.bench.load import reading, topic_of
from tests.bench.stage import TENANT, VENDOR, Stage

_PROBE_EVERY_S = 0.02
_WATCH_EVERY_S = 0.002
_PATIENCE_S = 30.0
_SERIES = "SELECT id FROM series WHERE property = 'relative_humidity'"
_NEWEST = "SELECT observed_at FROM latest WHERE series_id = %s"
"""One row by its key: what asks must not be what is measured."""


class Moment(NamedTuple):
    """A time that a probe bears, and when it was sent or seen (``time.perf_counter``)."""

    observed_at: datetime
    at_s: float


def publish_to_queryable_ms(stage: Stage, rate: float, seconds: float) -> dict[str, float]:
    """Percentiles from a probe's publish to its row being there for a query, under load."""
    url = stage.new_city()
    publisher = stage.publisher(int(rate * seconds), rate=rate)
    child = stage.cityos("ingest", database_url=url)
    with psycopg.connect(url, autocommit=True) as connection:
        wait_for_ingest(connection)
        hear_from_each_device(stage, connection)
    watch = Watch(url)
    watch.start()
    publisher.go()
    time.sleep(1.0)
    sent = _probes(stage, seconds - 2.0)
    watch.wait_for(sent[-1].observed_at)
    publisher.done()
    stage.end(publisher.child, child)
    stage.leave_city(url)
    return percentiles([(watch.first_seen_s(one) - one.at_s) * 1000 for one in sent])


def _probes(stage: Stage, seconds: float) -> list[Moment]:
    """Publish a reading of one series again and again."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(VENDOR, stage.broker.passwords[VENDOR])
    client.connect("127.0.0.1", stage.broker.port)
    client.loop_start()
    sent: list[Moment] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        at = datetime.now(UTC)
        body = reading(at, 50.0).replace(b"air_temperature", b"relative_humidity")
        body = body.replace(b'"Cel"', b'"%"')
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        sent.append(Moment(at, time.perf_counter()))
        client.publish(topic_of(TENANT, VENDOR, 0), body, qos=1)
        time.sleep(_PROBE_EVERY_S)
    client.disconnect()
    client.loop_stop()
    return sent


class Watch:
    """Asks the store for the newest probe, as often as it can without being a load itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._seen: list[Moment] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def wait_for(self, observed_at: datetime) -> None:
        """Return when this probe or a later one was seen."""
        end = time.monotonic() + _PATIENCE_S
        while not self._seen or self._seen[-1].observed_at < observed_at:
            assert time.monotonic() < end, "the last probe was never queryable"
            time.sleep(_WATCH_EVERY_S)
        self._stopping.set()
        self._thread.join()

    def first_seen_s(self, probe: Moment) -> float:
        return next(at_s for newest, at_s in self._seen if newest >= probe.observed_at)

    def _run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while (series := connection.execute(_SERIES).fetchone()) is None:
                if self._stopping.wait(_PROBE_EVERY_S):
                    return
            while not self._stopping.wait(_WATCH_EVERY_S):
                row = connection.execute(_NEWEST, series, prepare=True).fetchone()
                if row is not None and (not self._seen or row[0] != self._seen[-1].observed_at):
                    self._seen.append(Moment(row[0], time.perf_counter()))


def percentiles(values: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "samples": float(len(values))}
