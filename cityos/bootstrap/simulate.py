"""``cityos simulate``: a city's devices, all of them, over the real broker.

``cityos up`` has the demo city played; a person plays the city of any folder.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import structlog

from cityos.bootstrap import connect
from cityos.bootstrap.city_store import absence
from cityos.bootstrap.demo import demo_city, is_live
from cityos.bootstrap.listing import some
from cityos.bootstrap.process import run_until_stopped, stop_event
from cityos.clock import SystemClock
from cityos.errors import Conflict, InvalidRequest, NotFound, Unavailable
from cityos.ports import Registry
from cityos.rehearsal import city_files
from cityos.rehearsal.city_files import City
from cityos.rehearsal.mqtt import WindowedPublisher
from cityos.rehearsal.outlet import Outlet
from cityos.rehearsal.player import play_day
from cityos.rehearsal.simulation import simulated_devices
from cityos.runtime.notify import say_ready
from cityos.runtime.running import Addresses
from cityos.settings import Settings, notify_address
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry

USER = "simulator"
_APPLICATION: Final = "cityos-simulate"
_CERTAIN_S: Final = 0.1
_CONNECT_S: Final = 10.0
_SEND_S: Final = 5.0
_MOST_NAMES: Final = 5

_log = structlog.get_logger("simulate")


def run(settings: Settings) -> None:
    """Play the demo until SIGTERM or SIGINT. In a city that is in earnest nothing is simulated."""
    found = connect.addresses(settings, "mqtt_url", "database_url")
    stopping, city = stop_event(), demo_city()
    with _registry(found) as registry, _publisher(found) as publisher:
        if not is_live(registry, city.tenant.id):
            _play(city, settings, registry, publisher, stopping)
    if not stopping.is_set():
        _log.info("the city is in earnest: nothing is simulated", city=city.tenant.id)
        run_until_stopped(healthy=lambda: True, stopping=stopping)


def run_city(settings: Settings, folder: Path) -> None:
    """Play the day of the folder's city until SIGTERM or SIGINT, or until it goes live.

    Raises:
        InvalidRequest: the folder has no simulated day, or devices that are not loaded.
        NotFound: its city is not in the store.
        Conflict: it is in earnest, or the broker does not know its vendors yet.
        Unavailable: the broker or the store does not answer.
    """
    found = connect.addresses(settings, "mqtt_url", "database_url")
    city = _city_of(folder)
    with _registry(found) as registry:
        _check(city, registry, found)
        stopping = stop_event()
        with _publisher(found) as publisher, _time_lapse(registry, city, settings):
            publisher.wait_connected(_CONNECT_S)
            _play(city, settings, registry, publisher, stopping)
    if not stopping.is_set():
        message = f"the city {city.tenant.id!r} went live meanwhile: the simulation has ended"
        raise Conflict(message)


def _city_of(folder: Path) -> City:
    if not (folder / "simulation.toml").is_file():
        message = (
            f"{folder} has no simulation.toml, so there is no simulated day: make one, which may"
            " be empty, for every figure has a default (deploy/demo/README.md)"
        )
        raise InvalidRequest(message)
    city = city_files.load(folder)
    if not simulated_devices(city):
        raise InvalidRequest(f"{folder}: devices.csv names no device that can be simulated")
    return city


def _check(city: City, registry: Registry, found: Addresses) -> None:
    """Refuse what would be played in earnest, or to nobody."""
    tenant = city.tenant.id
    missing = absence(tenant, [known.id for known in registry.tenants()])
    if missing:
        raise NotFound(missing)
    if is_live(registry, tenant):
        raise Conflict(f"the city {tenant!r} is in earnest: nothing is simulated in it")
    loaded = {(device.vendor, device.id) for device in registry.devices(tenant)}
    playing = simulated_devices(city)
    new = [f"{one.vendor}/{one.id}" for one in playing if (one.vendor, one.id) not in loaded]
    if new:
        message = f"not loaded yet, run `cityos load` again: {some(new, _MOST_NAMES)}"
        raise InvalidRequest(message)
    users = found.mqtt_urls.keys()
    strangers = sorted({device.vendor for device in playing} - users)
    if strangers and USER in users and found.mqtt_has_access_list:
        message = (
            f"the broker does not know {some(strangers, _MOST_NAMES)} yet: it learns of new"
            " vendors at its start (cityos down, cityos up)"
        )
        raise Conflict(message)


def _play(
    city: City,
    settings: Settings,
    registry: Registry,
    publisher: WindowedPublisher,
    stopping: threading.Event,
) -> None:
    """Return when ``stopping`` is set or the city goes live."""
    outlet = _WhilePractising(publisher, registry, city.tenant.id)
    with suppress(_InEarnest):
        play_day(city, outlet, clock=SystemClock(), stop=stopping, pace=settings.simulation_pace)


class _InEarnest(Exception):
    """The city has gone live."""


class _WhilePractising:
    """Sends as long as it is certain that the city practices.

    Nothing in the message says that it is simulated: in a city in earnest it would be a
    measurement. So a store that is away holds the day up.
    """

    def __init__(self, outlet: Outlet, registry: Registry, tenant: str) -> None:
        self._outlet = outlet
        self._registry = registry
        self._tenant = tenant
        self._certain_until_s = -math.inf

    def send(self, topic: str, payload: bytes, *, timeout_s: float = _SEND_S) -> None:
        """Raises Unavailable; _InEarnest."""
        asked_at_s = time.monotonic()
        if asked_at_s >= self._certain_until_s:
            if is_live(self._registry, self._tenant):
                raise _InEarnest
            self._certain_until_s = asked_at_s + _CERTAIN_S
        self._outlet.send(topic, payload, timeout_s=timeout_s)


@contextmanager
def _registry(found: Addresses) -> Iterator[PostgresRegistry]:
    database = Database(found.database_url, application=_APPLICATION, max_size=1)
    try:
        yield PostgresRegistry(database)
    finally:
        database.close()


@contextmanager
def _publisher(found: Addresses) -> Iterator[WindowedPublisher]:
    publisher = WindowedPublisher(
        found.mqtt_url(USER),
        on_state=lambda connected, _why: say_ready(notify_address()) if connected else None,
    )
    try:
        yield publisher
    finally:
        publisher.close()


@contextmanager
def _time_lapse(registry: PostgresRegistry, city: City, settings: Settings) -> Iterator[None]:
    """While the day is played the page knows that the rivers run ahead of the calendar."""
    registry.set_time_lapse(city.tenant.id, settings.simulation_pace)
    try:
        yield
    finally:
        with suppress(Unavailable):
            registry.set_time_lapse(city.tenant.id, None)
