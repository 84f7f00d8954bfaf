"""Outbox to channels, over a real database and a real broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lxml import etree
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from cityos.api.cap.mapping import cap_document
from cityos.dispatch.channels.mqtt import MqttChannel
from cityos.dispatch.channels.sse import SseChannel
from cityos.dispatch.delivery import DeliveryWorker
from cityos.dispatch.loop import run_together
from cityos.dispatch.metrics import DispatchMetrics
from cityos.dispatch.retained import RetainedAlerts
from cityos.domain import topic
from cityos.domain.alert import Alert
from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Name
from cityos.domain.occasion import Actual, Exercise, Occasion
from cityos.domain.proposal import ORDER_VALID_FOR
from cityos.errors import Unavailable
from cityos.messaging.mqtt import LARGEST_PACKET_BYTES, MqttPublisher
from cityos.ports import Delivery
from cityos.runtime.broker import MqttBroker
from cityos.storage.news import AlertNews, AlertNotice
from tests.alert_path import ISSUER, AlertPath
from tests.ears import Ears

TOPICS = "cityos/v1/+/alerts/#"


class Line:
    """The MQTT channel of a dispatch process."""

    def __init__(
        self, city: AlertPath, broker: MqttBroker, *, version: int = 5, timeout_s: float = 5.0
    ) -> None:
        self.registry = CollectorRegistry()
        url = broker.url_for("dispatch", version=version)
        self.publisher = MqttPublisher(url, client_id="test", mqtt5=version == 5)
        channel = MqttChannel(self.publisher, cap_document, timeout_s=timeout_s)
        self.outbox = city.outbox()
        retained = RetainedAlerts(
            channel,
            self.outbox,
            clock=city.clock,
            connections=lambda: self.publisher.connections,
        )
        self.worker = DeliveryWorker(
            channel,
            self.outbox,
            clock=city.clock,
            metrics=DispatchMetrics(self.registry),
            memory=retained,
        )

    def finish(self) -> None:
        while self.worker.step():
            pass

    def count(self, result: str) -> float:
        labels = {"channel": "mqtt", "result": result}
        return self.registry.get_sample_value("cityos_deliveries_total", labels) or 0.0


@pytest.fixture
def line(city: AlertPath, mqtt_broker: MqttBroker) -> Iterator[Line]:
    """The channel over the session's broker, without retained alerts before and after."""
    made = Line(city, mqtt_broker)
    forget_alerts(made, mqtt_broker)
    yield made
    forget_alerts(made, mqtt_broker)
    made.publisher.close()


def forget_alerts(line: Line, broker: MqttBroker) -> None:
    with Ears(broker, TOPICS) as ears:
        while not ears.silent():
            pass
        for name in ears.topics:
            line.publisher.publish(name, b"", retain=True, timeout_s=5)


def alert_topic(key: str, occasion: Occasion | None = None, service: str = "flood_watch") -> str:
    return topic.alert("town", occasion or Actual(), service, key)


def heard(ears: Ears) -> tuple[str, str, str]:
    """Topic, identifier and message type of the next CAP document."""
    where, payload = ears.next()
    root: Any = etree.fromstring(payload)
    return where, root.findtext("{*}identifier"), root.findtext("{*}msgType")


def test_an_alert_is_published_as_cap_and_retained(
    city: AlertPath, line: Line, mqtt_broker: MqttBroker
) -> None:
    alert = city.issue()
    drill = city.issue(key="flood/y", occasion=Exercise("drill"))
    line.finish()
    with Ears(mqtt_broker, TOPICS) as ears:
        found = {heard(ears) for _ in range(2)}
    assert found == {
        (alert_topic("flood/x"), alert.identifier, "Alert"),
        (alert_topic("flood/y", Exercise("drill")), drill.identifier, "Alert"),
    }
    assert line.count("delivered") == 2


def test_the_chain_arrives_in_order_and_the_cancel_stays(
    city: AlertPath, line: Line, mqtt_broker: MqttBroker
) -> None:
    with Ears(mqtt_broker, TOPICS) as ears:
        chain = [
            city.issue(level).identifier
            for level in (AlertLevel.ELDERLY_EVACUATE, AlertLevel.EVACUATE, AlertLevel.NONE)
        ]
        line.finish()
        assert [heard(ears)[1] for _ in range(3)] == chain
    with Ears(mqtt_broker, TOPICS) as later:
        assert heard(later)[1:] == (chain[-1], "Cancel")


