"""A running MQTT broker, whichever program it is."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from cityos.runtime.programs import Program
from cityos.runtime.service import Launch, RunningServer
from cityos.runtime.waiting import Waiting

_NAME: Final = "mqtt"
_START_S: Final = 20.0
_TIMEOUT_S: Final = 1.0
_CONNECT: Final = 0x10
_CONNACK: Final = 0x20
_CLEAN_WITH_NAME_AND_PASSWORD: Final = 0b1100_0010
_V5: Final = 5
_ANSWER_BYTES: Final = 4  # as much of CONNACK as holds the reason; MQTT 5 adds properties


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttBroker(RunningServer):
    """``port`` speaks MQTT 3.1.1, ``port_v5`` MQTT 5; with mosquitto they are the same.

    ``has_access_list`` False: every credential may use every topic.
    """

    host: str
    port_v5: int
    passwords: Mapping[str, str]
    has_access_list: bool

    def url_for(self, user: str, *, version: int = _V5) -> str:
        """``mqtt://user:password@host:port`` for MQTT 5, or for 3.1.1 with ``version`` 4."""
        port = self.port_v5 if version == _V5 else self.port
        return f"mqtt://{user}:{self.passwords[user]}@{self.host}:{port}"


def launch(home: Path, waiting: Waiting) -> Launch:
    """Get ready to start a broker, whichever program: the one of an earlier run is ended.

    Raises SetupFailed.
    """
    stop_s = MqttBroker.stop_s
    return Launch(home, _NAME, accounts=["mosquitto"], stop_s=stop_s, waiting=waiting)


def started(
    launch: Launch,
    argv: Sequence[str],
    *,
    program: Program,
    host: str,
    port: int,
    port_v5: int,
    passwords: Mapping[str, str],
    has_access_list: bool,
) -> MqttBroker:
    """Start the program, and return when it lets the first user in on each port.

    Raises SetupFailed.
    """
    user, password = next(iter(passwords.items()))
    versions = {port_v5: _V5, port: 4}
    child = launch.start(
        argv,
        answers=lambda: all(
            accepts(host, number, user, password, version=version)
            for number, version in versions.items()
        ),
        within_s=_START_S,
    )
    return MqttBroker(
        home=launch.home,
        child=child,
        program=program,
        host=host,
        port=port,
        port_v5=port_v5,
        passwords=passwords,
        has_access_list=has_access_list,
    )


def accepts(host: str, port: int, user: str, password: str, *, version: int = 4) -> bool:
    """Return whether a broker there lets this user in: CONNECT, CONNACK (MQTT 3.1.1, 3.1-3.2).

    By hand, not with a client library: the answer is one byte, and a client brings a thread.
    """
    # a name of its own: rumqttd turns away who has the name of one that it has not let go yet
    strings = b"".join(_text(part) for part in (f"probe-{token_hex(6)}", user, password))
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
