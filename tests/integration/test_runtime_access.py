"""The broker itself enforces who may say what: the access list as mosquitto reads it."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import urlsplit

import pytest
from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5

from cityos.domain import topic
from cityos.domain.occasion import Actual
from cityos.runtime.broker import MqttBroker

_NOT_AUTHORIZED = 0x87  # MQTT 5, 2.4


@pytest.fixture
def broker(mqtt_broker: MqttBroker) -> MqttBroker:
    if not mqtt_broker.has_access_list:
        pytest.skip("this broker has no access list, and says so when it starts")
    return mqtt_broker


def answer(broker: MqttBroker, user: str, name: str) -> int:
    """Publish as ``user``; return the broker's reason code (MQTT 5, 3.4.2.1)."""
    codes: list[int] = []
    answered = threading.Event()

    def on_publish(_client: Any, _data: Any, _id: int, reason: Any, _properties: Any) -> None:
        codes.append(reason.value)
        answered.set()

    url = urlsplit(broker.url_for(user))
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.username_pw_set(url.username, url.password)
    client.on_publish = on_publish
    client.connect(url.hostname or "", url.port or 0)
    client.loop_start()
    client.publish(name, b"{}", qos=1)
    assert answered.wait(10)
    client.disconnect()
    client.loop_stop()
    return codes[0]


@pytest.mark.parametrize(
    ("user", "name", "allowed"),
    [
        ("demo", topic.observations("t", "demo", "d"), True),
        ("demo", topic.observations("t", "other", "d"), False),
        ("demo", topic.observations("t", "demo", "d", run="drill"), False),
        ("demo", topic.errors("t", "demo", "d"), False),
        ("demo", topic.alert("t", Actual(), "watch", "flood"), False),
        ("rehearsal", topic.observations("t", "demo", "d", run="drill"), True),
        ("rehearsal", topic.observations("t", "demo", "d"), False),
        ("ingest", topic.errors("t", "demo", "d"), True),
        ("ingest", topic.observations("t", "demo", "d"), False),
        ("dispatch", topic.alert("t", Actual(), "watch", "flood"), True),
    ],
)
def test_who_may_publish_where(broker: MqttBroker, user: str, name: str, *, allowed: bool) -> None:
    assert (answer(broker, user, name) != _NOT_AUTHORIZED) is allowed


def test_the_system_topics_are_off(broker: MqttBroker) -> None:
    assert answer(broker, "demo", "$SYS/broker/uptime") >= 0x80
