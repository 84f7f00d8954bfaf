"""The player: each message at its time, and a lost broker told once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from cityos.domain.entity import Device
from cityos.errors import Unavailable
from cityos.rehearsal.player import play
from cityos.rehearsal.simulation import Emission
from cityos.testing.clock import ChosenClock

START = datetime(2026, 9, 1, 3, tzinfo=UTC)
DEVICE = Device(vendor="demo", id="bridge", adapter="cityos_json", entity="urn:ngsi-ld:X:1")


class Waiting(threading.Event):
    """An event whose waiting moves a chosen clock instead of taking time."""

    def __init__(self, clock: ChosenClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.advance(timeout or 0.0)
        return self.is_set()


class Heard:
    """Keeps what is sent, with the time; ``broken`` says when the broker is away."""

    def __init__(self, clock: ChosenClock, broken: Callable[[], bool] = lambda: False) -> None:
        self.messages: list[tuple[datetime, str, bytes]] = []
        self._clock = clock
        self._broken = broken

    def send(self, topic: str, payload: bytes, *, timeout_s: float = 1.0) -> None:
        assert timeout_s > 0
        if self._broken():
            raise Unavailable("the broker is away")
        self.messages.append((self._clock.now(), topic, payload))


def every(seconds: int, count: int) -> Iterator[Emission]:
    for number in range(count):
        yield Emission(START + timedelta(seconds=seconds * number), DEVICE, b"%d" % number)


@pytest.fixture
def clock() -> ChosenClock:
    return ChosenClock(START)


def test_each_message_goes_out_at_its_time_on_the_devices_topic(clock: ChosenClock) -> None:
    heard = Heard(clock)
    count = play(every(5, 4), heard, tenant="town", clock=clock, stop=Waiting(clock))

    assert count == 4
    assert [at - START for at, _, _ in heard.messages] == [
        timedelta(seconds=5 * n) for n in range(4)
    ]
    assert {topic for _, topic, _ in heard.messages} == {"cityos/v1/town/demo/bridge/observations"}
    assert [payload for _, _, payload in heard.messages] == [b"0", b"1", b"2", b"3"]


def test_it_stops_when_told(clock: ChosenClock) -> None:
    stop = Waiting(clock)
    heard = Heard(clock)

    def until_stopped() -> Iterator[Emission]:
        for emission in every(5, 100):
            if emission.payload == b"3":
                stop.set()
            yield emission

    assert play(until_stopped(), heard, tenant="town", clock=clock, stop=stop) == 3


def test_what_a_sleeping_machine_missed_is_left_out(clock: ChosenClock) -> None:
    clock.advance(60)
    heard = Heard(clock)
    play(every(10, 10), heard, tenant="town", clock=clock, stop=Waiting(clock))

    assert [payload for _, _, payload in heard.messages] == [b"%d" % n for n in range(3, 10)]


def test_a_lost_broker_is_told_once_and_its_return_once(clock: ChosenClock) -> None:
    away = range(10, 40)
    heard = Heard(clock, lambda: (clock.now() - START).seconds in away)
    with capture_logs() as logs:
        count = play(every(5, 12), heard, tenant="town", clock=clock, stop=Waiting(clock))

    assert count == 12 - 6
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("warning", "the simulated day is held up"),
        ("info", "the simulated day goes on"),
    ]
