"""The servers and processes of a measurement, and what they cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as paho
import psutil
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from cityos.bootstrap.ingest import client_id_of
from cityos.domain.entity import Device, Entity, Name, Tenant
from cityos.runtime import mqtt_access, ports, programs
from cityos.runtime.broker import MqttBroker
from cityos.runtime.mosquitto import start_mosquitto
from cityos.runtime.postgres import PostgresServer, start_postgres
from cityos.runtime.redis_server import start_redis
from cityos.runtime.secret_file import SecretFile
from cityos.storage.database import Database, migrate
from cityos.storage.registry import PostgresRegistry
from tests.bench.load import device_id

ROOT = Path(__file__).parents[2]
TENANT, VENDOR, DEVICES, GAUGES = "bench", "bench", 1000, 60
USERS = (
    mqtt_access.INGEST,
    mqtt_access.DISPATCH,
    mqtt_access.REHEARSAL,
    mqtt_access.vendor(VENDOR, tenants=["+"]),
)


class Lanes(NamedTuple):
    """How publishers are connected: how many, and how many messages each has on the way."""

    connections: int
    window: int


GATEWAYS = Lanes(connections=4, window=2000)
DEVICE_LANES = Lanes(connections=200, window=10)


@dataclass
class Stage:
    """A durable PostgreSQL, mosquitto and Redis, with nothing else on them."""

    home: Path
    postgres: PostgresServer
    broker: MqttBroker
    redis_url: str
    http_port: int
    databases: int = 0
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def new_city(self) -> str:
        """Return the URL of a fresh database with a thousand thermometers and some gauges."""
        self.databases += 1
        name = f"bench_{self.databases}"
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        url = f"{self.postgres.url.rpartition('/')[0]}/{name}"
        migrate(url)
        database = Database(url, application="bench", max_size=1)
        registry = PostgresRegistry(database)
        registry.put_tenant(Tenant(id=TENANT, name=Name("Bench", "計測市")))
        registry.put_entities(TENANT, [*_thermometers(), *_gauges()])
        registry.put_devices(TENANT, _devices())
        database.close()
        return url

    def cityos(self, *arguments: str, database_url: str, **settings: str) -> subprocess.Popen[str]:
        """Start ``cityos`` with these arguments."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CITYOS_")}
        user = {"ingest": "ingest", "replay": "rehearsal"}.get(arguments[0], "dispatch")
        environment |= {
            "CITYOS_HOME": str(self.home / database_url.rpartition("/")[2]),
            "CITYOS_TENANT": TENANT,
            "CITYOS_DATABASE_URL": database_url,
            "CITYOS_REDIS_URL": self.redis_url,
            "CITYOS_MQTT_URL": self.broker.url_for(user),
            "CITYOS_HTTP_PORT": str(self.http_port),
            "CITYOS_ANONYMOUS_QUOTA": "900000000/minute",
            "CITYOS_LOG_FORMAT": "json",
            **settings,
        }
        log = (self.home / f"{arguments[0]}.log").open("a")
        return self._start(
            [sys.executable, "-m", "cityos", *arguments], env=environment, stdout=log, stderr=log
        )

    def publisher(
        self, messages: int, *, rate: float = 0, start: str = "", lanes: Lanes = GATEWAYS
    ) -> Publisher:
        return Publisher(
            self._start(
                [
                    *(sys.executable, "-m", "tests.bench.load"),
                    *("--port", str(self.broker.port), "--user", VENDOR),
                    *("--password", self.broker.passwords[VENDOR]),
                    *("--messages", str(messages), "--devices", str(DEVICES)),
                    *("--rate", str(rate), "--start", start),
                    *("--connections", str(lanes.connections), "--window", str(lanes.window)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )

    def receiver(self, messages: int) -> subprocess.Popen[str]:
        return self._start(
            [
                *(sys.executable, "-m", "tests.bench.receiver"),
                *("--port", str(self.broker.port), "--user", "ingest"),
                *("--password", self.broker.passwords["ingest"], "--messages", str(messages)),
            ],
            stdout=subprocess.PIPE,
        )

    def leave_city(self, database_url: str) -> None:
        """Forget a city whose processes have ended: it would burden the measurements to come.

        The broker would queue the next run for its ingest, and PostgreSQL's autovacuum would go
        through its tables: a fifth of what the server does while the next one is measured.
        """
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT spool FROM ingest_node").fetchone()
        assert row is not None
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id_of(row[0]), protocol=paho.MQTTv5
        )
        client.username_pw_set("ingest", self.broker.passwords["ingest"])
        client.connect("127.0.0.1", self.broker.port_v5, clean_start=True)
        client.loop_start()
        time.sleep(0.5)
        client.disconnect()
        client.loop_stop()
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            name = database_url.rpartition("/")[2]
            # not by force: autovacuum is not ours to end, but without it the server does
            connection.execute(f"DROP DATABASE {name}".encode())

    def python(self, *arguments: str) -> subprocess.Popen[str]:
        return self._start([sys.executable, *arguments], stdout=subprocess.DEVNULL)

    def _start(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        child = subprocess.Popen(argv, cwd=ROOT, text=True, **options)
        self.children.append(child)
        return child

    def end(self, *children: subprocess.Popen[str]) -> None:
        for child in children or self.children:
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(20)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()


class Publisher:
    """Builds its packets first, and publishes when told to."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child
        self._line()

    def go(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write("go\n")
        self.child.stdin.flush()

    def done(self) -> float:
        """Return the seconds it took until the broker had acknowledged everything."""
        return float(json.loads(self._line())["seconds"])

    def _line(self) -> str:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        assert line, "the publisher ended"
        return line


@contextmanager
def stage() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="cityos-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        secrets = SecretFile(home / "secrets.json")
        postgres = start_postgres(home, programs.postgres_programs(), secrets=secrets)
        broker = start_mosquitto(
            home,
            programs.mosquitto_programs()[0],
            users=USERS,
            secrets=secrets,
            host="127.0.0.1",
            port=ports.free_port(),
        )
        redis = start_redis(home, programs.redis_programs(), secrets=secrets)
        made = Stage(home, postgres, broker, redis.url, ports.free_port())
        try:
            yield made
        finally:
            made.end()
            redis.stop()
            broker.stop()
            postgres.stop()


def cpu_s(*pids: int) -> float:
    """CPU seconds of these processes and all that they started, so far."""
    total = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # a worker of the server's that has just ended
                times = one.cpu_times()
                total += times.user + times.system
    return total


def _thermometers() -> list[Entity]:
    return [
        Entity(id=f"urn:ngsi-ld:Thermometer:bench:{n}", type="Thermometer", name=Name("T", "T"))
        for n in range(DEVICES)
    ]


def _gauges() -> list[Entity]:
    levels = {
        "caution_level_m": 2.0,
        "evacuation_level_m": 3.0,
        "danger_level_m": 4.0,
    }
    return [
        Entity(
            id=f"urn:ngsi-ld:WaterLevelGauge:bench:{n}",
            type="WaterLevelGauge",
            name=Name(f"Gauge {n}", f"水位計{n}"),
            attributes=levels,
        )
        for n in range(GAUGES)
    ]


def _devices() -> list[Device]:
    thermometers = [
        Device(
            vendor=VENDOR,
            id=device_id(n),
            adapter="cityos_json",
            entity=f"urn:ngsi-ld:Thermometer:bench:{n}",
        )
        for n in range(DEVICES)
    ]
    gauges = [
        Device(
            vendor=VENDOR,
            id=f"gauge-{n}",
            adapter="cityos_json",
            entity=f"urn:ngsi-ld:WaterLevelGauge:bench:{n}",
        )
        for n in range(GAUGES)
    ]
    return [*thermometers, *gauges]
