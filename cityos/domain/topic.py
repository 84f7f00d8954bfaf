"""The MQTT topics of the city, written and read in one place.

    cityos/v1/{tenant}/{vendor}/{device}/observations                   a device speaks
    cityos/v1/{tenant}/{vendor}/{device}/observations/exercise/{run}    a rehearsal speaks
    cityos/v1/{tenant}/{vendor}/{device}/errors                         we say why we refused
    cityos/v1/{tenant}/alerts/actual/{situation}                        retained, CAP 1.2
    cityos/v1/{tenant}/alerts/exercise/{run}/{situation}                retained, CAP 1.2

The vendor's name in the topic is the broker credential's: the broker's access list lets a vendor
write only under its own name, so the topic is proof of who speaks. ``alerts`` is no vendor name.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cityos.domain.occasion import Actual, Occasion
from cityos.errors import Rejected

ROOT: Final = "cityos/v1"
OBSERVATIONS_FILTER: Final = f"{ROOT}/+/+/+/observations/#"
"""What ingest subscribes to; ``#`` also matches its parent level (MQTT 5, 4.7.1.2)."""

_TOPIC: Final = re.compile(
    r"cityos/v1/([a-z0-9][a-z0-9_-]{0,63})/([a-z0-9][a-z0-9_-]{0,63})/([a-z0-9][a-z0-9_-]{0,63})"
    r"/observations(?:/exercise/([a-z0-9][a-z0-9_-]{0,63}))?"
)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]")
_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Publication:
    """What a topic says: who speaks, and in which rehearsal (empty: for real)."""

    tenant: str
    vendor: str
    device: str
    run: str = ""


def read(topic: str) -> Publication:
    """Return what the topic says.

    Raises:
        Rejected: the topic is not one that a device may publish on.
    """
    match = _TOPIC.fullmatch(topic)
    if match is None or match[2] == "alerts":
        raise Rejected(
            "unknown_topic",
            f"topic {topic[:200]!r} is not an observations topic",
            hint=f"publish on {ROOT}/TENANT/VENDOR/DEVICE/observations",
        )
    return Publication(match[1], match[2], match[3], match[4] or "")


def observations(tenant: str, vendor: str, device: str, run: str = "") -> str:
    topic = f"{ROOT}/{tenant}/{vendor}/{device}/observations"
    return f"{topic}/exercise/{run}" if run else topic


def errors(tenant: str, vendor: str, device: str) -> str:
    return f"{ROOT}/{tenant}/{vendor}/{device}/errors"


def alert(tenant: str, occasion: Occasion, service: str, key: str) -> str:
    """Return where the alerts on the situation ``key`` of the service are retained."""
    return f"{alerts(tenant, occasion)}/{situation(service, key)}"


def former_alert(tenant: str, occasion: Occasion, key: str) -> str:
    """Return where they were retained before a situation had a topic of its own alone."""
    return f"{alerts(tenant, occasion)}/{_UNSAFE.sub('-', key)}"


def alerts(tenant: str, occasion: Occasion) -> str:
    if isinstance(occasion, Actual):
        return f"{ROOT}/{tenant}/alerts/actual"
    return f"{ROOT}/{tenant}/alerts/exercise/{occasion.run}"


def situation(service: str, key: str) -> str:
    """Return the topic level of a situation, its own alone.

    In its key other characters than A-Z a-z 0-9 _ . - turn to -, for people; eight digits of a
    SHA-256 tell apart what then reads alike, and what two services call the same.
    """
    digest = hashlib.sha256(f"{service}/{key}".encode()).hexdigest()
    return f"{_UNSAFE.sub('-', key)}-{digest[:_DIGITS]}"
