"""A whole city as an operator runs it: ingest, dispatch and API as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from cityos.domain.entity import Device, Entity, Tenant
from cityos.runtime.broker import MqttBroker
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry

ROOT = Path(__file__).parents[1]
PARTS = {"ingest": "ingest", "dispatch": "dispatch", "api": "dispatch"}
"""Each process and the broker user that it is given."""
_READY_S = 30.0
_STOP_S = 15.0
T = TypeVar("T")


@dataclass
class City:
    """The processes of one tenant, and the ways in from outside."""

    home: Path
    tenant: str
    database_url: str
    redis_url: str
    broker: MqttBroker
    http_port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    # --- processes ------------------------------------------------------------------------

    def start(self) -> None:
        for part, user in PARTS.items():
            with (self.home / f"{part}.log").open("wb") as log:
                self.processes[part] = subprocess.Popen(
                    [sys.executable, "-m", "cityos", part],
                    cwd=ROOT,
                    env=self._environment(user),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        until(lambda: self._is_ready() or None, "the city is ready", timeout_s=_READY_S, city=self)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def command(self, *arguments: str, user: str = "rehearsal", timeout_s: float = 60.0) -> str:
        """Run ``cityos`` with these arguments; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "cityos", *arguments],
            cwd=ROOT,
            env=self._environment(user),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"cityos {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def logs(self) -> str:
        """The end of what each process said."""
        texts = []
        for part, process in self.processes.items():
            said = (self.home / f"{part}.log").read_text(errors="replace")[-3000:]
            texts.append(f"--- {part} (exit code {process.poll()})\n{said}")
        return "\n".join(texts)

    def _environment(self, user: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CITYOS_")}  # noqa: TID251
        return inherited | {
            "CITYOS_HOME": str(self.home),
            "CITYOS_TENANT": self.tenant,
            "CITYOS_DATABASE_URL": self.database_url,
            "CITYOS_REDIS_URL": self.redis_url,
            "CITYOS_MQTT_URL": self.broker.url_for(user),
            "CITYOS_HTTP_PORT": str(self.http_port),
            "CITYOS_FEED_URLS": "{}",
            "CITYOS_LOG_FORMAT": "json",
        }

    def _is_ready(self) -> bool:
        died = [part for part, process in self.processes.items() if process.poll() is not None]
        assert not died, f"{', '.join(died)} ended\n{self.logs()}"
        # what is published before ingest has subscribed for the first time is in nobody's queue
        if "listening" not in (self.home / "ingest.log").read_text(errors="replace"):
            return False
        with contextlib.suppress(httpx2.HTTPError):
            return httpx2.get(f"{self.url}/v1/ready", timeout=2.0).status_code == 200
        return False

    # --- what is registered ---------------------------------------------------------------

    def register(
        self, tenant: Tenant, entities: Sequence[Entity], devices: Sequence[Device] = ()
    ) -> None:
        database = Database(self.database_url, application="test-register", max_size=1)
        try:
            registry = PostgresRegistry(database)
            registry.put_tenant(tenant)
            registry.put_entities(tenant.id, entities)
            registry.put_devices(tenant.id, devices)
        finally:
            database.close()

    def key(self, role: str) -> dict[str, str]:
        """The header of a new key."""
        text = self.command("key", "create", f"a {role}", "--role", role).strip()
        return {"Authorization": f"Bearer {text.splitlines()[-1]}"}

    # --- the API --------------------------------------------------------------------------

    def get(self, path: str, **rest: Any) -> httpx2.Response:
        return httpx2.get(f"{self.url}{path}", timeout=10.0, **rest)

    def post(self, path: str, **rest: Any) -> httpx2.Response:
        return httpx2.post(f"{self.url}{path}", timeout=10.0, **rest)

    def items(self, path: str, **rest: Any) -> list[dict[str, Any]]:
        """All items of all pages."""
        found: list[dict[str, Any]] = []
        following: str | None = path
        while following:
            answer = self.get(following, **rest)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["items"]
            following = page["next"]
        return found


def until(
    look: Callable[[], T | None], what: str, *, timeout_s: float = 20.0, city: City | None = None
) -> T:
    """Look until there is an answer; fail with ``what`` was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            logs = city.logs() if city else ""
            raise AssertionError(f"waited {timeout_s:g} s in vain: {what}\n{logs}")
        time.sleep(0.1)


class Vendor:
    """Somebody's client at the broker: publishes and hears, as any MQTT program does."""

    def __init__(self, broker: MqttBroker, user: str) -> None:
        self.heard: list[MQTTMessage] = []
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self._client.username_pw_set(user, broker.passwords[user])
        self._client.on_message = lambda _c, _d, message: self.heard.append(message)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect(broker.host, broker.port_v5)
        self._client.loop_start()

    def subscribe(self, topic: str) -> None:
        self._ready.clear()
        self._client.subscribe(topic, qos=1)
        assert self._ready.wait(5), f"no answer to the subscription {topic}"

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def vendor(broker: MqttBroker, user: str) -> Iterator[Vendor]:
    opened = Vendor(broker, user)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def live(city: City) -> Iterator[Callable[[str], list[Any]]]:
    """Follow the live stream; gives the data of all events of a name that came so far."""
    events: list[tuple[str, Any]] = []
    opened = threading.Event()
    endless = httpx2.Timeout(5.0, read=None)

    def follow() -> None:
        name = ""
        with (
            contextlib.suppress(httpx2.HTTPError),
            httpx2.stream("GET", f"{city.url}/v1/live", timeout=endless) as stream,
        ):
            opened.set()
            for line in stream.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    events.append((name, json.loads(value)))

    threading.Thread(target=follow, daemon=True).start()  # ends with the API
    assert opened.wait(5), "the live stream did not open"
    yield lambda wanted: [data for name, data in events if name == wanted]
