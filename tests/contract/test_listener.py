"""What every way of listening keeps to, on a real broker: paho with its own reading, and ours."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cityos.ingest import mqtt_clients
from cityos.ingest.listener import BrokerAddress, Listener
from cityos.ingest.mqtt_clients import Arrival, BatchClient, StockClient
from cityos.ingest.packets import split
from cityos.runtime.broker import MqttBroker
from cityos.runtime.ports import free_port


class Listening:
    """A listener, and what came while nobody asked."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.client = listener._client
        self.came: list[Arrival] = []

    def pump(self, timeout_s: float = 10, *, until: Callable[[], bool] = lambda: False) -> None:
        """Keep the connection going."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and not until():
            self.came += self.listener.wait(0.05)

    def arrived(
        self, count: int, timeout_s: float = 10, *, acknowledge: bool = True
    ) -> list[Arrival]:
        """The next so many messages, or what has come of them in the time."""
        self.pump(timeout_s, until=lambda: sum(len(one.messages) for one in self.came) >= count)
        found, self.came = self.came, []
        if acknowledge:
            self.listener.acknowledge(found)
        return found

    def vanish(self) -> None:
        """The process is gone without a word."""
        self.client.drop()
        self.listener.stop()


Start: TypeAlias = Callable[[], Listening]


@pytest.fixture(params=["batch-v5", "batch-v3", "stock-v5", "stock-v3"])
def start_listener(request: pytest.FixtureRequest, mqtt_broker: MqttBroker) -> Iterator[Start]:
    kind, _, version = request.param.partition("-")
    number = 5 if version == "v5" else 4
    client_id = f"listener-{request.param}-{time.monotonic_ns()}"
    started: list[Listener] = []

    def start() -> Listening:
        make = BatchClient if kind == "batch" else StockClient
        states: list[bool] = []
        listener = Listener(
            make(client_id, mqtt5=number == 5),
            BrokerAddress.of(mqtt_broker.url_for("ingest", version=number)),
            on_state=lambda up, _why: states.append(up) if up else None,
        )
        started.append(listener)
        listening = Listening(listener)
        listening.pump(until=lambda: bool(states))
        listening.pump(0.3)  # the subscription's acknowledgement is on its way
        return listening

    yield start
    for listener in started:
        listener.stop()


def test_another_paho_than_the_pinned_one_costs_speed_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(mqtt_clients.session_client("any"), BatchClient)
    monkeypatch.setattr(mqtt_clients, "PAHO", "1.0.0")
    assert isinstance(mqtt_clients.session_client("any"), StockClient)


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


def payloads(arrivals: list[Arrival]) -> list[bytes]:
    return [payload for arrival in arrivals for _, payload in arrival.messages]


def test_messages_arrive_in_order_with_topic_and_packets(
    start_listener: Start, vendor: Vendor
) -> None:
    listener = start_listener()
    sent = [b"%d" % number for number in range(200)]
    for payload in sent:
        vendor.publish(payload)
    found = listener.arrived(len(sent))
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
    assert payloads(listener.arrived(1)) == [b"x"]
    rehearsal.close()


def test_a_large_message_arrives_whole_between_small_ones(
    start_listener: Start, vendor: Vendor
) -> None:
    listener = start_listener()
    large = bytes(range(256)) * 4096
    for payload in (b"before", large, b"after"):
        vendor.publish(payload)
    assert payloads(listener.arrived(3)) == [b"before", large, b"after"]


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(
    start_listener: Start, vendor: Vendor
) -> None:
    first = start_listener()
    vendor.publish(b"kept")
    kept = first.arrived(1, acknowledge=False)
    vendor.publish(b"lost")
    assert payloads(first.arrived(1, acknowledge=False)) == [b"lost"]
    first.listener.acknowledge(kept)
    first.pump(0.5)
    first.vanish()
    second = start_listener()
    assert payloads(second.arrived(1, timeout_s=5)) == [b"lost"]


def test_what_is_acknowledged_on_leaving_does_not_come_again(
    start_listener: Start, vendor: Vendor
) -> None:
    """Though more is on its way: closing over what was not read would take the word back."""
    for _ in range(2):
        first = start_listener()
        sent = [b"%d:" % number + bytes(1000) for number in range(300)]
        for payload in sent:
            vendor.client.publish("cityos/v1/t/acme/g1/observations", payload, qos=1)
        kept = payloads(first.arrived(20))
        first.listener.leave("the spool refuses messages")
        second = start_listener()
        rest = payloads(second.arrived(len(sent) - len(kept)))
        second.pump(0.3)
        assert sorted([*kept, *rest, *payloads(second.came)]) == sorted(sent)
        second.listener.stop()


def test_what_is_published_while_we_are_away_is_waiting(
    start_listener: Start, vendor: Vendor
) -> None:
    first = start_listener()
    first.listener.stop()
    sent = [b"%d" % number for number in range(50)]
    for payload in sent:
        vendor.publish(payload)
    assert payloads(start_listener().arrived(len(sent))) == sent


def test_a_wrong_password_is_said_and_does_not_end_the_process(mqtt_broker: MqttBroker) -> None:
    states: list[tuple[bool, str]] = []
    address = BrokerAddress.of(mqtt_broker.url_for("ingest", version=4))
    wrong = BrokerAddress(address.host, address.port, "ingest", "wrong", tls=False)
    listener = Listening(
        Listener(
            BatchClient("wrong-password", mqtt5=False),
            wrong,
            on_state=lambda up, why: states.append((up, why)),
        )
    )
    listener.pump(until=lambda: bool(states))
    up, why = states[0]
    listener.pump(0.5)
    assert len(states) <= 2, "it tries again at once, and again"
    listener.listener.stop()
    assert not up
    assert why


def test_what_the_broker_has_kept_is_not_taken_for_news(
    start_listener: Start, vendor: Vendor
) -> None:
    topic = "cityos/v1/t/acme/kept/observations"
    vendor.client.publish(topic, b"old", qos=1, retain=True).wait_for_publish(10)
    first = start_listener()
    vendor.publish(b"new")
    found = first.arrived(1)
    assert payloads(found) == [b"new"]
    for arrival in found:  # nor would it be read back from the spool
        assert split(arrival.packets, mqtt5=arrival.mqtt5).messages == list(arrival.messages)
    vendor.client.publish(topic, b"live", qos=1, retain=True).wait_for_publish(10)
    assert payloads(first.arrived(1)) == [b"live"], "to a standing subscription it is news"
    first.listener.stop()
    again = start_listener()
    vendor.publish(b"newer")
    assert payloads(again.arrived(1)) == [b"newer"]
    vendor.client.publish(topic, b"", qos=1, retain=True).wait_for_publish(10)


def test_a_lost_connection_is_made_again(start_listener: Start, vendor: Vendor) -> None:
    listener = start_listener()
    listener.client.drop()
    vendor.publish(b"meanwhile")
    assert payloads(listener.arrived(1)) == [b"meanwhile"]


def test_leaving_on_purpose_is_no_loss(mqtt_broker: MqttBroker) -> None:
    states: list[tuple[bool, str]] = []
    address = BrokerAddress.of(mqtt_broker.url_for("ingest"))
    client = BatchClient(f"leaving-{time.monotonic_ns()}")
    said = Listener(client, address, on_state=lambda up, why: states.append((up, why)))
    Listening(said).pump(until=lambda: bool(states))
    said.stop()
    assert states == [(True, "")]


def test_a_broker_that_is_not_there_is_said_once_and_tried_again() -> None:
    states: list[str] = []
    nobody = BrokerAddress("127.0.0.1", free_port(), "ingest", "x", tls=False)
    listener = Listening(
        Listener(
            BatchClient("nobody"), nobody, on_state=lambda up, why: states.append(f"{up}: {why}")
        )
    )
    listener.pump(2.5)
    assert states == ["False: Connection refused"]


CONNACK, SUBACK = b"\x20\x03\x00\x00\x00", b"\x90\x04\x00\x01\x00"


class Strange:
    """A broker that answers to each packet as it is told, and counts who comes."""

    def __init__(self, *answers: bytes, close: bool = False) -> None:
        self.answers, self.close = answers, close
        self.connections = 0
        self.server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.server.accept()
                self.connections += 1
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for answer in self.answers:
                connection.recv(4096)
                connection.sendall(answer)
            while not self.close and connection.recv(4096):
                pass
        connection.close()

    def hear(self, timeout_s: float) -> list[str]:
        """What a listener says of it in this time."""
        states: list[str] = []
        listener = Listener(
            BatchClient("strange"),
            BrokerAddress("127.0.0.1", self.server.getsockname()[1], "ingest", "x", tls=False),
            on_state=lambda up, why: states.append(f"{up} {why}"),
        )
        Listening(listener).pump(timeout_s)
        listener.stop()
        self.server.close()
        return states


def test_a_refused_subscription_is_no_success() -> None:
    (state,) = Strange(CONNACK, SUBACK + b"\x87").hear(0.8)
    assert state == "False it does not let us subscribe: Not authorized"


def test_less_than_every_message_at_least_once_is_no_subscription() -> None:
    (state,) = Strange(CONNACK, SUBACK + b"\x00").hear(0.8)
    assert state.startswith("False it does not let us subscribe")


@pytest.mark.parametrize("last_words", [b"", b"\xe0\x01\x97", b"\x30\xff\xff\xff\xff\xff"])
def test_a_broker_that_always_ends_the_connection_is_not_stormed(last_words: bytes) -> None:
    """Silent, with a DISCONNECT of its own, or with bytes that are no MQTT."""
    broker = Strange(CONNACK, SUBACK + b"\x01" + last_words, close=True)
    states = broker.hear(2.5)
    assert 1 <= broker.connections <= 3
    assert len(states) <= 2 * broker.connections


def test_a_broker_that_says_nothing_is_given_up() -> None:
    (state,) = Strange().hear(5.5)
    assert state == "False it does not answer"
