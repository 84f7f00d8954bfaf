"""``cityos dispatch``: joins the parts between an event and its alert on every channel."""

from __future__ import annotations

import threading
from typing import Final

from prometheus_client import CollectorRegistry

from cityos.api.cap.mapping import cap_document
from cityos.bootstrap import connect
from cityos.bootstrap.issuers import Issuers
from cityos.bootstrap.process import run_until_stopped, show_metrics, stop_event
from cityos.clock import SystemClock
from cityos.dispatch.approval import ExerciseApproval
from cityos.dispatch.channels import mqtt, sse
from cityos.dispatch.channels.mqtt import MqttChannel
from cityos.dispatch.channels.sse import SseChannel
from cityos.dispatch.delivery import DeliveryWorker
from cityos.dispatch.dispatcher import Consumer, Dispatcher
from cityos.dispatch.loop import run_together
from cityos.dispatch.metrics import DispatchMetrics
from cityos.dispatch.patience import Patience
from cityos.dispatch.renewal import RenewalRound
from cityos.dispatch.retained import RetainedAlerts
from cityos.messaging.mqtt import MqttPublisher
from cityos.plugins.discovery import Plugins, discover
from cityos.runtime import mqtt_access
from cityos.settings import Settings
from cityos.storage.database import Database
from cityos.storage.events import PostgresEventQueue
from cityos.storage.news import AlertAnnouncer
from cityos.storage.orders import PostgresOrderBook
from cityos.storage.outbox import PostgresOutbox
from cityos.storage.registry import PostgresRegistry
from cityos.storage.renewals import PostgresRenewals

CHANNELS: Final = (mqtt.NAME, sse.NAME)
"""Every alert that is issued leaves by each of these."""

_CLIENT_ID: Final = "cityos-dispatch"
_JOIN_S: Final = 10.0


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        SystemExit: a loop has died; the supervisor starts the process again.
    """
    found = connect.addresses(settings, "database_url", "mqtt_url")
    url, clock = found.database_url, SystemClock()
    registry = CollectorRegistry()
    metrics = DispatchMetrics(registry)
    database = Database(url, application="cityos-dispatch", max_size=3 + len(CHANNELS))
    publisher = MqttPublisher(found.mqtt_url(mqtt_access.DISPATCH.name), client_id=_CLIENT_ID)
    orders = PostgresOrderBook(database, channels=CHANNELS)
    cities = PostgresRegistry(database)
    queue = PostgresEventQueue.at(url, database, clock, application="cityos-events")
    approval = (
        ExerciseApproval(
            orders,
            runs=settings.exercise_approval,
            issuer_of=Issuers(cities),
            tenants=lambda: [tenant.id for tenant in cities.tenants()],
            clock=clock,
        )
        if settings.exercise_approval
        else None
    )
    patience = Patience()
    dispatcher = Dispatcher(
        queue,
        consumers(discover(settings=settings.plugins)),
        clock=clock,
        metrics=metrics,
        approval=approval,
        patience=patience,
    )
    renewals = RenewalRound(
        PostgresRenewals(database), clock=clock, metrics=metrics, approval=approval
    )
    mqtt_channel = MqttChannel(
        publisher, lambda alert: cap_document(alert, web=settings.public_url)
    )
    # an outbox for each worker: both wait, and neither may take the other's wake-up call
    outboxes = {
        name: PostgresOutbox.at(url, database, application=f"cityos-delivery-{name}")
        for name in CHANNELS
    }
    workers = {
        mqtt.NAME: DeliveryWorker(
            mqtt_channel,
            outboxes[mqtt.NAME],
            clock=clock,
            metrics=metrics,
            memory=RetainedAlerts(
                mqtt_channel,
                outboxes[mqtt.NAME],
                clock=clock,
                connections=lambda: publisher.connections,
            ),
        ),
        sse.NAME: DeliveryWorker(
            SseChannel(AlertAnnouncer(database).announce),
            outboxes[sse.NAME],
            clock=clock,
            metrics=metrics,
        ),
    }
    stopping = stop_event()
    ended = threading.Event()
    loops = {
        "events": dispatcher.run,
        "patience": patience.run,
        "renewals": renewals.run,
        **{name: worker.run for name, worker in workers.items()},
    }

    def run_loops() -> None:
        try:
            run_together(loops, stopping)
        finally:
            ended.set()

    thread = threading.Thread(target=run_loops, name="loops", daemon=True)
    show_metrics(settings, registry)
    thread.start()
    try:
        run_until_stopped(
            healthy=lambda: not ended.is_set(),
            ready=lambda: publisher.connections > 0,
            stopping=stopping,
        )
        if ended.is_set():
            raise SystemExit(1)
    finally:
        stopping.set()
        thread.join(_JOIN_S)
        for outbox in outboxes.values():
            outbox.close()
        queue.close()
        publisher.close()
        database.close()


def consumers(plugins: Plugins) -> dict[str, Consumer]:
    """The services, and what each wants to hear of.

    Raises:
        InvalidPlugin: a service breaks the contract.
    """
    return {
        name: Consumer(service, frozenset(manifest.consumes), alerts=manifest.alerts)
        for name, (manifest, service) in plugins.services.items()
    }
