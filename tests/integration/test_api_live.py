"""The live stream: values and alerts as they come, resumed after a loss, bounded for the slow."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from cityos.api import alert_follower
from cityos.api.v1 import mapping
from cityos.api.v1.routes import live
from cityos.clock import SystemClock
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import Proposal
from cityos.runtime.redis_server import RedisServer
from cityos.testing import builders as a
from cityos.testing.clock import ChosenClock
from tests.api_town import Town, api_town

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SETO = a.gauge("seto").id


class Events:
    """What a stream has said so far, by kind."""

    def __init__(self) -> None:
        self.queues: defaultdict[str, queue.Queue[dict[str, str]]] = defaultdict(queue.Queue)

    def next(self, kind: str, within_s: float = 5) -> dict[str, Any]:
        """The next event of the kind."""
        event = self.queues[kind].get(timeout=within_s)
        return {**event, "data": json.loads(event["data"])}

    def none(self, kind: str, for_s: float) -> bool:
        try:
            self.next(kind, for_s)
        except queue.Empty:
            return True
        return False


@contextmanager
def following(town: Town, path: str = "/v1/live", **headers: str) -> Iterator[Events]:
    """Follow in a thread, as an EventSource does."""
    events = Events()
    ready = threading.Event()
    client = httpx2.Client(base_url=town.url, timeout=20)
    stream = client.stream("GET", path, headers=town.headers("", headers))
    response = stream.__enter__()
    assert response.status_code == 200, response.read()
    assert response.headers["content-type"] == "text/event-stream"

    def read() -> None:
        event: dict[str, str] = {}
        try:
            for line in response.iter_lines():
                ready.set()
                name, _, value = line.partition(": ")
                if line:
                    event[name] = value
                elif event:
                    events.queues[event.get("event", "")].put(event)
                    event = {}
        except httpx2.HTTPError:
            pass  # closed at the end of the test

    threading.Thread(target=read, daemon=True).start()
    assert ready.wait(5)
    yield events
    # the other thread is reading: only a shutdown reaches the server at once
    response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    client.close()


@pytest.fixture(scope="module")
def town(module_database_url: str, redis_server: RedisServer) -> Iterator[Town]:
    with api_town(module_database_url, redis_server.url) as town:
        town.put(a.gauge("seto"))
        town.put(a.gauge("seto"), tenant="drill")
        yield town


NUMBERS = count(1)


def later() -> datetime:
    """A time after all that the tests before have stored."""
    return NOW + timedelta(hours=next(NUMBERS))


def situation() -> str:
    return f"flood/{next(NUMBERS)}"


def test_values_come_as_they_are_stored(town: Town) -> None:
    with following(town) as events:
        town.store(SETO, [(later(), 1.5)])
        [item] = events.next("latest")["data"]["items"]
        assert (item["entity"], item["value"], item["unit"]) == (SETO, 1.5, "m")
        [again] = town.get(f"/v1/entities/{SETO}/latest").json()["items"]
        assert item == again
        town.store(SETO, [(NOW, 0.5)])  # late: the newest did not move
        assert events.none("latest", 0.7)


def test_values_are_gathered_for_a_moment(town: Town) -> None:
    with following(town) as events:
        for step in range(10):
            town.store(SETO, [(later(), float(step))])
        seen = [events.next("latest")["data"]["items"][0]["value"]]
        while seen[-1] != 9.0:
            seen += [each["value"] for each in events.next("latest")["data"]["items"]]
        assert len(seen) < 10


def test_a_rehearsals_values_are_asked_for(town: Town) -> None:
    dataset = "urn:cityos:exercise:x"
    with following(town) as real, following(town, f"/v1/live?dataset={dataset}") as drill:
        town.store(SETO, [(later(), 9.0)], dataset=dataset)
        [item] = drill.next("latest")["data"]["items"]
        assert item["dataset"] == dataset
        assert real.none("latest", 0.5)


def test_without_a_bus_values_come_too(database_url: str) -> None:
    with api_town(database_url) as town:
        town.put(a.gauge("seto"))
        with following(town) as events:
            town.store(SETO, [(NOW, 1.5)])
            assert events.next("latest")["data"]["items"][0]["value"] == 1.5


def issue(town: Town, **options: Any) -> str:
    town.alerts.clock.advance(60)
    made = town.alerts.propose(a.assessment(situation()), **options)
    assert made is not None
    alert = town.alerts.approve(made, tenant=options.get("tenant", "town"))
    town.announcer.announce(options.get("tenant", "town"), alert.identifier, alert.status)
    return alert.identifier


def test_alerts_come_as_they_are_issued(town: Town) -> None:
    with following(town) as events:
        identifier = issue(town)
        event = events.next("alert")
        assert event["data"]["identifier"] == identifier
        assert event["data"]["replayed"] is False
        assert event["data"]["infos"][0]["level"] == 4
        assert event["id"]


def test_a_rehearsal_is_never_told_to_those_who_did_not_ask(town: Town) -> None:
    with following(town) as real, following(town, "/v1/live?status=Exercise") as drill:
        identifier = issue(town, occasion=Exercise("typhoon"))
        assert drill.next("alert")["data"]["identifier"] == identifier
        assert real.none("alert", 0.5)
        issue(town)
        assert real.next("alert")["data"]["status"] == "Actual"
        assert drill.none("alert", 0.5)


def test_another_citys_stream_stays_apart(town: Town) -> None:
    with following(town) as ours, following(town, CityOS_Tenant="drill") as theirs:
        town.store(SETO, [(later(), 7.0)], tenant="drill")
        issue(town, occasion=Exercise("practice"), tenant="drill")
        assert theirs.next("latest")["data"]["items"][0]["value"] == 7.0
        assert theirs.next("alert")["data"]["status"] == "Exercise"
        assert ours.none("latest", 0.4)


def test_a_lost_stream_goes_on_where_it_was(town: Town) -> None:
    with following(town) as events:
        issue(town)
        last = events.next("alert")["id"]
    missed = [issue(town), issue(town)]
    with following(town, Last_Event_ID=last) as events:
        replayed = [events.next("alert")["data"]]
        while replayed[-1]["identifier"] != missed[-1]:
            replayed.append(events.next("alert")["data"])
        assert [alert["identifier"] for alert in replayed[-2:]] == missed
        assert all(alert["replayed"] for alert in replayed)
    refused = town.get("/v1/live", Last_Event_ID="nonsense")
    assert refused.status_code == 400


def test_who_missed_more_than_is_sent_again_is_told_so_first(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_MOST_REPLAYED", 3)
    monkeypatch.setattr(live, "_OVERLAP", timedelta())
    with api_town(database_url) as town:  # long ago, so that nothing but the resumption tells
        told = [town.alerts.approve(_proposal(town)) for _ in range(5)]
        after = [mapping.alert_cursor(alert) for alert in told]
        with following(town, Last_Event_ID=after[0]) as events:
            gap = events.next("gap")
            assert "id" not in gap  # else a client that loses the stream now resumes after it
            assert "/v1/alerts" in gap["data"]["detail"]
            seen = [events.next("alert")["data"]["identifier"] for _ in range(3)]
            assert seen == [alert.identifier for alert in told[2:]]
        with following(town, Last_Event_ID=after[1]) as events:
            seen = [events.next("alert")["data"]["identifier"] for _ in range(3)]
            assert seen == [alert.identifier for alert in told[2:]]
            assert events.none("gap", 0.3)


def _proposal(town: Town) -> Proposal:
    town.alerts.clock.advance(60)
    proposal = town.alerts.propose(a.assessment(situation()))
    assert proposal is not None
    return proposal


def test_an_alert_that_nobody_announced_comes_all_the_same(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_follower, "_LOOK_EVERY_S", 0.5)
    with api_town(database_url) as town:
        town.alerts.clock = ChosenClock(SystemClock().now())
        _check_unannounced(town)


def _check_unannounced(town: Town) -> None:
    old = town.alerts.propose(a.assessment(situation()))
    assert old is not None
    town.alerts.approve(old)
    with following(town) as events:
        assert events.next("alert")["data"]["replayed"] is True
        made = town.alerts.propose(a.assessment(situation()))
        assert made is not None
        alert = town.alerts.approve(made)  # and no announcement
        assert events.next("alert", 15)["data"]["identifier"] == alert.identifier


def test_there_is_a_most_of_listeners(database_url: str) -> None:
    with api_town(database_url, most_live_clients=2) as town:
        with following(town), following(town):
            refused = town.get("/v1/live")
            assert refused.status_code == 503
            assert "retry-after" in refused.headers
        deadline = time.monotonic() + 5
        while "cityos_live_clients 0.0" not in town.get("/metrics").text:
            assert time.monotonic() < deadline, "a listener that left is still counted"
            time.sleep(0.05)
        with following(town):
            pass


def test_one_caller_does_not_take_every_stream(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_MOST_OF_ADDRESS", 2)
    monkeypatch.setattr(live, "_MOST_OF_KEY", 1)
    with following(town), following(town):
        refused = town.get("/v1/live")
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        # who has a key is counted by it, wherever the requests come from
        with following(town, Authorization=f"Bearer {town.keys['reader']}"):
            assert town.get("/v1/live", "reader").status_code == 429
            with following(town, Authorization=f"Bearer {town.keys['official']}"):
                pass


def test_a_client_that_does_not_read_is_let_go(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_STALLED_S", 0.5)
    address = urlsplit(town.url)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect((address.hostname, address.port))
        slow.sendall(b"GET /v1/live HTTP/1.1\r\nHost: x\r\n\r\n")
        deadline = time.monotonic() + 40
        step = 0
        while "cityos_live_clients_evicted_total 1.0" not in town.get("/metrics").text:
            assert time.monotonic() < deadline, "the slow client is still there"
            step += 1
            text = f"{step} " + "x" * 500_000
            town.store(SETO, [(later(), text)])
            time.sleep(0.3)
    assert "cityos_live_clients 0.0" in town.get("/metrics").text
