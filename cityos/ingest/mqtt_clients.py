"""paho-mqtt with a persistent session, QoS 1, and nothing acknowledged by itself.

``BatchClient`` is paho-mqtt with one method replaced: reading. paho keeps the connection, its
keepalive, TLS and everything that is no PUBLISH. ``StockClient`` is the same behaviour by public
means alone, an order of magnitude slower: the way back if a release of paho changes its insides
(pinned in pyproject.toml, both held to one contract suite). ``session_client`` chooses.
See docs/decisions/0003-paho-batch-reading.md.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import structlog
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

from cityos.ingest.packets import PUBACKS, Message, publish, split

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

PAHO: Final = "2.2.0"
"""The release whose insides ``BatchClient`` was made for."""
_READ_BYTES: Final = 262_144
_BUSY_BYTES: Final = 2048
_GATHER_S: Final = 0.004
"""A read of so much says that more is on its way: so long after it, the next one brings it in one
go (a read, a select and a wake-up cost more than decoding ten messages)."""
_MOST_AT_ONCE: Final = 500
_LEAVING_S: Final = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one read brought: the packets as they came, decoded, and how to acknowledge them."""

    packets: bytes
    messages: Sequence[Message]
    acks: Sequence[bytes]
    mqtt5: bool
    retained: int = 0


class SessionClient(Client):
    """A paho client with a fixed client id, and what has arrived."""

    def __init__(self, client_id: str, *, mqtt5: bool) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTv5 if mqtt5 else MQTTv311,
            manual_ack=True,
            clean_session=None if mqtt5 else False,  # MQTT 5 says it when connecting
        )
        self.mqtt5 = mqtt5
        self.arrivals: list[Arrival] = []

    def pump(self, timeout_s: float) -> MQTTErrorCode:
        """Send and receive what there is, waiting for something to receive."""
        return self.loop(timeout_s)

    def leave(self) -> None:
        """Close the connection when the broker has read what we said, or soon in any case.

        Closing over bytes that nobody has read resets it, and the last acknowledgements are lost:
        what they were for would come again.
        """
        if isinstance(self._sock, socket.socket):
            with suppress(OSError, ValueError):  # ValueError: another thread has closed it
                self._say_the_rest(self._sock, time.monotonic() + _LEAVING_S)
        self.drop()

    def _say_the_rest(self, sock: socket.socket, end_s: float) -> None:
        while self.want_write() and self._sock is sock and _ready([], [sock], end_s):
            self.loop_write()
        sock.shutdown(socket.SHUT_WR)
        while _ready([sock], [], end_s) and sock.recv(_READ_BYTES):
            pass  # it comes again, but what was sent without a promise (QoS 0)

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


class BatchClient(SessionClient):
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
            data = b"" if self._sock is None else _read(self._sock)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
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
        acks = [ack for arrival in arrivals for ack in arrival.acks]
        if acks:
            self._packet_queue(PUBACK, b"".join(acks), 0, 1)


class StockClient(SessionClient):
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
                packets=b"" if message.retain else publish(raw, payload),
                messages=() if message.retain else ((raw, payload),),
                acks=(PUBACKS[message.mid],) if message.qos else (),
                mqtt5=False,
                retained=int(message.retain),
            )
        )

    def acknowledge(self, arrivals: Sequence[Arrival]) -> None:
        for arrival in arrivals:
            for ack in arrival.acks:
                self.ack(int.from_bytes(ack[2:], "big"), 1)


def session_client(client_id: str) -> SessionClient:
    """Return the fast client on the paho that it was made for, on any other the stock one.

    Who installs another paho loses speed, never a message.
    """
    installed = version("paho-mqtt")
    if installed == PAHO:
        return BatchClient(client_id)
    _log.warning(
        "this paho-mqtt is not the one that is read in batches: receiving will be slow",
        installed=installed,
        wanted=PAHO,
    )
    return StockClient(client_id)


def _ready(reading: list[socket.socket], writing: list[socket.socket], end_s: float) -> bool:
    """Wait for one of them until a time of the monotonic clock; False once that is over."""
    left_s = end_s - time.monotonic()
    return left_s > 0 and any(select.select(reading, writing, [], left_s))


def _read(sock: SocketLike) -> bytes:
    """All that is there, up to ``_READ_BYTES``; TLS gives it in records of 16 KiB."""
    data = sock.recv(_READ_BYTES)
    if not isinstance(sock, ssl.SSLSocket) or not data:
        return data
    parts, size = [data], len(data)
    while size < _READ_BYTES:
        try:
            more = sock.recv(_READ_BYTES - size)
        except ssl.SSLWantReadError:
            break
        if not more:  # closed: the next read says so again
            break
        parts.append(more)
        size += len(more)
    return b"".join(parts)


def _only_publish(messages: Sequence[Message]) -> bytes:
    return b"".join(publish(topic_bytes, payload) for topic_bytes, payload in messages)
