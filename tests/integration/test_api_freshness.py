"""What is stored is what is read, at once: with the live bus, without it, and when it fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cityos.errors import Unavailable
from cityos.runtime import ports, programs
from cityos.runtime.redis_server import RedisServer, start_redis
from cityos.runtime.secret_file import SecretFile
from cityos.storage.reader import PostgresCityReader
from cityos.testing import builders as a
from tests.api_town import Town, api_town

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SETO = a.gauge("seto").id
LATEST = f"/v1/entities/{SETO}/latest"
HISTORY = f"/v1/entities/{SETO}/history/water_level"


@pytest.fixture
def town(database_url: str, redis_url: str) -> Iterator[Town]:
    with api_town(database_url, redis_url) as town:
        town.put(a.gauge("seto"))
        yield town


def latest(town: Town) -> Any:
    return town.get(LATEST).json()["items"][0]["value"]


def values(town: Town) -> list[Any]:
    return [each["value"] for each in town.get(HISTORY).json()["items"]]


def becomes(read: Callable[[], Any], wanted: object, within_s: float) -> float:
    """Wait until ``read`` answers what is wanted; return how long that took."""
    begun = time.monotonic()
    while (got := read()) != wanted:
        assert time.monotonic() - begun < within_s, f"still {got!r} and not {wanted!r}"
        time.sleep(0.005)
    return time.monotonic() - begun


def reused(town: Town) -> float:
    [line] = [
        line
        for line in town.get("/metrics").text.splitlines()
        if line.startswith("cityos_http_answers_reused_total ")
    ]
    return float(line.split()[1])


def test_news_over_the_bus_is_read_within_a_blink(town: Town) -> None:
    town.store(SETO, [(NOW, 1.0)])
    becomes(lambda: latest(town), 1.0, 5)
    for step in range(1, 6):
        town.store(SETO, [(NOW + timedelta(seconds=step), 1.0 + step)])
        assert becomes(lambda: latest(town), 1.0 + step, 2) < 1.0
        assert values(town)[0] == 1.0 + step


def test_unchanged_answers_are_sent_again_from_memory(town: Town) -> None:
    town.store(SETO, [(NOW, 1.0)])
    becomes(lambda: latest(town), 1.0, 5)
    becomes(lambda: town.get("/metrics").text.count("cityos_live_bus_followed 1.0"), 1, 5)
    before = reused(town)
    for _ in range(10):
        assert latest(town) == 1.0
        assert values(town) == [1.0]
    assert reused(town) - before >= 15


def test_a_late_value_changes_the_history_at_once(town: Town) -> None:
    town.store(SETO, [(NOW, 1.0)])
    becomes(lambda: values(town), [1.0], 5)
    town.store(SETO, [(NOW - timedelta(hours=1), 0.5)])
    becomes(lambda: values(town), [1.0, 0.5], 1.5)
    assert latest(town) == 1.0


def test_what_the_bus_never_told_is_read_all_the_same(town: Town) -> None:
    town.store(SETO, [(NOW, 1.0)])
    becomes(lambda: latest(town), 1.0, 5)
    town.store(SETO, [(NOW + timedelta(seconds=1), 2.0)], tell=False)
    becomes(lambda: latest(town), 2.0, 4)
    becomes(lambda: values(town), [2.0, 1.0], 4)
    town.store(SETO, [(NOW - timedelta(hours=1), 0.5)], tell=False)
    becomes(lambda: values(town), [2.0, 1.0, 0.5], 7)


def test_without_a_bus_the_store_is_polled(database_url: str) -> None:
    with api_town(database_url) as town:
        town.put(a.gauge("seto"))
        town.store(SETO, [(NOW, 1.0)])
        becomes(lambda: latest(town), 1.0, 3)
        town.store(SETO, [(NOW + timedelta(seconds=1), 2.0)])
        becomes(lambda: latest(town), 2.0, 3)
        town.store(SETO, [(NOW - timedelta(hours=1), 0.5)])
        becomes(lambda: values(town), [2.0, 1.0, 0.5], 3)


def test_a_bus_that_dies_and_comes_back_is_hardly_noticed(
    database_url: str,
    new_home: Callable[[], Path],
    redis_programs: list[programs.Program],
) -> None:
    home, port = new_home(), ports.free_port()

    def start() -> RedisServer:
        secrets = SecretFile(home / "secrets.json")
        return start_redis(home, redis_programs, secrets=secrets, port=port)

    server = start()
    try:
        with api_town(database_url, server.url) as town:
            town.put(a.gauge("seto"))
            town.store(SETO, [(NOW, 1.0)])
            becomes(lambda: latest(town), 1.0, 5)
            server.kill()
            town.store(SETO, [(NOW + timedelta(seconds=1), 2.0)])
            becomes(lambda: latest(town), 2.0, 4)
            town.store(SETO, [(NOW - timedelta(hours=1), 0.5)])
            becomes(lambda: values(town), [2.0, 1.0, 0.5], 7)
            server = start()
            becomes(lambda: town.get("/metrics").text.count("cityos_live_bus_followed 1.0"), 1, 10)
            deadline = time.monotonic() + 10
            step, quick = 3, 99.0
            while quick > 0.3 and time.monotonic() < deadline:
                town.store(SETO, [(NOW + timedelta(seconds=step), float(step))])
                quick = becomes(lambda: latest(town), float(step), 4)
                step += 1
            assert quick <= 0.3  # over the bus again, and not by polling
    finally:
        server.stop()


def test_memory_is_not_believed_when_the_store_is_away(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.store(SETO, [(NOW, 1.0)])
    becomes(lambda: latest(town), 1.0, 5)

    def away(*_: object, **__: object) -> None:
        raise Unavailable("the database does not answer")

    for name in ("latest_changes", "latest", "history", "entity"):
        monkeypatch.setattr(PostgresCityReader, name, away)
    becomes(lambda: town.get(LATEST).status_code, 503, 8)
    becomes(lambda: town.get(HISTORY).status_code, 503, 8)
    assert town.get(LATEST).headers["retry-after"] == "5"
    monkeypatch.undo()
    becomes(lambda: latest(town), 1.0, 4)
