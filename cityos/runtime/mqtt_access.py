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

    @property
    def secret(self) -> str:
        """What the installation's secrets call its password."""
        return f"mqtt {self.name}"


INGEST: Final = MqttUser("ingest", (f"{ROOT}/+/+/+/errors",), (OBSERVATIONS_FILTER,))
DISPATCH: Final = MqttUser("dispatch", (ALERTS_FILTER,))
REHEARSAL: Final = MqttUser("rehearsal", (f"{ROOT}/+/+/+/observations/exercise/#",))
REPLAY: Final = MqttUser("replay", (OBSERVATIONS_FILTER,))
"""Sends dead letters again, each on the topic that it came on."""


def whole_city(name: str) -> MqttUser:
    """All processes of the city as one user, as they come to a broker that is not ours."""
    parts = (INGEST, DISPATCH, REPLAY)
    return MqttUser(
        name,
        [filter_ for part in parts for filter_ in part.writes],
        [filter_ for part in parts for filter_ in part.reads],
    )


def vendor(name: str, *, tenants: Sequence[str], exercises: bool = False) -> MqttUser:
    """A vendor speaks under its own name and hears what was wrong with what it said.

    ``exercises``: it may rehearse as well. ``tenants`` may be ``["+"]`` in tests.
    """
    own = [f"{ROOT}/{tenant}/{name}/+" for tenant in tenants]
    spoken = ["observations", "observations/exercise/+"] if exercises else ["observations"]
    return MqttUser(
        name,
        [f"{topic}/{kind}" for topic in own for kind in spoken],
        [f"{topic}/errors" for topic in own],
    )


def speaker(name: str, *, vendors: Sequence[str]) -> MqttUser:
    """A process of the city that publishes for several vendors, such as the simulated day."""
    return MqttUser(name, [f"{ROOT}/+/{own}/+/observations" for own in vendors])
