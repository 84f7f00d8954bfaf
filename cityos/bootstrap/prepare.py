"""What has to be there before a city's processes start: schema, demo city, first key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cityos.bootstrap import connect
from cityos.bootstrap.broker import vendors_of
from cityos.bootstrap.city_store import absence, standing
from cityos.bootstrap.demo import demo_city, is_live
from cityos.bootstrap.dispatch import CHANNELS
from cityos.bootstrap.ingest import adapters_of
from cityos.bootstrap.keys import key_ring
from cityos.bootstrap.listing import some
from cityos.clock import SystemClock
from cityos.domain.entity import Device, Entity, Tenant
from cityos.domain.occasion import PRACTICE_RUN
from cityos.errors import InvalidRequest, SetupFailed, Unavailable
from cityos.plugins.discovery import discover
from cityos.ports import CityReader, EntityQuery
from cityos.rehearsal import city_files
from cityos.rehearsal.mqtt import WindowedPublisher
from cityos.rehearsal.recording import only_rehearses
from cityos.settings import Settings
from cityos.storage import database
from cityos.storage.database import Database
from cityos.storage.orders import PostgresOrderBook
from cityos.storage.reader import PostgresCityReader
from cityos.storage.registry import PostgresRegistry

_FIRST_KEY: Final = "first administrator"
_TRIED_ADAPTER: Final = "cityos_json"
_TRIED_TYPE: Final = "WaterLevelGauge"
_GAUGES: Final = 200
_BROKER_S: Final = 10.0
_MOST_NAMES: Final = 10


def migrate(settings: Settings, *, sql_only: bool, timescale: bool, since: str) -> None:
    """``since``: the revision that the store has, where only the statements are printed.

    Raises:
        InvalidRequest: there is no such revision, or the server would have to be asked.
        SetupFailed: there is no database to migrate.
        Unavailable: it does not answer.
    """
    if sql_only:
        revision = f"{since}:head" if since else "head"
        database.migrate("postgresql://", sql_only=True, timescale=timescale, revision=revision)
    elif timescale or since:
        raise InvalidRequest("--timescale and --from go with --sql; otherwise the server is asked")
    else:
        database.migrate(connect.addresses(settings, "database_url").database_url)


def run(settings: Settings, *, first_key: bool = True) -> str:
    """Do everything that `cityos up` needs first; safe to repeat. Return JSON.

    ``vendors``: each vendor's tenants; ``admin_key``: the first key of the tenant, if it was made
    just now, which ``first_key`` allows; ``example``: a reading that a device may publish, or
    null; ``absence``: what to do where the tenant is not in the store, else nothing;
    ``standing``: whether it practices, for people, as ``practice`` has it.

    Raises:
        SetupFailed: a server that the settings name does not let us in.
    """
    _require_named_servers(settings)
    url = connect.addresses(settings, "database_url").database_url
    database.migrate(url)
    store = Database(url, application="cityos-prepare", max_size=2)
    try:
        registry, reader = PostgresRegistry(store), PostgresCityReader(store)
        if settings.demo:
            demo = demo_city(settings.simulation_pace)
            if not is_live(registry, demo.tenant.id):
                city_files.register(demo, registry)
        tenants = {tenant.id: tenant for tenant in registry.tenants()}
        city = tenants.get(settings.tenant)
        devices = {tenant: registry.devices(tenant) for tenant in tenants}
        missing = absence(settings.tenant, tenants)
        result = {
            "vendors": vendors_of(devices),
            "admin_key": _first_key(settings, store) if first_key and not missing else "",
            "example": None
            if missing
            else _example(settings.tenant, reader, devices[settings.tenant]),
            "absence": missing,
            "standing": standing(city) if city else "",
            "practice": city is not None and city.practice,
        }
    finally:
        store.close()
    return json.dumps(result)


def load_city(settings: Settings, folder: Path) -> list[str]:
    """Create or update a city from a folder of tables; return what to tell.

    Raises:
        InvalidRequest: a table is wrong; names the file and the line, or the device.
    """
    city = city_files.load(folder)
    _require_adapters(city.devices)
    store = Database(
        connect.addresses(settings, "database_url").database_url, application="cityos-load"
    )
    try:
        registry = PostgresRegistry(store)
        before = {
            (one.vendor, one.id): one
            for one in registry.devices(city.tenant.id)
            if not only_rehearses(one)
        }
        was = next((one for one in registry.tenants() if one.id == city.tenant.id), None)
        city_files.register(city, registry)
        told = [
            f"{city.tenant.id}: {len(city.entities)} entities and {len(city.devices)} devices",
            *_gone_live(settings, store, city.tenant, was),
        ]
    finally:
        store.close()
    named = {(one.vendor, one.id) for one in city.devices}
    left = [f"{v}/{d}" for (v, d), one in before.items() if one.enabled and (v, d) not in named]
    if left:
        told += [
            f"still registered, though devices.csv does not name them: {some(left, _MOST_NAMES)}",
            "  to shut a device out, leave its row there with `no` under `enabled`",
        ]
    publishing = {one.vendor for one in city.devices if not only_rehearses(one)}
    new = sorted(publishing - {vendor for vendor, _ in before})
    if new:
        told += [
            f"new vendors: {some(new, _MOST_NAMES)}",
            "  the embedded broker lets them in from its next start on: cityos down, cityos up",
            "  what they connect with: cityos broker password VENDOR",
        ]
    return told


def _gone_live(settings: Settings, store: Database, city: Tenant, was: Tenant | None) -> list[str]:
    """What to tell when the city is in earnest as it was not before."""
    if city.practice or (was is not None and not was.practice):
        return []
    told = [
        f"{city.id} is in earnest from now on: what its sensors say leads to real alerts",
        "  once it has a real value it cannot become a practice city again",
    ]
    if was is not None:
        told.append("  no restart is needed for that; reload the pages that are open")
        orders = PostgresOrderBook(store, channels=CHANNELS)
        under_way = orders.open_exercises(city.id, SystemClock().now())
        if any(one.run == PRACTICE_RUN for one in under_way):
            named = "" if city.id == settings.tenant else f"CITYOS_TENANT={city.id} "
            told.append(
                f"  what it practiced stays the exercise {PRACTICE_RUN!r}; end what is open of it:"
                f" {named}cityos exercise end {PRACTICE_RUN}"
            )
    return told


def _require_adapters(devices: Sequence[Device]) -> None:
    known = adapters_of(discover())
    missing = [one for one in devices if one.adapter not in known]
    if missing:
        wrong = [f"{one.vendor}/{one.id}: {one.adapter}" for one in missing]
        message = (
            f"devices.csv names adapters that are not installed: {some(wrong, _MOST_NAMES)}; "
            f"there are {', '.join(sorted(known))}"
        )
        raise InvalidRequest(message)


def _require_named_servers(settings: Settings) -> None:
    """Say at once which server is missing, and why; Redis may come later."""
    if settings.database_url:
        try:
            database.connect(settings.database_url, "cityos-prepare").close()
        except Unavailable as error:
            why = str(error.__cause__ or error).partition("\n")[0]
            if settings.database_url.count("@") > 1:  # what the driver took for the host
                why = "more than one @; in the password write it as %40"
            message = f"CITYOS_DATABASE_URL: {why}"
            raise SetupFailed(message) from error
    if settings.mqtt_url:
        publisher = WindowedPublisher(settings.mqtt_url)
        try:
            publisher.wait_connected(_BROKER_S)
        except Unavailable as error:
            where = settings.mqtt_url.rpartition("@")[2]
            message = f"CITYOS_MQTT_URL: {where}: {error}"
            raise SetupFailed(message) from error
        finally:
            publisher.close()


def _first_key(settings: Settings, store: Database) -> str:
    """Make an administrator's key where the tenant has none; return its text, else nothing."""
    ring = key_ring(settings, store)
    if any(key.role == "admin" and not key.revoked_at for key in ring.keys(settings.tenant)):
        return ""
    _, text = ring.issue(settings.tenant, name=_FIRST_KEY, role="admin")
    return text


def _example(
    tenant: str, reader: CityReader, devices: Sequence[Device]
) -> Mapping[str, Any] | None:
    """Choose a river gauge that speaks the city's own format."""
    query = EntityQuery(type=_TRIED_TYPE, limit=_GAUGES)
    gauges: dict[str, Entity] = {
        found.entity.id: found.entity for found in reader.find_entities(tenant, query)
    }
    for device in devices:
        gauge = gauges.get(device.entity)
        if device.adapter == _TRIED_ADAPTER and gauge is not None and gauge.position is not None:
            return {
                "tenant": tenant,
                "vendor": device.vendor,
                "device": device.id,
                "entity": gauge.id,
                "longitude": gauge.position.longitude,
                "latitude": gauge.position.latitude,
                "property": "water_level",
                "value": 1.23,
                "unit": "m",
            }
    return None
