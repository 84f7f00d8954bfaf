"""What every way of listening keeps to, on a real broker: paho with its own reading, and ours."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cityos.ingest.listener import Arrival, BatchClient, BrokerAddress, Listener, StockClient
from cityos.ingest.packets import split
from cityos.runtime.broker import MqttBroker

Start: TypeAlias = Callable[[], Listener]


@pytest.fixture(params=["batch-v5", "batch-v3", "stock-v5", "stock-v3"])
def start_listener(request: pytest.FixtureRequest, mqtt_broker: MqttBroker) -> Iterator[Start]:
    kind, _, version = request.param.partition("-")
    number = 5 if version == "v5" else 4
    client_id = f"listener-{request.param}-{time.monotonic_ns()}"
    started: list[Listener] = []

    def start() -> Listener:
        make = BatchClient if kind == "batch" else StockClient
        listener = Listener(
            make(client_id, mqtt5=number == 5),
            BrokerAddress.of(mqtt_broker.url_for("ingest", version=number)),
            on_state=lambda up, _why: up and states.put(up),
        )
        states: queue.Queue[bool] = queue.Queue()
        started.append(listener)
        listener.start()
        states.get(timeout=10)
        time.sleep(0.3)  # the subscription's acknowledgement is on its way
        return listener

    yield start
    for listener in started:
        listener.stop()


class Vendor:
    def __init__(self, broker: MqttBroker, user: str = "acme") -> None:
        address = BrokerAddress.of(broker.url_for(user, version=4))
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.username_pw_set(address.username, address.password)
        self.client.max_inflight_messages_set(1000)
        self.client.connect(address.host, address.port)
        self.client.loop_start()
        while not self.client.is_connected():
            time.sleep(0.01)

    def publish(self, payload: bytes, topic: str = "cityos/v1/t/acme/g1/observations") -> None:
        self.client.publish(topic, payload, qos=1).wait_for_publish(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def vendor(mqtt_broker: MqttBroker) -> Iterator[Vendor]:
    vendor = Vendor(mqtt_broker)
    yield vendor
    vendor.close()


def arrived(
    listener: Listener, count: int, timeout_s: float = 10, *, acknowledge: bool = True
) -> list[Arrival]:
    found: list[Arrival] = []
    end = time.monotonic() + timeout_s
    while sum(len(arrival.messages) for arrival in found) < count:
        try:
            found.append(listener.arrivals.get(timeout=max(0.01, end - time.monotonic())))
        except queue.Empty:
            break
        if acknowledge:
            listener.acknowledge(found[-1:])
    return found


def payloads(arrivals: list[Arrival]) -> list[bytes]:
    return [payload for arrival in arrivals for _, payload in arrival.messages]


def test_messages_arrive_in_order_with_topic_and_packets(
    start_listener: Start, vendor: Vendor
) -> None:
    listener = start_listener()
    sent = [b"%d" % number for number in range(200)]
    for payload in sent:
        vendor.publish(payload)
    found = arrived(listener, len(sent))
    assert payloads(found) == sent
    assert {topic for arrival in found for topic, _ in arrival.messages} == {
        b"cityos/v1/t/acme/g1/observations"
    }
    for arrival in found:  # what the spool would keep says the same
        assert split(arrival.packets, mqtt5=arrival.mqtt5).messages == list(arrival.messages)
        assert len(arrival.acks) == len(arrival.messages)


def test_exercise_topics_arrive_too(start_listener: Start, mqtt_broker: MqttBroker) -> None:
    listener = start_listener()
    rehearsal = Vendor(mqtt_broker, "rehearsal")
    rehearsal.publish(b"x", "cityos/v1/t/acme/g1/observations/exercise/typhoon")
    assert payloads(arrived(listener, 1)) == [b"x"]
    rehearsal.close()


def test_a_large_message_arrives_whole_between_small_ones(
    start_listener: Start, vendor: Vendor
) -> None:
    listener = start_listener()
    large = bytes(range(256)) * 4096
    for payload in (b"before", large, b"after"):
        vendor.publish(payload)
    assert payloads(arrived(listener, 3)) == [b"before", large, b"after"]


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(
    start_listener: Start, vendor: Vendor
) -> None:
    first = start_listener()
    for payload in (b"kept", b"lost"):
        vendor.publish(payload)
        time.sleep(0.05)
    found = arrived(first, 2, acknowledge=False)
    kept = [arrival for arrival in found if payloads([arrival]) == [b"kept"]]
    assert len(kept) == 1, "the two came in one read: sent too close together"
    first.acknowledge(kept)
    time.sleep(0.5)
    first._client._sock_close()  # the process is gone without a word
    first.stop()
    second = start_listener()
    assert payloads(arrived(second, 1, timeout_s=5)) == [b"lost"]


def test_what_is_published_while_we_are_away_is_waiting(
    start_listener: Start, vendor: Vendor
) -> None:
    first = start_listener()
    first.stop()
    sent = [b"%d" % number for number in range(50)]
    for payload in sent:
        vendor.publish(payload)
    assert payloads(arrived(start_listener(), len(sent))) == sent


def test_an_acknowledgement_of_an_earlier_connection_is_not_sent(
    start_listener: Start, vendor: Vendor
) -> None:
    listener = start_listener()
    vendor.publish(b"x")
    stale = arrived(listener, 1, acknowledge=False)
    listener._client.connection_number += 1  # as a reconnect does
    listener.acknowledge(stale)
    time.sleep(0.3)
    listener._client._sock_close()
    listener.stop()
    assert payloads(arrived(start_listener(), 1, timeout_s=5)) == [b"x"]


def test_a_wrong_password_is_said_and_does_not_end_the_process(mqtt_broker: MqttBroker) -> None:
    states: queue.Queue[tuple[bool, str]] = queue.Queue()
    address = BrokerAddress.of(mqtt_broker.url_for("ingest", version=4))
    wrong = BrokerAddress(address.host, address.port, "ingest", "wrong", tls=False)
    listener = Listener(
        BatchClient("wrong-password", mqtt5=False),
        wrong,
        on_state=lambda up, why: states.put((up, why)),
    )
    listener.start()
    up, why = states.get(timeout=10)
    listener.stop()
    assert not up
    assert why


def test_what_the_broker_has_kept_is_not_taken_for_news(
    start_listener: Start, vendor: Vendor
) -> None:
    topic = "cityos/v1/t/acme/kept/observations"
    vendor.client.publish(topic, b"old", qos=1, retain=True).wait_for_publish(10)
    first = start_listener()
    vendor.publish(b"new")
    assert payloads(arrived(first, 1)) == [b"new"]
    vendor.client.publish(topic, b"live", qos=1, retain=True).wait_for_publish(10)
    assert payloads(arrived(first, 1)) == [b"live"], "to a standing subscription it is news"
    first.stop()
    again = start_listener()
    vendor.publish(b"newer")
    assert payloads(arrived(again, 1)) == [b"newer"]
    vendor.client.publish(topic, b"", qos=1, retain=True).wait_for_publish(10)
