"""Where rehearsals send their messages; ``cityos.rehearsal.mqtt.WindowedPublisher`` is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Outlet(Protocol):
    """Takes messages. May hold some back until the broker has room for them."""

    def send(self, topic: str, payload: bytes, *, timeout_s: float = ...) -> None:
        """Raises Unavailable when there is no room until the timeout."""
        ...


class DrainableOutlet(Outlet, Protocol):
    """Takes messages, and can say what became of them."""

    @property
    def refused(self) -> Mapping[str, int]:
        """How many messages the broker refused, by reason."""
        ...

    def drain(self, timeout_s: float) -> None:
        """Return when the broker has everything; raises Unavailable when it does not answer."""
        ...
