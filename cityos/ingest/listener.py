"""Listens to the broker: connects, subscribes, stays connected, hands over what comes.

All of it is one thread's: who reads also spools and acknowledges, so that nothing waits between.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import MQTT_ERR_SUCCESS, Client
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from cityos.domain import topic
from cityos.ingest.mqtt_clients import Arrival, SessionClient

RECEIVE_MAXIMUM: Final = 20_000
"""Unacknowledged messages that the broker may have on the way to us (MQTT 5, 3.1.2.11.3)."""
SESSION_EXPIRY_S: Final = 7 * 86_400
"""How long the broker keeps what is meant for us while we are away (MQTT 5, 3.1.2.11.2)."""
_CONNECT_TIMEOUT_S: Final = 5.0
_ANSWER_S: Final = 5.0
"""From connecting until the broker must have granted the subscription."""
_RECONNECT_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
_SETTLED_S: Final = 10.0
"""A connection that has lasted so long was a success: the next loss is met with a quick try."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and who we are to it; read from ``mqtt[s]://user:password@host:port``."""

    host: str
    port: int
    username: str
    password: str
    tls: bool

    @classmethod
    def of(cls, url: str) -> BrokerAddress:
        parts = urlsplit(url)
        tls = parts.scheme == "mqtts"
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or (8883 if tls else 1883),
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            tls=tls,
        )


class Listener:
    """A session at the broker: what it sends is waited for, and acknowledged when it is kept.

    ``on_state`` hears when we begin to hear the broker, and when we stop and why; each once.
    """

    def __init__(
        self,
        client: SessionClient,
        address: BrokerAddress,
        *,
        topic_filter: str = topic.OBSERVATIONS_FILTER,
        on_state: Callable[[bool, str], None] = lambda _up, _why: None,
        keepalive_s: int = 30,
    ) -> None:
        self._client = client
        self._filter = topic_filter
        self._on_state = on_state
        self._hearing: bool | None = None
        self._attempts = 0
        self._next_try_s = 0.0
        self._answer_due_s = math.inf
        self._settled_at_s = math.inf
        if address.username:
            client.username_pw_set(address.username, address.password)
        if address.tls:
            client.tls_set_context(ssl.create_default_context())
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.connect_timeout = _CONNECT_TIMEOUT_S
        arguments: dict[str, Any] = {"keepalive": keepalive_s}
        if client.mqtt5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = RECEIVE_MAXIMUM
            properties.SessionExpiryInterval = SESSION_EXPIRY_S
            arguments |= {"clean_start": False, "properties": properties}
        client.connect_async(address.host, address.port, **arguments)

    def wait(self, timeout_s: float) -> Sequence[Arrival]:
        """Return what has come since the last call, waiting for something if need be.

        Whoever calls it again and again keeps the connection alive; it is made, and made again
        when it is lost, in here.
        """
        client = self._client
        end_s = time.monotonic() + timeout_s
        while True:
            left_s = max(0.0, end_s - time.monotonic())
            if client.socket() is not None or self._connect(left_s):
                self._pump(min(left_s, _ANSWER_S))
            if client.arrivals or time.monotonic() >= end_s:
                return client.take()

    def leave(self, why: str) -> None:
        """End the connection: what is not acknowledged comes again with the next one."""
        self._say(False, why)  # noqa: FBT003
        self._client.leave()

    def _give_up(self, why: str) -> None:
        """Nothing was acknowledged yet, and in a callback of paho nothing may be sent."""
        self._say(False, why)  # noqa: FBT003
        self._client.drop()

    def _pump(self, timeout_s: float) -> None:
        if self._client.pump(timeout_s) != MQTT_ERR_SUCCESS:
            self._client.drop()
        now_s = time.monotonic()
        if now_s >= self._answer_due_s:
            self._give_up("it does not answer")
        if now_s >= self._settled_at_s:
            self._attempts = 0

    def _connect(self, timeout_s: float) -> bool:
        """Try, if it is time to; each try makes the next one wait longer, until one lasts."""
        now_s = time.monotonic()
        if now_s < self._next_try_s:
            time.sleep(min(self._next_try_s - now_s, timeout_s))
            if self._next_try_s - now_s > timeout_s:
                return False
        now_s = time.monotonic()
        self._next_try_s = now_s + _RECONNECT_S[min(self._attempts, len(_RECONNECT_S) - 1)]
        self._answer_due_s, self._settled_at_s = now_s + _ANSWER_S, math.inf
        self._attempts += 1
        try:
            self._client.reconnect()
        except (OSError, ValueError) as error:  # ValueError: a host name that cannot be one
            why = error.strerror if isinstance(error, OSError) else None
            self._say(False, why or type(error).__name__)  # noqa: FBT003
            return False
        return True

    def stop(self) -> None:
        """Leave the broker, which is no loss to tell of; the session and its queue stay there.

        Without a DISCONNECT: paho closes over what is unread when it has sent one.
        """
        self._client.on_disconnect = None
        self._client.leave()

    def acknowledge(self, arrivals: Sequence[Arrival]) -> None:
        """Acknowledge what is on disk now."""
        self._client.acknowledge(arrivals)

    def _connected(
        self,
        client: Client,
        _data: object,
        _flags: object,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        if reason.is_failure:
            self._say(False, str(reason))  # noqa: FBT003
        elif self._client.mqtt5:
            # never what the broker has kept (MQTT 5, 3.8.3.1); 3.1.1 cannot say so, see packets
            options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
            client.subscribe(self._filter, options=options)
        else:
            client.subscribe(self._filter, qos=1)

    def _subscribed(
        self,
        _client: Client,
        _data: object,
        _number: int,
        reasons: Sequence[ReasonCode],
        _properties: object,
    ) -> None:
        self._answer_due_s = math.inf
        refused = [str(reason) for reason in reasons if reason.value != 1]
        if refused:
            # MQTT 5, 3.9.3: also less than we asked for is no subscription of ours
            self._give_up(f"it does not let us subscribe: {refused[0]}")
            return
        self._settled_at_s = time.monotonic() + _SETTLED_S
        self._say(True, "")  # noqa: FBT003

    def _disconnected(
        self,
        _client: Client,
        _data: object,
        _flags: object,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        self._say(False, str(reason))  # noqa: FBT003

    def _say(self, hearing: bool, why: str) -> None:  # noqa: FBT001 - the form of ``on_state``
        if hearing is not self._hearing:
            self._hearing = hearing
            self._on_state(hearing, why)