def test_one_that_no_broker_takes_holds_no_other_up(
    city: AlertPath, line: Line, mqtt_broker: MqttBroker
) -> None:
    reason = Name("x" * LARGEST_PACKET_BYTES, "")
    too_large = city.approve(city.proposed(key="flood/large", reason=reason))
    order = city.issue()
    with capture_logs() as logs:
        line.finish()
    with Ears(mqtt_broker, TOPICS) as ears:
        assert heard(ears) == (alert_topic("flood/x"), order.identifier, "Alert")
        assert ears.silent()
    assert [(entry["identifier"], entry["exc_info"]) for entry in logs if "reason" in entry] == [
        (too_large.identifier, None)
    ]
    ((attempts, error),) = city.rows(
        "SELECT attempts, last_error FROM outbox WHERE channel = 'mqtt' AND delivered_at IS NULL"
    )
    assert attempts == 1
    assert "more than the broker takes" in error
    assert line.publisher.connections == 1


def test_the_end_by_an_official_goes_out_like_any_cancel(
    city: AlertPath, line: Line, mqtt_broker: MqttBroker
) -> None:
    order = city.issue(occasion=Exercise("drill"))
    city.clock.advance(1)
    end = city.orders.cancel(
        "town", order.identifier, issuer=ISSUER, by="k", reason="r", now=city.clock.now()
    )
    line.finish()
    with Ears(mqtt_broker, TOPICS) as later:
        where = alert_topic("flood/x", Exercise("drill"))
        assert heard(later) == (where, end.identifier, "Cancel")
        assert later.silent()
    city.clock.advance(ORDER_VALID_FOR.total_seconds() + 60)
    line.finish()
    with Ears(mqtt_broker, TOPICS) as much_later:
        assert much_later.silent()


def test_an_order_that_has_expired_greets_nobody(
    city: AlertPath, line: Line, mqtt_broker: MqttBroker
) -> None:
    city.issue()
    line.finish()
    city.clock.advance(ORDER_VALID_FOR.total_seconds() + 60)
    line.finish()
    with Ears(mqtt_broker, TOPICS) as ears:
        assert ears.silent()


def test_a_process_that_was_away_clears_what_expired_meanwhile(
    city: AlertPath, line: Line, mqtt_broker: MqttBroker
) -> None:
    city.issue()
    line.finish()
    city.clock.advance(3 * 86_400)
    successor = Line(city, mqtt_broker)
    deadline = time.monotonic() + 5
    while successor.publisher.connections == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    successor.finish()
    with Ears(mqtt_broker, TOPICS) as ears:
        assert ears.silent()
    successor.publisher.close()


def test_a_broker_that_forgot_is_told_again(
    city: AlertPath, start_own_broker: Callable[..., MqttBroker]
) -> None:
    broker = start_own_broker()
    line = Line(city, broker, version=4, timeout_s=1.0)  # the port that it comes back on
    with capture_logs() as logs:
        order = city.issue()
        lifted = [city.issue(level, "flood/y") for level in (AlertLevel.EVACUATE, AlertLevel.NONE)]
        line.finish()
        broker.kill()
        update = city.issue(AlertLevel.EMERGENCY_SAFETY)
        assert line.worker.step()
        assert line.count("failed") == 1
        assert city.rows("SELECT attempts FROM outbox WHERE attempts > 0 AND delivered_at IS NULL")
        for memory in broker.home.rglob("mosquitto.db"):
            memory.unlink()  # rumqttd never had one
        fresh = start_own_broker(broker.home, port=broker.port)
        deadline = time.monotonic() + 20
        while line.publisher.connections < 2 or not _delivered(city, update):
            line.worker.step()
            assert time.monotonic() < deadline
            time.sleep(0.01)
    with Ears(fresh, TOPICS) as ears:
        found = {heard(ears) for _ in range(2)}
    assert {one[1:] for one in found} == {
        (update.identifier, "Update"),
        (lifted[1].identifier, "Cancel"),
    }
    assert order.identifier not in {one[1] for one in found}
    assert [entry["log_level"] for entry in logs if "not be delivered" in entry["event"]] == [
        "error"
    ]
    line.publisher.close()


class Gate:
    """A channel that can be shut; remembers what went through."""

    name = "mqtt"

    def __init__(self) -> None:
        self.shut: BaseException | None = None
        self.through: list[str] = []

    def deliver(self, delivery: Delivery) -> None:
        if self.shut is not None:
            raise self.shut
        self.through.append(delivery.alert.identifier)


def worker(city: AlertPath, channel: Any) -> DeliveryWorker:
    return DeliveryWorker(
        channel, city.outbox(), clock=city.clock, metrics=DispatchMetrics(CollectorRegistry())
    )


