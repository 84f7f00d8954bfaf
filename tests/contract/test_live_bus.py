"""What every LiveBus keeps to, on a real Redis that is also killed and started again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from cityos.clock import SystemClock
from cityos.domain.history import SeriesKey
from cityos.domain.observation import Position, Quality, Value
from cityos.errors import Unavailable
from cityos.messaging.live import STREAM, RedisLiveBus
from cityos.ports import LatestValue, LiveNews
from cityos.runtime import ports, programs
from cityos.runtime.redis_server import RedisServer, start_redis
from cityos.runtime.secret_file import SecretFile

NOW = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC)
KEY = SeriesKey(entity="urn:ngsi-ld:Bus:yaizu:1", observed_property="position")


@pytest.fixture
def make_bus(redis_url: str) -> Iterator[Callable[[], RedisLiveBus]]:
    made: list[RedisLiveBus] = []

    def make(**options: int) -> RedisLiveBus:
        made.append(RedisLiveBus(redis_url, clock=SystemClock(), **options))
        return made[-1]

    yield make
    for bus in made:
        bus.close()


@pytest.fixture
def own_redis(
    new_home: Callable[[], Path], redis_programs: list[programs.Program]
) -> Iterator[Callable[[], RedisServer]]:
    """Starts a Redis that may be killed; the next call starts it again on the same port."""
    home, port = new_home(), ports.free_port()
    started: list[RedisServer] = []

    def start() -> RedisServer:
        secrets = SecretFile(home / "secrets.json")
        started.append(start_redis(home, redis_programs, secrets=secrets, port=port))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.mark.parametrize(
    "value",
    [1.5, -0.0, "停電", True, False, Position(138.3, 34.9), [1.0, "a", None], {"a": {"b": []}}],
)
def test_a_follower_hears_what_was_published(
    make_bus: Callable[[], RedisLiveBus], value: Value
) -> None:
    teller, hearer = make_bus(), make_bus()
    news = hearer.follow(5)
    sent = _latest(value, quality=Quality.LATE | Quality.CORRECTED, dataset="urn:x")
    teller.publish("yaizu", [sent], [KEY])

    heard = next(news)
    assert heard == LiveNews("yaizu", [sent], [KEY])
    assert type(heard.changed[0].value) is type(value)
    assert heard.changed[0].observed_at.utcoffset() is not None


def test_following_starts_at_the_call_and_goes_on(make_bus: Callable[[], RedisLiveBus]) -> None:
    teller, hearer = make_bus(), make_bus()
    teller.publish("yaizu", [_latest(1.0)])
    hearer.follow(0.05)
    for number in (2.0, 3.0):
        teller.publish("yaizu", [_latest(number)])
    first = _values(hearer.follow(0.05))
    teller.publish("yaizu", [_latest(4.0)])
    second = _values(hearer.follow(0.05))

    assert (first, second) == ([2.0, 3.0], [4.0])


def test_following_ends_after_the_time_without_news(
    make_bus: Callable[[], RedisLiveBus],
) -> None:
    hearer = make_bus()
    begun = time.monotonic()
    assert list(hearer.follow(0.2)) == []
    assert 0.15 < time.monotonic() - begun < 1.5


def test_two_followers_hear_the_same(make_bus: Callable[[], RedisLiveBus]) -> None:
    teller, one, two = make_bus(), make_bus(), make_bus()
    one.follow(0.1)
    two.follow(0.1)
    for number in range(20):
        teller.publish(f"city-{number % 2}", [_latest(float(number))])

    assert _values(one.follow(0.1)) == _values(two.follow(0.1)) == [float(n) for n in range(20)]


def test_a_follower_that_fell_behind_is_told(make_bus: Callable[..., RedisLiveBus]) -> None:
    teller, hearer = make_bus(stream_length=5), make_bus()
    hearer.follow(0.1)
    teller.publish("yaizu", [_latest(0.0)])
    assert _values(hearer.follow(0.05)) == [0.0]
    for number in range(1, 2000):
        teller.publish("yaizu", [_latest(float(number))])

    with pytest.raises(Unavailable, match="lost"):
        list(hearer.follow(0.1))
    hearer.follow(0.05)
    teller.publish("yaizu", [_latest(-1.0)])
    assert _values(hearer.follow(0.05)) == [-1.0]


def test_the_stream_stays_short(make_bus: Callable[..., RedisLiveBus], redis_url: str) -> None:
    teller = make_bus(stream_length=20)
    for number in range(1000):
        teller.publish("yaizu", [_latest(float(number))])

    with redis.Redis.from_url(redis_url) as client:
        assert int(client.xlen(STREAM)) <= 200


def test_nonsense_on_the_stream_is_not_taken_for_news(
    make_bus: Callable[[], RedisLiveBus], redis_url: str
) -> None:
    hearer = make_bus()
    hearer.follow(0.1)
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(STREAM, {"n": b"\xc1"})

    with pytest.raises(Unavailable):
        list(hearer.follow(0.1))


def test_a_redis_that_is_away_costs_next_to_nothing(free_port: int) -> None:
    bus = RedisLiveBus(f"redis://127.0.0.1:{free_port}/0", clock=SystemClock())
    bus.publish("yaizu", [_latest(1.0)])
    begun = time.perf_counter()
    for _ in range(1000):
        bus.publish("yaizu", [_latest(1.0)])
    assert time.perf_counter() - begun < 1.0  # less than 1 ms each
    with pytest.raises(Unavailable):
        bus.follow(0.1)
    bus.close()


def test_killed_and_started_again(own_redis: Callable[[], RedisServer]) -> None:
    server = own_redis()
    teller = RedisLiveBus(server.url, clock=SystemClock())
    hearer = RedisLiveBus(server.url, clock=SystemClock())
    hearer.follow(0.1)
    teller.publish("yaizu", [_latest(1.0)])
    assert _values(hearer.follow(0.1)) == [1.0]

    server.kill()
    teller.publish("yaizu", [_latest(2.0)])
    with pytest.raises(Unavailable):
        list(hearer.follow(0.1))
    with pytest.raises(Unavailable):
        hearer.follow(0.1)

    own_redis()
    heard = _follow_again(hearer)
    deadline = time.monotonic() + 10
    while not heard and time.monotonic() < deadline:
        teller.publish("yaizu", [_latest(3.0)])
        time.sleep(0.05)
    assert heard[0] == 3.0
    teller.close()
    hearer.close()


def _follow_again(hearer: RedisLiveBus) -> list[Value]:
    """Follow in a thread, as the API does, until something is heard."""
    heard: list[Value] = []
    news = hearer.follow(10)

    def run() -> None:
        heard.append(next(news).changed[0].value)

    threading.Thread(target=run, daemon=True).start()
    return heard


def _values(news: Iterator[LiveNews]) -> list[Value]:
    return [value.value for each in news for value in each.changed]


def _latest(value: Value, *, quality: Quality = Quality.GOOD, dataset: str = "") -> LatestValue:
    return LatestValue(KEY.entity, KEY.observed_property, dataset, value, "1", NOW, NOW, quality)


def test_a_redis_that_hangs_costs_a_fraction_of_the_time() -> None:
    """A listener that accepts and never answers, as a stopped Redis does."""
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        url = f"redis://127.0.0.1:{black_hole.getsockname()[1]}/0"
        bus = RedisLiveBus(url, clock=SystemClock())
        begun = time.perf_counter()
        for _ in range(1000):
            bus.publish("yaizu", [_latest(1.0)])
        assert time.perf_counter() - begun < 1.0
        bus.close()
