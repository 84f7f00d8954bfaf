"""What a channel retains, where it takes one message and refuses another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from cityos.dispatch.channels.mqtt import MqttChannel
from cityos.dispatch.delivery import DeliveryWorker
from cityos.dispatch.metrics import DispatchMetrics
from cityos.dispatch.retained import RetainedAlerts
from cityos.domain import topic
from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Actual
from cityos.domain.proposal import ORDER_VALID_FOR
from cityos.errors import TooLarge, Unavailable
from tests.alert_path import AlertPath


class Broker:
    """Retains what is published, but for the topics that it refuses; remembers who tried."""

    def __init__(self) -> None:
        self.connections = 1
        self.kept: dict[str, str] = {}
        self.refused: dict[str, Exception] = {}
        self.tries: Counter[str] = Counter()
        self.wait: Callable[[float], None] = lambda _timeout_s: None

    def publish(self, topic: str, payload: bytes, *, retain: bool, timeout_s: float) -> None:
        assert retain
        assert timeout_s > 0
        self.tries[topic] += 1
        if topic in self.refused:
            self.wait(timeout_s)
            raise self.refused[topic]
        self.kept.pop(topic, None)
        if payload:
            self.kept[topic] = payload.decode()

    def restart(self) -> None:
        self.kept.clear()
        self.connections += 1


class Town:
    """A city whose orders are retained by the broker."""

    def __init__(self, city: AlertPath) -> None:
        self.city, self.broker = city, Broker()
        self.start()

    def start(self) -> None:
        city = self.city
        channel = MqttChannel(self.broker, lambda alert: alert.identifier.encode())
        outbox = city.outbox()
        self.worker = DeliveryWorker(
            channel,
            outbox,
            clock=city.clock,
            metrics=DispatchMetrics(CollectorRegistry()),
            memory=RetainedAlerts(
                channel, outbox, clock=city.clock, connections=lambda: self.broker.connections
            ),
        )

    def issue(self, key: str, level: AlertLevel = AlertLevel.EVACUATE) -> str:
        """Issue an order, see that it is delivered, and return its identifier."""
        alert = self.city.issue(level, key)
        self.steps()
        return alert.identifier

    def steps(self, count: int = 10, every_s: float = 0) -> None:
        for _ in range(count):
            self.worker.step()
            self.city.clock.advance(every_s)

    def tried(self, *keys: str) -> list[int]:
        return [self.broker.tries[where(key)] for key in keys]

    def upgrade(self) -> None:
        """What an earlier version retained is under the former names, and we start."""
        for key in ("flood/a", "flood/b"):
            kept = self.broker.kept.pop(where(key), None)
            if kept:
                self.broker.kept[former(key)] = kept
        self.start()


@pytest.fixture
def town(city: AlertPath) -> Town:
    return Town(city)


def where(key: str) -> str:
    return topic.alert("town", Actual(), "flood_watch", key)


def former(key: str) -> str:
    return topic.former_alert("town", Actual(), key)


ERRORS = [Unavailable("refused"), TooLarge("too large"), ValueError("a bug")]


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_one_that_is_refused_keeps_no_other_from_being_said_again(
    town: Town, error: Exception
) -> None:
    orders = {where(key): town.issue(key) for key in ("flood/a", "flood/b", "flood/c")}
    town.broker.restart()
    town.broker.refused[where("flood/a")] = error
    town.steps()
    assert town.broker.kept == {
        one: identifier for one, identifier in orders.items() if one != where("flood/a")
    }
    town.broker.refused.clear()
    town.steps(every_s=1)
    assert town.broker.kept == orders


def test_one_that_takes_its_whole_time_to_fail_lets_the_next_go_first(town: Town) -> None:
    for key in ("flood/a", "flood/b"):
        town.issue(key)
    town.broker.restart()
    town.broker.refused[where("flood/a")] = Unavailable("no answer")
    town.broker.wait = town.city.clock.advance
    town.steps(2)
    assert town.broker.kept.keys() == {where("flood/b")}


def test_one_that_is_refused_is_tried_less_and_less_often(town: Town) -> None:
    town.issue("flood/a")
    town.issue("flood/b")
    town.broker.restart()
    town.broker.refused[where("flood/a")] = Unavailable("refused")
    town.broker.tries.clear()
    with capture_logs() as logs:
        town.steps(50)
        assert town.tried("flood/a", "flood/b") == [1, 1]
        town.steps(600, every_s=1)
    assert 15 <= town.broker.tries[where("flood/a")] <= 35  # 1, 2, 4, ... 60 s, or half of it
    assert town.broker.tries[where("flood/b")] == 1
    assert len(logs) == 1


def test_what_is_due_waits_its_time_whatever_is_refused_beside_it(town: Town) -> None:
    """A new connection ends the wait of what failed, once; not every look at it."""
    town.issue("flood/a")
    for key in ("flood/a", "flood/new"):
        town.broker.refused[where(key)] = Unavailable("refused")
    town.city.issue(key="flood/new")
    town.steps(50)
    assert town.broker.tries[where("flood/new")] == 1
    town.broker.restart()
    town.steps(50)
    assert town.broker.tries[where("flood/new")] == 2


def test_what_is_said_again_late_never_takes_the_place_of_what_followed(town: Town) -> None:
    town.issue("flood/a")
    town.broker.restart()
    town.broker.refused[where("flood/a")] = Unavailable("refused")
    town.steps()
    town.broker.refused.clear()
    update = town.issue("flood/a", AlertLevel.EMERGENCY_SAFETY)
    town.steps(100, every_s=1)
    assert town.broker.kept == {where("flood/a"): update}


def test_one_that_cannot_be_withdrawn_keeps_no_other(town: Town) -> None:
    town.issue("flood/a")
    town.issue("flood/b")
    town.broker.refused[where("flood/a")] = Unavailable("refused")
    town.city.clock.advance(ORDER_VALID_FOR.total_seconds() + 60)
    town.broker.tries.clear()
    town.steps(50)
    assert town.broker.kept.keys() == {where("flood/a")}
    assert town.tried("flood/a", "flood/b") == [1, 1]
    town.broker.refused.clear()
    town.steps(20, every_s=1)
    assert town.broker.kept == {}


def test_a_late_withdrawal_leaves_a_new_order_alone(town: Town) -> None:
    town.issue("flood/a")
    town.broker.refused[where("flood/a")] = Unavailable("refused")
    town.city.clock.advance(ORDER_VALID_FOR.total_seconds() + 60)
    town.steps()
    town.broker.refused.clear()
    order = town.issue("flood/a", AlertLevel.EMERGENCY_SAFETY)
    town.steps(100, every_s=1)
    assert town.broker.kept == {where("flood/a"): order}


def test_situations_that_read_alike_do_not_end_each_other(town: Town) -> None:
    town.issue("flood/urn:x:Area:seto:1")
    town.city.clock.advance(3600)
    second = town.issue("flood/urn:x:Area:seto-1")
    assert len(town.broker.kept) == 2
    town.city.clock.advance((ORDER_VALID_FOR - timedelta(minutes=30)).total_seconds())
    town.steps()
    assert town.broker.kept == {where("flood/urn:x:Area:seto-1"): second}


def test_nothing_stays_where_an_earlier_version_retained_it(town: Town) -> None:
    """One stands, one has expired while nobody was there."""
    town.issue("flood/b")
    town.city.clock.advance(ORDER_VALID_FOR.total_seconds() - 60)
    standing = town.issue("flood/a")
    town.upgrade()
    assert len(town.broker.kept) == 2
    town.city.clock.advance(120)
    town.steps()
    assert town.broker.kept == {where("flood/a"): standing}


def test_what_was_retained_elsewhere_stays_until_it_is_said_anew(town: Town) -> None:
    order = town.issue("flood/a")
    town.upgrade()
    town.broker.refused[where("flood/a")] = Unavailable("refused")
    town.steps()
    assert town.broker.kept == {former("flood/a"): order}
    town.broker.refused.clear()
    town.steps(20, every_s=1)
    assert town.broker.kept == {where("flood/a"): order}


def test_who_listens_hears_of_the_former_place_at_the_start_alone(town: Town) -> None:
    town.issue("flood/a")
    town.issue("flood/a", AlertLevel.EMERGENCY_SAFETY)
    town.broker.restart()
    town.steps()
    assert town.broker.tries == {where("flood/a"): 3}
