"""``cityos simulate``: the demo city's devices, all of them, over the real broker."""

from __future__ import annotations

import threading
from typing import Final

import structlog

from cityos.bootstrap import connect
from cityos.bootstrap.demo import demo_city, is_live
from cityos.bootstrap.process import run_until_stopped, stop_event
from cityos.clock import SystemClock
from cityos.errors import Unavailable
from cityos.ports import Registry
from cityos.rehearsal.mqtt import WindowedPublisher
from cityos.rehearsal.player import play_day
from cityos.runtime.notify import say_ready
from cityos.settings import Settings, notify_address
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry

USER = "simulator"
_LOOK_S: Final = 1.0

_log = structlog.get_logger("simulate")


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. In a city that is in earnest nothing is simulated."""
    found = connect.addresses(settings, "mqtt_url", "database_url")
    stopping, ended = stop_event(), threading.Event()
    city = demo_city()
    database = Database(found.database_url, application="cityos-simulate", max_size=1)
    publisher = WindowedPublisher(
        found.mqtt_url(USER),
        on_state=lambda connected, _why: say_ready(notify_address()) if connected else None,
    )
    registry = PostgresRegistry(database)
    watching = (registry, city.tenant.id, stopping, ended)
    try:
        if not is_live(registry, city.tenant.id):
            threading.Thread(target=_watch, args=watching, name="watch", daemon=True).start()
            play_day(
                city, publisher, clock=SystemClock(), stop=ended, pace=settings.simulation_pace
            )
    finally:
        ended.set()
        publisher.close()
        database.close()
    if not stopping.is_set():
        _log.info("the city is in earnest: nothing is simulated", city=city.tenant.id)
        run_until_stopped(healthy=lambda: True, stopping=stopping)


def _watch(
    registry: Registry, tenant: str, stopping: threading.Event, ended: threading.Event
) -> None:
    """Set ``ended`` when the process is to stop, or the city goes live."""
    while not ended.is_set() and not stopping.wait(_LOOK_S):
        try:
            if is_live(registry, tenant):
                break
        except Unavailable:
            continue
    ended.set()
