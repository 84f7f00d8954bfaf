"""Receives from the broker: a persistent session, QoS 1, and nothing acknowledged by itself.

``BatchClient`` is paho-mqtt with one method replaced: reading. paho keeps the connection, its
keepalive, TLS, reconnecting and everything that is no PUBLISH. ``StockClient`` is the same
behaviour by public means alone, an order of magnitude slower: the way back if a release of paho
changes its insides (pinned in pyproject.toml, both held to one contract suite).
See docs/decisions/0003-paho-batch-reading.md.

All of it is one thread's: who reads also spools and acknowledges, so that nothing waits between.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import (
    MQTT_ERR_CONN_LOST,
    MQTT_ERR_PROTOCOL,
    MQTT_ERR_SUCCESS,
    PUBACK,
    Client,
    MQTTMessage,
    MQTTv5,
    MQTTv311,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from cityos.domain import topic
from cityos.ingest.packets import PUBACKS, Message, publish, split

_READ_BYTES: Final = 262_144
_BUSY_BYTES: Final = 2048
_GATHER_S: Final = 0.004
"""A read of so much says that more is on its way: so long after it, the next one brings it in one
go (a read, a select and a wake-up cost more than decoding ten messages)."""
_MOST_AT_ONCE: Final = 500
RECEIVE_MAXIMUM: Final = 20_000
"""Unacknowledged messages that the broker may have on the way to us (MQTT 5, 3.1.2.11.3)."""
SESSION_EXPIRY_S: Final = 7 * 86_400
"""How long the broker keeps what is meant for us while we are away (MQTT 5, 3.1.2.11.2)."""
_CONNECT_TIMEOUT_S: Final = 5.0
_RECONNECT_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one read brought: the packets as they came, decoded, and how to acknowledge them."""

    packets: bytes
    messages: Sequence[Message]
    acks: Sequence[bytes]
    mqtt5: bool
    connection: int
    retained: int = 0


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
    """A session at the broker: what it sends is waited for, and acknowledged when it is kept."""

    def __init__(
        self,
        client: _SessionClient,
        address: BrokerAddress,
        *,
        topic_filter: str = topic.OBSERVATIONS_FILTER,
        on_state: Callable[[bool, str], None] = lambda _up, _why: None,
        keepalive_s: int = 30,
    ) -> None:
        self._client = client
        self._filter = topic_filter
        self._on_state = on_state
        self._failures = 0
        self._next_try_s = 0.0
        if address.username:
            client.username_pw_set(address.username, address.password)
        if address.tls:
            client.tls_set_context(ssl.create_default_context())
        client.on_connect = self._connected
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
        if client.socket() is None and not self._connect(timeout_s):
            return ()
        if client.pump(timeout_s) != MQTT_ERR_SUCCESS:
            client.drop()
            self._try_later()
        return client.take()

    def _connect(self, timeout_s: float) -> bool:
        wait_s = self._next_try_s - time.monotonic()
        if wait_s > 0:
            time.sleep(min(wait_s, timeout_s))
            if wait_s > timeout_s:
                return False
        try:
            self._client.reconnect()
        except OSError as error:
            self._on_state(False, error.strerror or type(error).__name__)  # noqa: FBT003
            self._try_later()
            return False
        return True

    def _try_later(self) -> None:
        pause_s = _RECONNECT_S[min(self._failures, len(_RECONNECT_S) - 1)]
        self._failures += 1
        self._next_try_s = time.monotonic() + pause_s

    def stop(self) -> None:
        """Leave the broker; the session and its queue stay there for the next start."""
        self._client.disconnect()

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
            self._on_state(False, str(reason))  # noqa: FBT003
            return
        self._failures = 0
        if self._client.mqtt5:
            # never what the broker has kept (MQTT 5, 3.8.3.1); 3.1.1 cannot say so, see packets
            options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
            client.subscribe(self._filter, options=options)
        else:
            client.subscribe(self._filter, qos=1)
        self._on_state(True, "")  # noqa: FBT003

    def _disconnected(
        self,
        _client: Client,
        _data: object,
        _flags: object,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        self._on_state(False, str(reason))  # noqa: FBT003


class _SessionClient(Client):
    """A paho client with a fixed client id, what has arrived, and counted connections."""

    def __init__(self, client_id: str, *, mqtt5: bool) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTv5 if mqtt5 else MQTTv311,
            manual_ack=True,
            clean_session=None if mqtt5 else False,  # MQTT 5 says it when connecting
        )
        self.mqtt5 = mqtt5
        self.connection_number = 0
        self.arrivals: list[Arrival] = []

    def reconnect(self) -> MQTTErrorCode:
        # An acknowledgement that belongs to an earlier connection must not go out on the new one:
        # where the broker has lost the session, its packet identifiers mean other messages now.
        self.connection_number += 1
        self._out_packet.clear()
        return super().reconnect()

    def pump(self, timeout_s: float) -> MQTTErrorCode:
        """Send and receive what there is, waiting for something to receive."""
        return self.loop(timeout_s)

    def drop(self) -> None:
        """Close the connection if it is not closed yet."""
        if self._sock is not None:
            self._sock_close()

    def take(self) -> Sequence[Arrival]:
        """Hand over what has arrived."""
        taken, self.arrivals = self.arrivals, []
        return taken

    def acknowledge(self, arrivals: Sequence[Arrival]) -> None:
        raise NotImplementedError


