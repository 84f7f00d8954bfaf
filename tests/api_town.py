"""The whole API over a real store and a real bus, served on a port, for the tests of its doors."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2
import uvicorn
from prometheus_client import CollectorRegistry

from cityos.api.app import CityApi, create_app
from cityos.api.readiness import Check
from cityos.clock import SystemClock
from cityos.domain.entity import Entity, Name, Tenant
from cityos.domain.history import SeriesKey
from cityos.domain.observation import Value
from cityos.domain.occasion import Actual
from cityos.domain.proposal import Issuer
from cityos.identity.key_ring import PepperedKeyRing
from cityos.identity.quotas import Quota, TokenBuckets
from cityos.messaging.live import RedisLiveBus
from cityos.ports import IngestBatch, StoreOutcome
from cityos.runtime.ports import free_port
from cityos.storage.database import Database
from cityos.storage.keys import PostgresKeyStore
from cityos.storage.news import AlertAnnouncer, AlertNews
from cityos.storage.reader import PostgresCityReader
from cityos.storage.registry import PostgresRegistry
from cityos.storage.writer import PostgresObservationWriter
from tests.alert_path import AlertPath

PEPPER = b"a pepper of at least thirty-two bytes"
ISSUER = Issuer(sender="town.example.jp", name=Name("Town", "町"))
ROLES = ("reader", "official", "admin")


@dataclass
class Town:
    """A city's API and the ways to put something behind it. ``keys`` by role, of ``town``."""

    url: str
    client: httpx2.Client
    registry: PostgresRegistry
    writer: PostgresObservationWriter
    alerts: AlertPath
    announcer: AlertAnnouncer
    ring: PepperedKeyRing
    bus: RedisLiveBus | None
    app: CityApi
    keys: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, role: str = "", **headers: str) -> httpx2.Response:
        return self.client.get(path, headers=self.headers(role, headers))

    def headers(self, role: str, others: Mapping[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in others.items()}
        return {"Authorization": f"Bearer {self.keys[role]}", **named} if role else named

    def put(self, *entities: Entity, tenant: str = "town") -> None:
        self.registry.put_entities(tenant, entities)

    def store(
        self,
        entity: str,
        values: Sequence[tuple[datetime, Value]],
        *,
        observed_property: str = "water_level",
        dataset: str = "",
        tenant: str = "town",
        tell: bool = True,
    ) -> StoreOutcome:
        """Store values as ingest does, and tell of them over the bus as ingest does."""
        key = SeriesKey(entity=entity, observed_property=observed_property, dataset=dataset)
        handle = self.writer.series(tenant, key, "m", Actual())
        now = SystemClock().now()
        rows = [(handle, at, now, 1, value, 0) for at, value in values]
        outcome = self.writer.store(IngestBatch(values=rows))
        if tell and self.bus is not None:
            touched = outcome.touched.get(tenant, [])
            self.bus.publish(tenant, outcome.changed().get(tenant, []), touched)
        return outcome


@contextmanager
def api_town(
    database_url: str,
    redis_url: str = "",
    *,
    quotas: Mapping[str, Quota] | None = None,
    **options: Any,
) -> Iterator[Town]:
    """A real city ``town`` and a practice city ``drill``, behind one API."""
    clock = SystemClock()
    reading = Database(database_url, application="test-api", max_size=4, autocommit=True)
    alerts = AlertPath(database_url)
    news = AlertNews(database_url, application="test-api-news")
    bus = RedisLiveBus(redis_url, clock=clock) if redis_url else None
    telling = RedisLiveBus(redis_url, clock=clock) if redis_url else None
    registry = PostgresRegistry(alerts.database)
    registry.put_tenant(Tenant(id="town", name=Name("Town", "町")))
    registry.put_tenant(Tenant(id="drill", name=Name("Drill", "訓練市"), practice=True))
    ring = PepperedKeyRing(PostgresKeyStore(alerts.database), pepper=PEPPER, clock=clock)
    app = create_app(
        reader=PostgresCityReader(reading, counting_timeout_s=2.0),
        orders=alerts.orders,
        keys=ring,
        limiter=TokenBuckets(quotas or {}, clock=clock),
        clock=clock,
        default_tenant="town",
        issuer_of=lambda _tenant: ISSUER,
        bus=bus,
        alert_news=news,
        checks=options.pop("checks", [Check("database", lambda: _ask(reading))]),
        registry=CollectorRegistry(),
        **options,
    )
    with served(app) as url, httpx2.Client(base_url=url, timeout=20) as client:
        town = Town(
            url=url,
            client=client,
            registry=registry,
            writer=PostgresObservationWriter(alerts.database),
            alerts=alerts,
            announcer=AlertAnnouncer(alerts.database),
            ring=ring,
            bus=telling,
            app=app,
        )
        for role in ROLES:
            town.keys[role] = ring.issue("town", name=f"the {role}", role=role)[1]
        yield town
    for part in (reading, alerts, news, bus, telling):
        if part is not None:
            part.close()


@contextmanager
def served(app: CityApi) -> Iterator[str]:
    """Serve the application from a thread of this process."""
    port = free_port()
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_level="critical",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert thread.is_alive(), "the server ended before it served"
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    app.let_go()
    server.should_exit = True
    thread.join(15)


def _ask(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("SELECT 1")