@pytest.mark.parametrize("error", [Unavailable("away"), ValueError("a bug")], ids=str)
def test_a_shut_channel_gets_everything_in_order_when_it_opens(
    city: AlertPath, error: Exception
) -> None:
    gate = Gate()
    desk = worker(city, gate)
    gate.shut = error
    chains = [
        [city.issue(level, key).identifier for level in (AlertLevel.EVACUATE, AlertLevel.NONE)]
        for key in ("flood/x", "flood/y")
    ]
    for _ in range(4):
        while desk.step():
            pass
        city.clock.advance(61)
    assert gate.through == []
    gate.shut = None
    for _ in range(2):
        while desk.step():
            pass
    for chain in chains:
        assert [one for one in gate.through if one in chain] == chain
    waits = city.rows("SELECT max(attempts) FROM outbox WHERE channel = 'mqtt'")
    assert waits == [(5,)]


def test_the_time_between_attempts_grows(city: AlertPath) -> None:
    gate = Gate()
    gate.shut = Unavailable("away")
    desk = worker(city, gate)
    city.issue()
    waits = []
    for _ in range(9):
        assert desk.step()
        ((next_at,),) = city.rows("SELECT next_at FROM outbox WHERE channel = 'mqtt'")
        waits.append((next_at - city.clock.now()).total_seconds())
        city.clock.advance(waits[-1] + 0.001)
    for attempt, wait in enumerate(waits):
        assert min(60, 2**attempt) / 2 <= wait <= min(60, 2**attempt)


def test_the_backlog_is_measured(city: AlertPath) -> None:
    gate, registry = Gate(), CollectorRegistry()
    gate.shut = Unavailable("away")
    desk = DeliveryWorker(gate, city.outbox(), clock=city.clock, metrics=DispatchMetrics(registry))
    city.issue()
    city.clock.advance(30)
    desk.step()
    labels = {"channel": "mqtt"}
    assert registry.get_sample_value("cityos_outbox_waiting", labels) == 1
    assert registry.get_sample_value("cityos_outbox_oldest_seconds", labels) == pytest.approx(30)
    gate.shut = None
    city.clock.advance(61)
    desk.step()
    city.clock.advance(61)
    desk.step()
    assert registry.get_sample_value("cityos_outbox_waiting", labels) == 0
    assert registry.get_sample_value("cityos_outbox_oldest_seconds", labels) == 0


def test_browsers_hear_of_alerts_through_the_database(city: AlertPath) -> None:
    news = AlertNews(city.url, application="test-news")
    assert list(news.follow(0.1)) == []
    real, drill = city.issue(), city.issue(occasion=Exercise("drill"))
    desk = worker(city, SseChannel(city.announcer.announce))
    while desk.step():
        pass
    follow = news.follow(5)
    assert [next(follow) for _ in range(2)] == [
        AlertNotice("town", real.identifier, "Actual"),
        AlertNotice("town", drill.identifier, "Exercise"),
    ]
    news.close()


def test_news_that_lost_its_connection_says_so_and_comes_back(city: AlertPath) -> None:
    news = AlertNews(city.url, application="test-news-lost")
    assert list(news.follow(0.1)) == []
    city.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'test-news-lost'"
    )
    with pytest.raises(Unavailable):
        next(news.follow(5))
    assert list(news.follow(0.1)) == []
    city.announcer.announce("town", "x", "Actual")
    assert next(news.follow(5)) == AlertNotice("town", "x", "Actual")
    news.close()


def test_from_approval_to_mqtt_and_browsers_in_a_moment(
    city: AlertPath, line: Line, mqtt_broker: MqttBroker
) -> None:
    stop = threading.Event()
    sse = worker(city, SseChannel(city.announcer.announce))
    news = AlertNews(city.url, application="test-news")
    assert list(news.follow(0.1)) == []
    dispatch = threading.Thread(
        target=run_together, args=({"mqtt": line.worker.run, "sse": sse.run}, stop)
    )
    dispatch.start()
    try:
        with Ears(mqtt_broker, TOPICS) as ears:
            time.sleep(0.3)  # everybody sleeps: being woken is what is tested
            began = time.monotonic()
            alert = city.issue()
            assert heard(ears)[1] == alert.identifier
            assert next(news.follow(5)).identifier == alert.identifier
            assert time.monotonic() - began < 1.0
    finally:
        stop.set()
        dispatch.join(15)
        news.close()
    assert not dispatch.is_alive()


def _delivered(city: AlertPath, alert: Alert) -> bool:
    rows = city.rows(
        "SELECT delivered_at FROM outbox WHERE channel = 'mqtt' AND identifier = %s",
        alert.identifier,
    )
    return rows[0][0] is not None
