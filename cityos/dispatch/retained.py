"""Keeps what a channel retains true: said again when it forgot, withdrawn when it has expired.

A retained alert greets whoever subscribes later. A broker that restarts may have lost it, so all
that stands is published again after every new connection: orders in force, and cancellations, for
a subscriber who was away when an order was lifted learns it from the retained Cancel. When the
last message of a situation reaches its end of validity, order or Cancel, its topic is cleared:
an order nobody renewed must not greet anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

from cityos.ports import AlertChannel, Clock, Delivery, Outbox

_SWEEP_EVERY_S: Final = 15.0
_LOOK_BACK: Final = timedelta(days=7)
"""At the start: how far back expired messages are withdrawn that nobody was there to withdraw."""


class RetainingChannel(AlertChannel, Protocol):
    """A channel that keeps the last message of every situation."""

    def withdraw(self, delivery: Delivery) -> None:
        """Keep nothing for the situation any more. Raises Unavailable."""
        ...


class RetainedAlerts:
    """What a ``DeliveryWorker`` does beside delivering, on a channel that retains.

    ``connections`` counts how often the channel has come up.
    """

    def __init__(
        self,
        channel: RetainingChannel,
        outbox: Outbox,
        *,
        clock: Clock,
        connections: Callable[[], int],
    ) -> None:
        self._channel = channel
        self._outbox = outbox
        self._clock = clock
        self._connections = connections
        self._said_on = 0
        self._swept_until = clock.now() - _LOOK_BACK
        self._swept_s = -_SWEEP_EVERY_S

    def tend(self) -> None:
        """Raises Unavailable; what is left is done the next time."""
        connection = self._connections()
        if connection == 0:
            return
        if connection != self._said_on:
            self._outbox.retry_now(self._channel.name)
            for delivery in self._outbox.standing(self._channel.name, self._clock.now()):
                self._channel.deliver(delivery)
            self._said_on = connection
        now_s = self._clock.monotonic_s()
        if now_s - self._swept_s >= _SWEEP_EVERY_S:
            now = self._clock.now()
            for delivery in self._outbox.expired(self._channel.name, self._swept_until, now):
                self._channel.withdraw(delivery)
            self._swept_until, self._swept_s = now, now_s
