"""Where the servers are: a URL from the settings, else those that ``cityos up`` has started."""

from __future__ import annotations

from typing import Final

from cityos.errors import SetupFailed
from cityos.runtime.running import Addresses, running_city
from cityos.runtime.secret_file import SecretFile
from cityos.settings import Settings

_PEPPER: Final = "key pepper"


def addresses(settings: Settings, *needed: str) -> Addresses:
    """Return the addresses; ``needed`` are the settings that this command cannot do without.

    Raises:
        SetupFailed: one is neither given nor started by us.
    """
    city = running_city(settings.home)
    started = city.addresses if city else Addresses(database_url="", redis_url="", mqtt_urls={})
    found = Addresses(
        database_url=settings.database_url or started.database_url,
        redis_url=settings.redis_url or started.redis_url,
        mqtt_urls={"": settings.mqtt_url} if settings.mqtt_url else started.mqtt_urls,
        mqtt_has_access_list=started.mqtt_has_access_list,
    )
    known = {
        "database_url": found.database_url,
        "redis_url": found.redis_url,
        "mqtt_url": any(found.mqtt_urls.values()),
    }
    missing = [f"CITYOS_{name.upper()}" for name in needed if not known[name]]
    if missing:
        message = (
            f"nothing runs in {settings.home}, and {', '.join(missing)} is not set: "
            "start the city with `cityos up`, or name the servers"
        )
        raise SetupFailed(message)
    return found


def secrets(settings: Settings) -> SecretFile:
    """Return the secrets that this installation made itself."""
    return SecretFile(settings.home / "secrets.json")


def key_pepper(settings: Settings) -> bytes:
    """Return what the digests of keys are made with; it is never in the database."""
    return (settings.key_pepper or secrets(settings).get(_PEPPER)).encode()
