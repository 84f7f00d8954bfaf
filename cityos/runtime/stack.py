"""The three servers a city stands on, started where no URL names one that is there already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from cityos.errors import SetupFailed
from cityos.runtime import programs
from cityos.runtime.broker import MqttBroker
from cityos.runtime.mosquitto import start_mosquitto
from cityos.runtime.mqtt_access import MqttUser
from cityos.runtime.ports import is_free
from cityos.runtime.postgres import PostgresServer, start_postgres
from cityos.runtime.redis_server import RedisServer, start_redis
from cityos.runtime.rumqttd import start_rumqttd
from cityos.runtime.running import Addresses
from cityos.runtime.secret_file import SecretFile
from cityos.runtime.service import HOST
from cityos.runtime.waiting import PATIENT, Waiting, unfailing

Server: TypeAlias = PostgresServer | MqttBroker | RedisServer

POSTGRES: Final = "postgres"
MQTT: Final = "mqtt"
REDIS: Final = "redis"
_STOP_ORDER: Final = (MQTT, REDIS, POSTGRES)
"""The store last: whoever stops before it may still have something to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPlan:
    """``..._url``: a server that is there already; empty: start one."""

    home: Path
    database_url: str = ""
    mqtt_url: str = ""
    redis_url: str = ""
    mqtt_host: str = "127.0.0.1"
    mqtt_port: int = 0


class Stack:
    """Starts, watches, restarts and stops them. Start and restart in threads that live on."""

    def __init__(
        self,
        plan: StackPlan,
        *,
        secrets: SecretFile,
        say: Callable[[str], None] = PATIENT.say,
    ) -> None:
        """``say`` gets news for a person about a start that takes long."""
        self.waiting = Waiting(unfailing(say))
        self._plan = plan
        self._secrets = secrets
        self._servers: dict[str, Server] = {}
        self._users: Sequence[MqttUser] = ()

    def start_store(self) -> str:
        """Start PostgreSQL where it is missing; return its URL. The first server to start.

        Raises:
            SetupFailed: it does not start.
        """
        if not self._plan.database_url:
            self._servers[POSTGRES] = self._start(POSTGRES)
        return self.addresses().database_url

    def start_messaging(self, users: Sequence[MqttUser]) -> Addresses:
        """Start the broker, for these users, and Redis, where they are missing.

        Raises:
            SetupFailed: one does not start.
        """
        self._users = tuple(users)
        if not self._plan.mqtt_url:
            self._servers[MQTT] = self._start(MQTT)
        if not self._plan.redis_url:
            self._servers[REDIS] = self._start(REDIS)
        return self.addresses()

    def addresses(self) -> Addresses:
        postgres, redis = self._servers.get(POSTGRES), self._servers.get(REDIS)
        broker = self._servers.get(MQTT)
        urls = {"": self._plan.mqtt_url}
        if isinstance(broker, MqttBroker):
            urls = {user: broker.url_for(user) for user in broker.passwords}
        return Addresses(
            database_url=(
                postgres.url if isinstance(postgres, PostgresServer) else self._plan.database_url
            ),
            redis_url=redis.url if isinstance(redis, RedisServer) else self._plan.redis_url,
            mqtt_urls=urls,
            mqtt_has_access_list=(
                broker.has_access_list if isinstance(broker, MqttBroker) else True
            ),
        )

    @property
    def broker(self) -> MqttBroker | None:
        """The embedded one."""
        found = self._servers.get(MQTT)
        return found if isinstance(found, MqttBroker) else None

    def describe(self) -> dict[str, str]:
        """One line a server, without any secret."""
        lines = {}
        for name, given in (
            (POSTGRES, self._plan.database_url),
            (MQTT, self._plan.mqtt_url),
            (REDIS, self._plan.redis_url),
        ):
            server = self._servers.get(name)
            if server is None:
                lines[name] = f"given: {given.rpartition('@')[2]}"
            else:
                lines[name] = f"port {server.port}, {_origin(server)}"
        return lines

    def dead(self) -> list[str]:
        """Names of servers that have ended by themselves."""
        return [
            name for name, server in self._servers.items() if server.child.exit_code() is not None
        ]

    def call_off(self) -> None:
        """End all waiting for a server to start, now and later; return at once."""
        self.waiting.called_off.set()

    def restart(self, name: str) -> None:
        """Start a dead server again where it was: everybody else knows its old address.

        Different servers can be restarted at the same time, each in a thread of its own.

        Raises:
            SetupFailed: it does not start, its port was taken meanwhile, or it was called off.
            OSError: the disk does not take its files.
        """
        before = self._servers[name]
        before.stop()
        taken = [port for port in _ports(before) if not is_free(port, self._host(name))]
        if taken:
            message = f"port {taken[0]} of {name} was taken by another program"
            raise SetupFailed(message)
        self._servers[name] = self._start(name, before)

    def stop(self) -> dict[str, int | None]:
        """Stop all in order; return the exit codes. None: it outlives even SIGKILL."""
        codes = {}
        for name in _STOP_ORDER:
            server = self._servers.pop(name, None)
            if server is not None:
                codes[name] = server.stop()
        return codes

    def _host(self, name: str) -> str:
        return self._plan.mqtt_host if name == MQTT else HOST

    def _start(self, name: str, before: Server | None = None) -> Server:
        """Start it, on the ports it had before where there was a before."""
        home, port = self._plan.home, before.port if before else 0
        secrets, waiting = self._secrets, self.waiting
        if name == POSTGRES:
            found = programs.postgres_programs()
            return start_postgres(home, found, secrets=secrets, port=port, waiting=waiting)
        if name == REDIS:
            found = programs.redis_programs()
            return start_redis(home, found, secrets=secrets, port=port, waiting=waiting)
        return start_broker(
            home,
            programs.broker_programs(),
            users=self._users,
            secrets=secrets,
            host=self._plan.mqtt_host,
            port=port or self._plan.mqtt_port,
            port_v5=before.port_v5 if isinstance(before, MqttBroker) else 0,
            waiting=waiting,
        )


def start_broker(
    home: Path,
    found: Sequence[programs.Program],
    *,
    users: Sequence[MqttUser],
    secrets: SecretFile,
    host: str,
    port: int = 0,
    port_v5: int = 0,
    waiting: Waiting = PATIENT,
) -> MqttBroker:
    """Start the first of the programs, of whichever kind; only rumqttd wants ``port_v5``.

    Raises:
        SetupFailed: there is no program, or the broker does not start.
    """
    if not found:
        raise SetupFailed(
            "no MQTT broker found: install the distribution's mosquitto package, or the "
            "'embedded' extra of this project, or set CITYOS_MQTT_URL"
        )
    start: Callable[..., MqttBroker] = start_mosquitto
    if _is_rumqttd(found[0]):
        start = partial(start_rumqttd, port_v5=port_v5)
    return start(
        home, found[0], users=users, secrets=secrets, host=host, port=port, waiting=waiting
    )


def _ports(server: Server) -> set[int]:
    return {server.port, server.port_v5 if isinstance(server, MqttBroker) else server.port}


def _is_rumqttd(program: programs.Program) -> bool:
    return program.path.name == "iotcore"


def _origin(server: Server) -> str:
    program = server.program
    name = "rumqttd" if _is_rumqttd(program) else program.path.name
    if isinstance(server, PostgresServer):
        name = f"PostgreSQL {program.major}"
    return f"{name} of this machine" if program.origin == "machine" else f"{name} of the wheel"
