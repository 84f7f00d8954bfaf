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
    """Starts, watches, restarts and stops them. Use it from one thread that lives on."""

    def __init__(self, plan: StackPlan, *, secrets: SecretFile) -> None:
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

    def restart(self, name: str) -> None:
        """Start a dead server again where it was: everybody else knows its old address.

        Raises:
            SetupFailed: it does not start, or its port was taken meanwhile.
        """
        before = self._servers[name]
        before.stop()
        taken = [port for port in _ports(before) if not is_free(port, self._host(name))]
        if taken:
            message = f"port {taken[0]} of {name} was taken by another program"
            raise SetupFailed(message)
        self._servers[name] = self._start(name, before)

    def stop(self) -> dict[str, int]:
        """Stop all in order; return the exit codes."""
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
        if name == POSTGRES:
            return start_postgres(
                home, programs.postgres_programs(), secrets=self._secrets, port=port
            )
        if name == REDIS:
            return start_redis(home, programs.redis_programs(), secrets=self._secrets, port=port)
        return start_broker(
            home,
            programs.broker_programs(),
            users=self._users,
            secrets=self._secrets,
            host=self._plan.mqtt_host,
            port=port or self._plan.mqtt_port,
            port_v5=before.port_v5 if isinstance(before, MqttBroker) else 0,
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
    return start(home, found[0], users=users, secrets=secrets, host=host, port=port)


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
