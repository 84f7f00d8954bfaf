"""Tenant ``t`` with a running ingest, its vendor, and what came of it in the store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client import CollectorRegistry

from cityos.bootstrap.ingest import IngestConfig, IngestProcess
from cityos.ingest.listener import BrokerAddress
from cityos.plugins.discovery import discover
from cityos.ports import Clock
from cityos.runtime.broker import MqttBroker
from tests.waiting import wait_until


@dataclass
class IngestTown:
    url: str
    vendor: paho.Client

    def publish(self, device: str, payload: bytes, *, topic: str = "") -> None:
        topic = topic or f"cityos/v1/t/acme/{device}/observations"
        self.vendor.publish(topic, payload, qos=1).wait_for_publish(10)

    def rows(self, query: str, *arguments: object) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode(), arguments).fetchall()

    def wait_for(self, query: str, count: int) -> list[Any]:
        """The rows, when there are so many of them or none came for too long."""
        end = time.monotonic() + 20
        while len(rows := self.rows(query)) < count and time.monotonic() < end:
            time.sleep(0.05)
        return rows


def at_the_console(
    patch: pytest.MonkeyPatch, folder: Path, *, database_url: str, mqtt_url: str
) -> None:
    """What the commands find: the installation in ``folder``, tenant ``t`` and its servers."""
    patch.chdir(folder)
    patch.setenv("CITYOS_HOME", str(folder))
    patch.setenv("CITYOS_TENANT", "t")
    patch.setenv("CITYOS_DATABASE_URL", database_url)
    patch.setenv("CITYOS_MQTT_URL", mqtt_url)


@contextmanager
def running_ingest(
    folder: Path,
    *,
    broker: MqttBroker,
    redis_url: str,
    database_url: str,
    statement_timeout_s: float = 30.0,
    clock: Clock | None = None,
    notices: dict[str, str] | None = None,
    metrics: CollectorRegistry | None = None,
) -> Iterator[IngestProcess]:
    """With its spool in ``folder``, once the broker has granted its subscription.

    ``notices`` gets what it shows to an operator.
    """
    config = IngestConfig(
        database_url=database_url,
        mqtt_url=broker.url_for("ingest"),
        redis_url=redis_url,
        spool=folder / "ingest.db",
        spool_max_bytes=1 << 30,
        statement_timeout_s=statement_timeout_s,
    )
    shown: dict[str, str] = {} if notices is None else notices
    process = IngestProcess(
        config,
        discover(),
        metrics or CollectorRegistry(),
        clock=clock,
        put_notice=shown.__setitem__,
    )
    process.start()
    wait_until(lambda: process.ready)
    yield process
    process.stop()


@contextmanager
def connected(broker: MqttBroker, user: str = "acme") -> Iterator[paho.Client]:
    address = BrokerAddress.of(broker.url_for(user, version=4))
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(address.username, address.password)
    client.connect(address.host, address.port)
    client.loop_start()
    wait_until(client.is_connected)
    yield client
    client.disconnect()
    client.loop_stop()
