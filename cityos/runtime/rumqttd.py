"""The broker ``rumqttd`` inside the wheel ``iotcore``, for a machine without mosquitto.

Left to its defaults it listens on every interface without a password and its memory grows without
end; the configuration written here sets all three right. What it cannot do: an access list for
topics (any vendor's password can publish for another), MQTT 3.1.1 and 5 on one port, and keeping
anything over a restart.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from cityos.runtime import broker
from cityos.runtime.account import Account, Place, reachable
from cityos.runtime.broker import MqttBroker
from cityos.runtime.mqtt_access import MqttUser
from cityos.runtime.ports import free_port
from cityos.runtime.programs import Program
from cityos.runtime.secret_file import SecretFile
from cityos.runtime.waiting import PATIENT, Waiting

_PREFERRED_PORTS: Final = (1883, 1885)

_RUN: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    # it calls every packet an error of its tracing
    "import logging; logging.getLogger('rumqttd').setLevel(logging.CRITICAL); "
    "from iotcore.iotcore import IotCoreBroker; "
    "IotCoreBroker(config_path=sys.argv[2]).run_forever()"
)

_ROUTER: Final = """\
# Written by CityOS at every start.
id = 0

[router]
id = 0
max_connections = 2000
max_outgoing_packet_count = 200
# its log of messages lives in memory and is the queue too: 16 MiB a filter at most
max_segment_size = 4194304
max_segment_count = 4
"""

_LISTENER: Final = """
[{version}.1]
name = "{version}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 10000
max_payload_size = 1300000
max_inflight_count = 1000
dynamic_filters = true
[{version}.1.connections.auth]
{users}
"""


def start_rumqttd(
    home: Path,
    program: Program,
    *,
    users: Sequence[MqttUser],
    secrets: SecretFile,
    host: str,
    port: int = 0,
    port_v5: int = 0,
    waiting: Waiting = PATIENT,
) -> MqttBroker:
    """Start the broker of the state folder ``home`` and return when it answers.

    Raises:
        SetupFailed: it does not start.
    """
    launch = broker.launch(home, waiting)
    launch.place, python = _with_interpreter(launch.place)
    where = launch.place
    package = program.path
    if where.account.uid is not None and not reachable(package, where.account):
        package = where.adopt(package, package.name)
    passwords = {user.name: secrets.get(user.secret) for user in users}
    table = "\n".join(f"{json.dumps(name)} = {json.dumps(p)}" for name, p in passwords.items())
    chosen = free_port(port, _PREFERRED_PORTS[0], host=host)
    chosen_v5 = free_port(port_v5, _PREFERRED_PORTS[1], host=host)
    listeners = "".join(
        _LISTENER.format(version=version, host=host, port=number, users=table)
        for version, number in (("v4", chosen), ("v5", chosen_v5))
    )
    file = where.write("rumqttd.toml", _ROUTER + listeners)
    return broker.started(
        launch,
        [str(python), "-I", "-S", "-c", _RUN, str(package.parent), str(file)],
        program=program,
        host=host,
        port=chosen,
        port_v5=chosen_v5,
        passwords=passwords,
        has_access_list=False,
    )


def _with_interpreter(where: Place) -> tuple[Place, Path]:
    """Find a Python that the account can run: the environment's own, or the system's.

    The library is built for one minor version. Where root's Python lies in root's private home
    and the system has no other, the broker runs as root, on loopback: better than none.
    """
    own = Path(sys.executable)
    if where.account.uid is None:
        return where, own
    minor = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (own.resolve(), Path("/usr/bin") / minor):
        if candidate.exists() and reachable(candidate.parent, where.account):
            return where, candidate
    return replace(where, account=Account("root")), own
