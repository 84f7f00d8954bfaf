"""``cityos broker``: who may connect to the MQTT broker, with what password, and to say what."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from cityos.bootstrap import connect
from cityos.domain.entity import Device
from cityos.errors import InvalidRequest, NotFound
from cityos.rehearsal.recording import only_rehearses
from cityos.runtime import mqtt_access
from cityos.runtime.mosquitto import access_list
from cityos.runtime.mqtt_access import ALERTS_FILTER, MqttUser
from cityos.settings import Settings
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry

EXERCISE_VENDORS: Final = "CITYOS_EXERCISE_VENDORS"
_CITY: Final = "cityos"


def vendors_of(devices: Mapping[str, Sequence[Device]]) -> dict[str, list[str]]:
    """Return each vendor's tenants; ``devices`` are by tenant.

    Who is known from a recording alone is nobody who connects.
    """
    found: dict[str, set[str]] = {}
    for tenant, of_tenant in devices.items():
        for device in of_tenant:
            if not only_rehearses(device):
                found.setdefault(device.vendor, set()).add(tenant)
    return {vendor: sorted(tenants) for vendor, tenants in sorted(found.items())}


def broker_users(
    vendors: Mapping[str, Sequence[str]], *, rehearsing: Collection[str]
) -> list[MqttUser]:
    """The users of our own broker; ``vendors`` has each vendor's tenants."""
    return [
        mqtt_access.INGEST,
        mqtt_access.DISPATCH,
        mqtt_access.REHEARSAL,
        mqtt_access.REPLAY,
        mqtt_access.speaker("feeds", vendors=sorted(vendors)),
        mqtt_access.speaker("simulator", vendors=sorted(vendors)),
        *_vendors(vendors, rehearsing),
    ]


def rights(settings: Settings) -> Iterator[str]:
    """Yield who may say and hear what: a right a line, so that each can be searched for."""
    users = _users(settings)
    longest = max(len(user.name) for user in users)
    for user in users:
        for verb, filters in (("says", user.writes), ("hears", user.reads)):
            yield from (f"{user.name:<{longest}}  {verb:<5}  {filter_}" for filter_ in filters)
    yield f"and everybody hears {ALERTS_FILTER}"


def password(settings: Settings, name: str, *, new: bool) -> str:
    """Return the password of a user of our own broker, which it has from its next start on.

    Raises:
        InvalidRequest: the broker is not ours.
        NotFound: there is no such user.
    """
    if settings.mqtt_url:
        raise InvalidRequest(
            "the broker of CITYOS_MQTT_URL keeps its own passwords: make this one there; "
            "`cityos broker access-list` prints what the user may say and hear"
        )
    known = {user.name: user.secret for user in _users(settings)}
    if name not in known:
        message = f"no user {name!r}, there are {', '.join(known)}; a vendor needs a device first"
        raise NotFound(message)
    secrets = connect.secrets(settings)
    return secrets.renew(known[name]) if new else secrets.get(known[name])


def access(settings: Settings) -> str:
    """Return the access list for a broker that is not ours, as mosquitto's ``acl_file``."""
    return access_list(_users(settings))


def _users(settings: Settings) -> list[MqttUser]:
    url = connect.addresses(settings, "database_url").database_url
    database = Database(url, application="cityos-broker", max_size=1)
    try:
        registry = PostgresRegistry(database)
        vendors = vendors_of({t.id: registry.devices(t.id) for t in registry.tenants()})
    finally:
        database.close()
    rehearsing = settings.exercise_vendors
    if not settings.mqtt_url:
        return broker_users(vendors, rehearsing=rehearsing)
    city = unquote(urlsplit(settings.mqtt_url).username or _CITY)
    return [mqtt_access.whole_city(city), *_vendors(vendors, rehearsing)]


def _vendors(vendors: Mapping[str, Sequence[str]], rehearsing: Collection[str]) -> list[MqttUser]:
    return [
        mqtt_access.vendor(name, tenants=tenants, exercises=name in rehearsing)
        for name, tenants in sorted(vendors.items())
    ]
