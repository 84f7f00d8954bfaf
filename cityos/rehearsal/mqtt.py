"""Publishes at QoS 1 with a bounded window: many messages on their way, never too many.

``MessagePublisher`` waits for each acknowledgement, which is right for an alert and slow for a
recorded day. Here a message goes out as soon as fewer than ``window`` are unacknowledged, and
``drain`` waits for the rest.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from cityos.errors import Unavailable

_CONNECT_S: Final = 5.0
_KEEPALIVE_S: Final = 30
_NO_SUBSCRIBERS: Final = 0x10  # MQTT 5, 3.4.2.1: accepted, nobody listens


class WindowedPublisher:
    """A connection to the broker of ``mqtt[s]://user:password@host:port``.

    Reconnects by itself and sends again what was not acknowledged. Used by one thread.
    ``on_state`` hears (connected, reason), from paho's thread.
    """

    def __init__(
        self,
        url: str,
        *,
        window: int = 200,
        mqtt5: bool = True,
        on_state: Callable[[bool, str], None] = lambda _up, _why: None,
    ) -> None:
        parts = urlsplit(url)
        tls = parts.scheme == "mqtts"
        self._window = window
        self._free = threading.Semaphore(window)
        self._connected = threading.Event()
        self._lock = threading.Lock()
        self._refused: dict[str, int] = {}
        self._acknowledged = 0
        self._why = "the broker does not answer"
        self._on_state = on_state
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            protocol=MQTTv5 if mqtt5 else MQTTv311,
            reconnect_on_failure=True,
        )
        self._client.max_inflight_messages_set(window)
        self._client.max_queued_messages_set(2 * window)
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.connect_timeout = _CONNECT_S
        self._client.reconnect_delay_set(min_delay=1, max_delay=15)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.connect_async(
            parts.hostname or "127.0.0.1",
            parts.port or (8883 if tls else 1883),
            keepalive=_KEEPALIVE_S,
        )
        self._client.loop_start()

    @property
    def acknowledged(self) -> int:
        """How many messages the broker has taken."""
        with self._lock:
            return self._acknowledged

    @property
    def refused(self) -> dict[str, int]:
        """How many messages the broker refused, by its reason (MQTT 5, 3.4.2.1)."""
        with self._lock:
            return dict(self._refused)

    def wait_connected(self, timeout_s: float) -> None:
        """Raises Unavailable when the broker has not let us in by then."""
        if not self._connected.wait(timeout_s):
            message = f"no connection to the broker: {self._why}"
            raise Unavailable(message)

    def send(self, topic: str, payload: bytes, *, timeout_s: float = 10.0) -> None:
        """Hand a message over; return when the window has room for it.

        Raises:
            Unavailable: there was no room until the timeout, because nothing is acknowledged.
        """
        if not self._free.acquire(timeout=timeout_s):
            message = f"the broker acknowledges nothing: {self._why}"
            raise Unavailable(message)
        info = self._client.publish(topic, payload, qos=1)
        if info.rc not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN}:
            # without a connection paho queues the message and sends it on the next one
            self._free.release()
            message = "the message could not be queued for the broker"
            raise Unavailable(message)

    def drain(self, timeout_s: float) -> None:
        """Return when everything is acknowledged.

        Raises:
            Unavailable: something still is not, ``timeout_s`` after the last progress.
        """
        held = 0
        try:
            while held < self._window:
                if not self._free.acquire(timeout=timeout_s):
                    message = f"{self._window - held} messages were not acknowledged: {self._why}"
                    raise Unavailable(message)
                held += 1
        finally:
            for _ in range(held):
                self._free.release()

    def close(self) -> None:
        """Leave the broker; what is not acknowledged is forgotten."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self,
        _client: Client,
        _data: object,
        _flags: object,
        reason: Any,  # noqa: ANN401 - paho's ReasonCode
        _properties: object,
    ) -> None:
        if reason.is_failure:
            self._why = str(reason)
            self._on_state(False, str(reason))  # noqa: FBT003
            return
        self._connected.set()
        self._on_state(True, "")  # noqa: FBT003

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: object,
        reason: Any,  # noqa: ANN401
        _properties: object,
    ) -> None:
        if self._connected.is_set():  # else it was never up, and why not is known already
            self._why = f"the connection was lost: {reason}"
        self._connected.clear()
        self._on_state(False, str(reason))  # noqa: FBT003

    def _on_publish(
        self,
        _client: Client,
        _data: object,
        _message_id: int,
        reason: Any,  # noqa: ANN401
        _properties: object,
    ) -> None:
        with self._lock:
            if reason.is_failure and reason.value != _NO_SUBSCRIBERS:
                self._refused[str(reason)] = self._refused.get(str(reason), 0) + 1
            else:
                self._acknowledged += 1
        self._free.release()