class BatchClient(_SessionClient):
    """Reads everything that is there in one go and decodes it in one call."""

    def __init__(self, client_id: str, *, mqtt5: bool = True) -> None:
        super().__init__(client_id, mqtt5=mqtt5)
        self._unfinished = b""
        self._gather_until_s = 0.0

    def reconnect(self) -> MQTTErrorCode:
        self._unfinished = b""
        return super().reconnect()

    def pump(self, timeout_s: float) -> MQTTErrorCode:
        pause_s = self._gather_until_s - time.monotonic()
        if pause_s > 0:
            time.sleep(pause_s)
        return super().pump(timeout_s)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Replaces paho's reading; called by ``loop`` when the socket is readable."""
        del max_packets
        now_s = time.monotonic()
        try:
            data = b"" if self._sock is None else self._sock.recv(_READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return MQTT_ERR_SUCCESS
        except OSError:
            data = b""
        code = self._received(data, now_s) if data else MQTT_ERR_CONN_LOST
        if _BUSY_BYTES < len(data) < _READ_BYTES:
            self._gather_until_s = now_s + _GATHER_S
        return code if code == MQTT_ERR_SUCCESS else self._loop_rc_handle(code)

    def _received(self, data: bytes, now_s: float) -> MQTTErrorCode:
        with self._msgtime_mutex:
            self._last_bytes_received = now_s
        run = self._unfinished + data if self._unfinished else data
        try:
            found = split(run, mqtt5=self.mqtt5)
        except (ValueError, IndexError):
            return MQTT_ERR_PROTOCOL
        self._unfinished = run[found.used :]
        for header, body in found.others:
            code = self._hand_over(header, body)
            if code != MQTT_ERR_SUCCESS:
                return code
        if found.messages or found.acks:
            self.arrivals.append(
                Arrival(
                    packets=_only_publish(found.messages) if found.others else run[: found.used],
                    messages=found.messages,
                    acks=found.acks,
                    mqtt5=self.mqtt5 and not found.others,
                    connection=self.connection_number,
                    retained=found.retained,
                )
            )
        return MQTT_ERR_SUCCESS

    def _hand_over(self, header: int, body: bytes) -> MQTTErrorCode:
        """Let paho handle a packet that is no PUBLISH."""
        self._in_packet.update(
            {"command": header, "packet": bytearray(body), "remaining_length": len(body), "pos": 0}
        )
        code = self._packet_handle()
        self._in_packet.update({"command": 0, "packet": bytearray(), "remaining_length": 0})
        return code

    def acknowledge(self, arrivals: Sequence[Arrival]) -> None:
        acks = [
            ack
            for arrival in arrivals
            if arrival.connection == self.connection_number
            for ack in arrival.acks
        ]
        if acks:
            self._packet_queue(PUBACK, b"".join(acks), 0, 1)


class StockClient(_SessionClient):
    """The same by paho's public interface: one callback and one acknowledgement a message."""

    def __init__(self, client_id: str, *, mqtt5: bool = True) -> None:
        super().__init__(client_id, mqtt5=mqtt5)
        self.on_message = self._arrived

    def pump(self, timeout_s: float) -> MQTTErrorCode:
        """One pass brings one packet: go on while they come, for keeping costs by the batch."""
        code = super().pump(timeout_s)
        for count in range(1, _MOST_AT_ONCE):
            if code != MQTT_ERR_SUCCESS or len(self.arrivals) < count:
                break
            code = super().pump(0)
        return code

    def _arrived(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        raw, payload = message.topic.encode(), bytes(message.payload)
        self.arrivals.append(
            Arrival(
                packets=publish(raw, payload),
                messages=() if message.retain else ((raw, payload),),
                acks=(PUBACKS[message.mid],) if message.qos else (),
                mqtt5=False,
                connection=self.connection_number,
                retained=int(message.retain),
            )
        )

    def acknowledge(self, arrivals: Sequence[Arrival]) -> None:
        for arrival in arrivals:
            if arrival.connection == self.connection_number:
                for ack in arrival.acks:
                    self.ack(int.from_bytes(ack[2:], "big"), 1)


def _only_publish(messages: Sequence[Message]) -> bytes:
    return b"".join(publish(topic_bytes, payload) for topic_bytes, payload in messages)
