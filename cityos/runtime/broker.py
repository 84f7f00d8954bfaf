"""A running MQTT broker, whichever program it is."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cityos.runtime.process import Child
from cityos.runtime.programs import Program

_STOP_S: Final = 10.0
_TIMEOUT_S: Final = 1.0
_CONNECT: Final = 0x10
_CONNACK: Final = 0x20
_CLEAN_WITH_NAME_AND_PASSWORD: Final = 0b1100_0010
_V5: Final = 5
_ANSWER_BYTES: Final = 4  # as much of CONNACK as holds the reason; MQTT 5 adds properties


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttBroker:
    """``port`` speaks MQTT 3.1.1, ``port_v5`` MQTT 5; with mosquitto they are the same.

    ``has_access_list`` False: every credential may use every topic.
    """

    home: Path
    child: Child
    program: Program
    host: str
    port: int
    port_v5: int
    passwords: Mapping[str, str]
    has_access_list: bool

    def url_for(self, user: str, *, version: int = _V5) -> str:
        """``mqtt://user:password@host:port`` for MQTT 5, or for 3.1.1 with ``version`` 4."""
        port = self.port_v5 if version == _V5 else self.port
        return f"mqtt://{user}:{self.passwords[user]}@{self.host}:{port}"

    def stop(self) -> int:
        return self.child.stop(_STOP_S)

    def kill(self) -> None:
        """End it as a crash would."""
        self.child.kill()


def accepts(host: str, port: int, user: str, password: str, *, version: int = 4) -> bool:
    """Return whether a broker there lets this user in: CONNECT, CONNACK (MQTT 3.1.1, 3.1-3.2).

    By hand, not with a client library: the answer is one byte, and a client brings a thread.
    """
    strings = b"".join(_text(part) for part in ("", user, password))
    properties = b"\x00" if version == _V5 else b""
    head = _text("MQTT") + bytes([version, _CLEAN_WITH_NAME_AND_PASSWORD]) + b"\x00\x05"
    body = head + properties + strings
    packet = bytes([_CONNECT, len(body)]) + body
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
            connection.sendall(packet)
            answer = b""
            while len(answer) < _ANSWER_BYTES and (chunk := connection.recv(_ANSWER_BYTES)):
                answer += chunk
            connection.sendall(b"\xe0\x00")  # DISCONNECT
    except OSError:
        return False
    return len(answer) >= _ANSWER_BYTES and answer[0] == _CONNACK and answer[3] == 0


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data
