"""Who may say and hear what on the broker: one table, from which every broker's files are made.

Levels of a topic: ``cityos/v1/{tenant}/{vendor}/{device}/...``; see ``cityos.domain.topic``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cityos.domain.topic import OBSERVATIONS_FILTER, ROOT

ALERTS_FILTER: Final = f"{ROOT}/+/alerts/#"
"""Everybody with a credential may hear the city's alerts."""


@dataclass(frozen=True, slots=True)
class MqttUser:
    """A credential's rights, as MQTT topic filters (MQTT 5, 4.7)."""

    name: str
    writes: Sequence[str] = ()
    reads: Sequence[str] = ()


INGEST: Final = MqttUser("ingest", (f"{ROOT}/+/+/+/errors",), (OBSERVATIONS_FILTER,))
DISPATCH: Final = MqttUser("dispatch", (ALERTS_FILTER,))
REHEARSAL: Final = MqttUser("rehearsal", (f"{ROOT}/+/+/+/observations/exercise/#",))


def vendor(name: str, *, tenants: Sequence[str]) -> MqttUser:
    """A vendor speaks under its own name and hears what was wrong with what it said.

    ``tenants`` may be ``["+"]`` in tests.
    """
    own = [f"{ROOT}/{tenant}/{name}/+" for tenant in tenants]
    return MqttUser(
        name, [f"{topic}/observations" for topic in own], [f"{topic}/errors" for topic in own]
    )


def speaker(name: str, *, vendors: Sequence[str]) -> MqttUser:
    """A process of the city that publishes for several vendors, such as the simulated day."""
    return MqttUser(name, [f"{ROOT}/+/{own}/+/observations" for own in vendors])
