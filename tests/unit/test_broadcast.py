"""Who may listen to the live stream, and what a listener's queues hold."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from cityos.api.broadcast import Broadcast, Client
from cityos.api.metrics import ApiMetrics
from cityos.api.v1.events import Events
from cityos.errors import TooManyRequests, Unavailable
from cityos.testing import builders as a

MANY = 100
"""More alerts than may wait for a client that does not read."""


def broadcast(most_clients: int = 5) -> Broadcast:
    metrics = ApiMetrics(CollectorRegistry())
    return Broadcast(most_clients=most_clients, writer=Events(), metrics=metrics)


def join(to: Broadcast, caller: str, most: int = 2) -> Client:
    return to.join("town", caller=caller, most=most, dataset="", statuses=["Actual"])


def test_streams_are_counted_by_caller() -> None:
    live = broadcast()
    first, _ = join(live, "address a"), join(live, "address a")
    with pytest.raises(TooManyRequests) as refused:
        join(live, "address a")
    assert refused.value.retry_after_s > 0
    join(live, "address b")
    live.leave(first)
    join(live, "address a")


def test_all_callers_together_have_a_limit_too() -> None:
    live = broadcast(most_clients=2)
    for caller in ("a", "b"):
        join(live, caller)
    with pytest.raises(Unavailable):
        join(live, "c")


@pytest.mark.parametrize("replayed", [True, False])
def test_only_new_alerts_count_against_a_client(
    replayed: bool,
) -> None:
    async def told() -> Client:
        live = broadcast()
        live.open()
        client = join(live, "a")
        for number in range(MANY):
            live.tell_alert("town", a.alert(f"alert-{number}"), replayed=replayed)
        await asyncio.sleep(0)
        return client

    assert asyncio.run(told()).gone is not replayed


def test_what_was_told_before_comes_before_what_is_new() -> None:
    client = Client("a", "town", "", frozenset(["Actual"]))
    client.replayed.extend([b"x" * 40_000, b"y" * 40_000, b"z"])
    client.alerts.append(b"new")
    client.queue.append(b"value")
    client.ready.set()
    assert client.take()[-1:] == b"y"
    assert client.ready.is_set()
    assert client.take() == b"znewvalue"
    assert not client.ready.is_set()
