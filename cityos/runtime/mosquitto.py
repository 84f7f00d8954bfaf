"""Mosquitto as a child process, with its configuration, passwords and access list written here."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cityos.runtime import broker
from cityos.runtime.account import Place
from cityos.runtime.broker import MqttBroker
from cityos.runtime.mqtt_access import ALERTS_FILTER, MqttUser
from cityos.runtime.ports import free_port
from cityos.runtime.programs import Program
from cityos.runtime.secret_file import SecretFile
from cityos.runtime.waiting import PATIENT, Waiting

_PREFERRED_PORT: Final = 1883
_HASH_ROUNDS: Final = 101
"""PBKDF2 rounds, mosquitto's own default. The passwords are random, and every round delays the
broker's only thread at each connect."""

_SETTINGS: Final = """\
# Written by CityOS at every start.
per_listener_settings false
listener {port} {host}
allow_anonymous false
password_file {passwords}
acl_file {access}

# a measurement may be held up for a broker's restart, not lost: sessions and queues are on disk
persistence true
persistence_location {folder}/
autosave_interval 10

# bounded by bytes, not by count: the 1,001st message would be dropped without a word. Not 0,
# "no limit": mosquitto 2.0.11 then ends the connection of whoever publishes what is refused
max_inflight_messages 20000
max_queued_messages 1000000000
max_queued_bytes 134217728
max_packet_size 1300000
persistent_client_expiration 14d

# set_tcp_nodelay stays false: true halves the throughput of small messages
sys_interval 0
connection_messages false
log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%SZ
"""


def start_mosquitto(
    home: Path,
    program: Program,
    *,
    users: Sequence[MqttUser],
    secrets: SecretFile,
    host: str,
    port: int = 0,
    waiting: Waiting = PATIENT,
) -> MqttBroker:
    """Start the broker of the state folder ``home`` and return when it answers.

    Raises:
        SetupFailed: it does not start.
    """
    launch = broker.launch(home, waiting)
    chosen = free_port(port, _PREFERRED_PORT, host=host)
    passwords = {user.name: secrets.get(user.secret) for user in users}
    file = _configure(launch.place, users=users, passwords=passwords, host=host, port=chosen)
    return broker.started(
        launch,
        [str(program.path), "-c", str(file)],
        program=program,
        host=host,
        port=chosen,
        port_v5=chosen,
        passwords=passwords,
        has_access_list=True,
    )


def _configure(
    where: Place,
    *,
    users: Sequence[MqttUser],
    passwords: dict[str, str],
    host: str,
    port: int,
) -> Path:
    lines = [f"{name}:{_hashed(password)}" for name, password in passwords.items()]
    password_file = where.write("passwords", "\n".join(lines) + "\n")
    access_file = where.write("access", access_list(users))
    return where.write(
        "mosquitto.conf",
        _SETTINGS.format(
            port=port,
            host=host,
            passwords=password_file,
            access=access_file,
            folder=where.folder,
        ),
    )


def access_list(users: Sequence[MqttUser]) -> str:
    """Return the text of mosquitto's ``acl_file`` (mosquitto.conf(5))."""
    parts = []
    for user in users:
        parts.append(f"user {user.name}")
        parts.extend(f"topic write {filter_}" for filter_ in user.writes)
        parts.extend(f"topic read {filter_}" for filter_ in (*user.reads, ALERTS_FILTER))
    return "\n".join(parts) + "\n"


def _hashed(password: str) -> str:
    """Return mosquitto's ``$7$`` format: PBKDF2 with SHA-512."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _HASH_ROUNDS)
    encoded = (base64.b64encode(part).decode("ascii") for part in (salt, digest))
    return f"$7${_HASH_ROUNDS}${'$'.join(encoded)}"
