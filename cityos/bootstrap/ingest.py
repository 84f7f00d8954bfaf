"""``cityos ingest``: joins the parts of the ingest process and runs them until told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry

from cityos.bootstrap import connect
from cityos.bootstrap.process import run_until_stopped, show_metrics
from cityos.clock import SystemClock
from cityos.ingest.clock_watch import ClockWatch
from cityos.ingest.feedback import Feedback
from cityos.ingest.listener import BrokerAddress, Listener
from cityos.ingest.metrics import IngestMetrics
from cityos.ingest.mqtt_clients import session_client
from cityos.ingest.neighbours import Neighbours
from cityos.ingest.routes import Adapter, Routes
from cityos.ingest.spool import Spool
from cityos.ingest.worker import Ingest
from cityos.messaging.live import RedisLiveBus
from cityos.messaging.mqtt import MqttPublisher
from cityos.plugins.discovery import Plugins, discover
from cityos.plugins.manifest import Kind
from cityos.ports import Clock
from cityos.runtime import mqtt_access
from cityos.runtime.notices import Notices
from cityos.settings import Settings
from cityos.storage.database import Database
from cityos.storage.maintenance import Maintenance, Retention
from cityos.storage.nodes import PostgresIngestNodes
from cityos.storage.registry import PostgresRegistry
from cityos.storage.writer import PostgresObservationWriter

_log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """Where everything is that ingest needs."""

    database_url: str
    mqtt_url: str
    redis_url: str
    spool: Path
    spool_max_bytes: int
    retention: Retention = field(default_factory=Retention)
    statement_timeout_s: float = 30.0


def client_id_of(spool: UUID) -> str:
    """The MQTT client id of the ingest node with this spool."""
    return f"cityos-ingest-{spool}"


class IngestProcess:
    """The ingest process: the pipeline, its connections, and the store's upkeep."""

    def __init__(
        self,
        config: IngestConfig,
        plugins: Plugins,
        metrics_registry: CollectorRegistry,
        failpoint: Callable[[str], None] = lambda _name: None,
        *,
        clock: Clock | None = None,
        put_notice: Callable[[str, str], None] = lambda _subject, _text: None,
    ) -> None:
        clock = clock or SystemClock()
        metrics = IngestMetrics(metrics_registry)
        # A connection of its own for what is stored: the pool lends its connections in turn, and
        # each is a process of the server, whose caches would be cold every other time.
        self._store = Database(
            config.database_url,
            application="cityos-ingest",
            max_size=1,
            statement_timeout_s=config.statement_timeout_s,
            autocommit=True,
            checked=False,
        )
        self._database = Database(
            config.database_url, application="cityos-ingest-upkeep", max_size=2
        )
        listened_to = {
            name
            for found in plugins.found.values()
            if found.manifest.kind is Kind.SERVICE
            for name in found.manifest.consumes
        }
        writer = PostgresObservationWriter(self._store, wanted=listened_to.__contains__)
        spool = Spool(config.spool, limit_bytes=config.spool_max_bytes)
        # The spool's own id in the client id: it stays the same, so that the broker keeps our
        # session, and nobody can guess it, for who connects under it takes the session over.
        client_id = client_id_of(spool.id)
        self._publisher = MqttPublisher(config.mqtt_url, client_id=f"{client_id}-feedback")

        self._listening = threading.Event()

        def on_state(connected: bool, why: str) -> None:  # noqa: FBT001 - the listener's own form
            metrics.broker_connected.set(connected)
            if connected:
                self._listening.set()
                _log.info("listening")
            else:
                _log.warning("the broker is away", why=why)

        clock_watch = ClockWatch(clock, metrics, put_notice)
        clock_watch.is_past(_installed_at())
        self._neighbours = Neighbours(
            PostgresIngestNodes(config.database_url),
            spool.id,
            clock_watch=clock_watch,
            metrics=metrics,
            put=put_notice,
        )
        self._ingest = Ingest(
            listener=Listener(
                session_client(client_id),
                BrokerAddress.of(config.mqtt_url),
                on_state=on_state,
            ),
            spool=spool,
            routes=Routes(PostgresRegistry(self._database), adapters_of(plugins), writer, clock),
            writer=writer,
            live=RedisLiveBus(config.redis_url, clock=clock),
            feedback=Feedback(self._publisher, clock, metrics, clock_watch),
            clock=clock,
            metrics=metrics,
            failpoint=failpoint,
        )
        self._maintenance = Maintenance(
            self._database,
            clock,
            config.retention,
            forgotten=writer.learn_again,
            put_notice=put_notice,
        )

    @property
    def healthy(self) -> bool:
        return self._ingest.healthy and self._neighbours.is_alive

    @property
    def ready(self) -> bool:
        """Whether it has been connected to the broker."""
        return self._listening.is_set()

    def start(self) -> None:
        self._ingest.start()
        self._neighbours.start()
        self._maintenance.start()

    def stop(self) -> None:
        self._ingest.stop()
        self._neighbours.stop()
        self._maintenance.stop()
        self._publisher.close()
        self._store.close()
        self._database.close()


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    found = connect.addresses(settings, "database_url", "mqtt_url")
    config = IngestConfig(
        database_url=found.database_url,
        mqtt_url=found.mqtt_url(mqtt_access.INGEST.name),
        redis_url=found.redis_url,
        spool=settings.home / "spool" / "ingest.db",
        spool_max_bytes=settings.spool_max_bytes,
        retention=Retention(
            raw_message_days=settings.raw_retention_days,
            observation_days=settings.observation_retention_days,
            partitions_ahead_days=settings.partitions_ahead_days,
        ),
    )
    registry = CollectorRegistry()
    process = IngestProcess(
        config,
        discover(settings=settings.plugins),
        registry,
        put_notice=Notices(settings.home, "ingest").put,
    )
    show_metrics(settings, registry)
    process.start()
    try:
        run_until_stopped(healthy=lambda: process.healthy, ready=lambda: process.ready)
    finally:
        process.stop()


def _installed_at() -> datetime:
    """When this program was put where it is."""
    return datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)


def adapters_of(plugins: Plugins) -> dict[str, Adapter]:
    """Return all decoders and feeds, by id, as ingest uses them."""
    adapters = {}
    for name, (manifest, decoder) in plugins.decoders.items():
        adapters[name] = Adapter.of_decoder(f"{name}@{manifest.version}", decoder)
    for name, (manifest, feed) in plugins.feeds.items():
        adapters[name] = Adapter.of_feed(f"{name}@{manifest.version}", feed)
    return adapters
