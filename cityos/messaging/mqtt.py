"""Publishes single messages on MQTT and waits for the broker's acknowledgement."""

from __future__ import annotations

import ssl
import threading
import time
from secrets import token_hex
from typing import Final
from urllib.parse import unquote, urlsplit

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cityos.errors import TooLarge, Unavailable, Unheard
from cityos.ports import MessagePublisher

LARGEST_PACKET_BYTES: Final = 1_300_000
"""What a broker takes that does not say: as much as the ones that we start."""
_HEADER_BYTES: Final = 10
"""At most (MQTT 5, 2.1.1 and 3.3): 5 fixed, 2 the topic's length, 2 an id, 1 "no property"."""
_CONNECT_TIMEOUT_S: Final = 5.0
_KEEPALIVE_S: Final = 15
_RECONNECT_S: Final = (1, 15)
_IN_FLIGHT: Final = 20
_QUEUED: Final = 200
_NOBODY_LISTENS: Final = 0x10  # MQTT 5, 3.4.2.1: no matching subscribers
_FIRST_FAILURE: Final = 0x80  # MQTT 5, 2.4: reason codes from here on mean failure

_log = structlog.get_logger(__name__)


class MqttPublisher:
    """A ``MessagePublisher`` on the broker of ``mqtt[s]://user:password@host:port``.

    QoS 1. It connects in the background, comes back by itself (after 1 s, then twice as long up
    to 15 s) and then repeats what was not acknowledged, in order. A message whose deadline has
    passed may therefore still arrive later: the caller's repetition is a duplicate, never an
    overtaking. ``connections`` counts the connections that came up: after each, the broker may
    have forgotten what it retained. What is more than the broker takes never gets to it: it would
    end the connection at each repetition, and nothing else would leave. ``client_id`` gets a
    random end, for of two clients with one id the broker throws the first one out. With
    ``heard``, a message that the broker has nobody to give to counts as refused (MQTT 5 alone
    tells). Thread-safe.
    """

    def __init__(
        self,
        url: str,
        *,
        client_id: str,
        mqtt5: bool = True,
        heard: bool = False,
    ) -> None:
        parts = urlsplit(url)
        self._heard = heard
        tls = parts.scheme == "mqtts"
        self.connections = 0
        self._connected = threading.Event()
        self._complained = False
        self._takes_bytes = LARGEST_PACKET_BYTES
        self._refused: dict[int, Unavailable] = {}
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{client_id}-{token_hex(3)}",
            protocol=MQTTv5 if mqtt5 else MQTTv311,
        )
        self._client.max_inflight_messages_set(_IN_FLIGHT)
        self._client.max_queued_messages_set(_QUEUED)
        self._client.reconnect_delay_set(*_RECONNECT_S)
        self._client.connect_timeout = _CONNECT_TIMEOUT_S
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.on_connect = self._came_up
        self._client.on_disconnect = self._went_down
        self._client.on_publish = self._acknowledged
        self._client.connect_async(
            parts.hostname or "127.0.0.1",
            parts.port or (8883 if tls else 1883),
            keepalive=_KEEPALIVE_S,
        )
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, *, retain: bool, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        if not self._connected.wait(timeout_s):
            raise Unavailable("no connection to the broker")
        size = len(topic.encode()) + len(payload) + _HEADER_BYTES
        if size > self._takes_bytes:
            message = (
                f"a message of {size} bytes on {topic} is more than the broker takes,"
                f" {self._takes_bytes}"
            )
            raise TooLarge(message)
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc is MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            raise Unavailable("too many messages wait for the broker's acknowledgement")
        try:
            info.wait_for_publish(max(0.0, deadline_s - time.monotonic()))
            published = info.is_published()
        except RuntimeError as error:
            raise Unavailable("the connection to the broker was lost") from error
        if not published:
            raise Unavailable("the broker does not acknowledge")
        refusal = self._refused.pop(info.mid, None)
        if refusal is not None:
            message = f"the broker refuses to publish on {topic}: {refusal}"
            raise type(refusal)(message)

    def close(self) -> None:
        """Leave the broker, which is no loss to speak of; what it retains stays there."""
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop_stop()

    def _came_up(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            if not self._complained:
                _log.error("the broker refuses the connection", reason=str(reason))
            self._complained = True
            return
        self._complained = False
        # MQTT 5, 3.2.2.3.6; paho has the attribute only where the broker gave the property
        self._takes_bytes = getattr(properties, "MaximumPacketSize", LARGEST_PACKET_BYTES)
        self.connections += 1
        self._connected.set()

    def _went_down(
        self,
        _client: Client,
        _userdata: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self._connected.is_set():
            _log.warning("the connection to the broker was lost", reason=str(reason))
        self._connected.clear()

    def _acknowledged(
        self,
        _client: Client,
        _userdata: object,
        mid: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        """Called by paho before it wakes the publisher, which then finds the refusal here.

        Takes no lock: paho holds its own, which the publisher needs to send.
        """
        unheard = self._heard and reason.value == _NOBODY_LISTENS
        if unheard or reason.value >= _FIRST_FAILURE:
            self._refused[mid] = Unheard(str(reason)) if unheard else Unavailable(str(reason))
            if len(self._refused) > _QUEUED:  # nobody waits any more for the oldest
                self._refused.pop(next(iter(self._refused)), None)


class LeavesOutTooLarge:
    """A ``MessagePublisher`` for what may be done without: a message too large is logged and left.

    For a feed, whose other documents have to go on.
    """

    def __init__(self, publisher: MessagePublisher) -> None:
        self._publisher = publisher

    def publish(self, topic: str, payload: bytes, *, retain: bool, timeout_s: float) -> None:
        try:
            self._publisher.publish(topic, payload, retain=retain, timeout_s=timeout_s)
        except TooLarge as error:
            _log.error("a message is given up", reason=str(error))
