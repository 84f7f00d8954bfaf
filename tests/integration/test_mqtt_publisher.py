"""MessagePublisher over a real broker: acknowledged means acknowledged."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from structlog.testing import capture_logs

from cityos.errors import TooLarge, Unavailable
from cityos.messaging.mqtt import LARGEST_PACKET_BYTES, LeavesOutTooLarge, MqttPublisher
from cityos.runtime import mosquitto, rumqttd
from cityos.runtime.broker import MqttBroker
from tests.ears import Ears

TOPIC = "cityos/v1/town/alerts/actual/publisher"


@pytest.fixture(params=[5, 4])
def publisher(mqtt_broker: MqttBroker, request: pytest.FixtureRequest) -> Iterator[MqttPublisher]:
    url = mqtt_broker.url_for("dispatch", version=request.param)
    made = MqttPublisher(url, client_id=f"test-{request.param}", mqtt5=request.param == 5)
    yield made
    made.close()


def test_what_is_retained_greets_whoever_comes_later(
    publisher: MqttPublisher, mqtt_broker: MqttBroker
) -> None:
    publisher.publish(TOPIC, b"first", retain=True, timeout_s=5)
    publisher.publish(TOPIC, b"second", retain=True, timeout_s=5)
    with Ears(mqtt_broker, TOPIC) as ears:
        assert ears.next() == (TOPIC, b"second")
    publisher.publish(TOPIC, b"", retain=True, timeout_s=5)
    with Ears(mqtt_broker, TOPIC) as ears:
        publisher.publish(TOPIC, b"live", retain=False, timeout_s=5)
        assert ears.next() == (TOPIC, b"live")


def test_many_threads_publish_at_once(publisher: MqttPublisher, mqtt_broker: MqttBroker) -> None:
    with Ears(mqtt_broker, TOPIC + "/#") as ears:
        threads = [
            threading.Thread(
                target=lambda n=number: publisher.publish(
                    f"{TOPIC}/{n}", b"%d" % n, retain=False, timeout_s=10
                )
            )
            for number in range(30)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        heard = {ears.next()[1] for _ in range(30)}
    assert heard == {b"%d" % number for number in range(30)}


def test_a_refusal_of_the_broker_is_no_success(mqtt_broker: MqttBroker) -> None:
    """MQTT 5 tells; in 3.1.1 the broker has no way to (4.12, and 3.4 has no reason code)."""
    if not mqtt_broker.has_access_list:
        pytest.skip("this broker has no access list")
    publisher = MqttPublisher(mqtt_broker.url_for("dispatch"), client_id="test-refused")
    with pytest.raises(Unavailable, match="refuses"):
        publisher.publish("cityos/v1/town/demo/d/observations", b"x", retain=False, timeout_s=5)
    publisher.publish(TOPIC, b"", retain=True, timeout_s=5)
    assert publisher.connections == 1, "a refusal must not cost the connection"
    publisher.close()


def test_what_the_broker_would_not_take_never_reaches_it(
    publisher: MqttPublisher, mqtt_broker: MqttBroker
) -> None:
    """It would end the connection at each repetition, and nothing else would leave any more."""
    room = LARGEST_PACKET_BYTES - len(TOPIC) - 10
    with Ears(mqtt_broker, TOPIC) as ears:
        for size in (LARGEST_PACKET_BYTES + 100_000, room + 1):
            with pytest.raises(TooLarge, match="more than the broker takes"):
                publisher.publish(TOPIC, b"x" * size, retain=False, timeout_s=5)
        publisher.publish(TOPIC, b"x" * room, retain=False, timeout_s=5)
        assert len(ears.next()[1]) == room
    assert publisher.connections == 1


def test_the_largest_packet_is_no_larger_than_our_own_brokers_take() -> None:
    for settings in (mosquitto._SETTINGS, rumqttd._LISTENER):
        (limit,) = re.findall(r"^max_p\w+_size =? ?(\d+)$", settings, re.MULTILINE)
        assert int(limit) >= LARGEST_PACKET_BYTES


def test_a_broker_says_how_much_it_takes() -> None:
    """MQTT 5, 3.2.2.3.6: Maximum Packet Size, here 1,000 bytes."""
    connack = bytes.fromhex("20 08 00 00 05 27 00 00 03 e8")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        publisher = MqttPublisher(
            f"mqtt://a:b@127.0.0.1:{listener.getsockname()[1]}", client_id="test-small"
        )
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1000)
            connection.sendall(connack)
            with pytest.raises(TooLarge, match="1000"):
                publisher.publish(TOPIC, b"x" * 1000, retain=False, timeout_s=5)
            publisher.close()


def test_a_feed_does_without_what_the_broker_would_not_take(mqtt_broker: MqttBroker) -> None:
    publisher = MqttPublisher(mqtt_broker.url_for("dispatch"), client_id="test-feed")
    lenient = LeavesOutTooLarge(publisher)
    with Ears(mqtt_broker, TOPIC) as ears, capture_logs() as logs:
        for payload in (b"x" * LARGEST_PACKET_BYTES, b"next"):
            lenient.publish(TOPIC, payload, retain=False, timeout_s=5)
        assert ears.next() == (TOPIC, b"next")
    assert [line["event"] for line in logs] == ["a message is given up"]
    publisher.close()


def test_without_a_broker_the_deadline_holds(free_port: int) -> None:
    publisher = MqttPublisher(f"mqtt://a:b@127.0.0.1:{free_port}", client_id="test-nobody")
    started = time.monotonic()
    with pytest.raises(Unavailable, match="no connection"):
        publisher.publish(TOPIC, b"x", retain=False, timeout_s=0.3)
    assert time.monotonic() - started < 2
    publisher.close()


def test_a_wrong_password_is_not_a_connection(mqtt_broker: MqttBroker) -> None:
    url = f"mqtt://dispatch:wrong@{mqtt_broker.host}:{mqtt_broker.port_v5}"
    publisher = MqttPublisher(url, client_id="test-wrong")
    with pytest.raises(Unavailable, match="no connection"):
        publisher.publish(TOPIC, b"x", retain=False, timeout_s=0.5)
    assert publisher.connections == 0
    publisher.close()


def test_leaving_is_no_loss_and_a_loss_is_said(
    start_own_broker: Callable[..., MqttBroker],
) -> None:
    broker = start_own_broker()
    url = broker.url_for("dispatch")
    leaving, losing = (MqttPublisher(url, client_id=name) for name in ("leaving", "losing"))
    with capture_logs() as logs:
        for publisher in (leaving, losing):
            publisher.publish(TOPIC, b"x", retain=False, timeout_s=5)
        leaving.close()
        assert logs == []
        broker.kill()
        deadline_s = time.monotonic() + 5
        while not logs and time.monotonic() < deadline_s:
            time.sleep(0.02)
        losing.close()
    assert [line["event"] for line in logs] == ["the connection to the broker was lost"]


def test_it_comes_back_after_the_broker_does(start_own_broker: Callable[..., MqttBroker]) -> None:
    broker = start_own_broker()
    url = broker.url_for("dispatch", version=4)  # the port that every broker comes back on
    publisher = MqttPublisher(url, client_id="test-back", mqtt5=False)
    publisher.publish(TOPIC, b"before", retain=False, timeout_s=5)
    assert publisher.connections == 1
    broker.kill()
    with pytest.raises(Unavailable):
        publisher.publish(TOPIC, b"away", retain=False, timeout_s=0.5)
    start_own_broker(broker.home, port=broker.port)
    publisher.publish(TOPIC, b"after", retain=False, timeout_s=15)
    assert publisher.connections == 2
    publisher.close()
