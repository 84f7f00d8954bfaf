"""Keeps what a channel retains true: said again when it forgot, withdrawn when it has expired.

A retained alert greets whoever subscribes later. A broker that restarts may have lost it, so all
that stands is published again after every new connection: orders in force, and cancellations, for
a subscriber who was away when an order was lifted learns it from the retained Cancel. When the
last message of a situation reaches its end of validity, order or Cancel, its topic is cleared:
an order nobody renewed must not greet anybody. What stood before this process began may have
been retained elsewhere by an earlier version: said again here, it is cleared there.

What the channel does not take is tried again with the usual back-off, and the others go on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, NamedTuple, Protocol

from cityos.dispatch.delivery import RETRY_FIRST_S, RETRY_MOST_S
from cityos.dispatch.loop import delay_s
from cityos.ports import AlertChannel, Clock, Delivery, Outbox

_SWEEP_EVERY_S: Final = 15.0
_LOOK_BACK: Final = timedelta(days=7)
"""How far back expired messages are withdrawn that nobody could withdraw in time."""


class RetainingChannel(AlertChannel, Protocol):
    """A channel that keeps the last message of every situation."""

    def withdraw(self, delivery: Delivery) -> None:
        """Keep nothing for the situation any more. Raises Unavailable; TooLarge."""
        ...

    def clear_former(self, delivery: Delivery) -> None:
        """Drop what an earlier version keeps for it elsewhere. Raises Unavailable."""
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
        self._from_before: set[str] = set()
        self._swept_until = clock.now() - _LOOK_BACK
        self._swept_s = -_SWEEP_EVERY_S
        self._to_say = _Duty(self._say_again, self._standing)
        self._to_withdraw = _Duty(channel.withdraw, self._expired)

    def tend(self) -> bool:
        """Say whether nothing is left to do.

        Raises Unavailable, or whatever else the channel raised: that one waits, and what is left
        is done the next time.
        """
        connection = self._connections()
        if connection == 0:
            return False
        now_s = self._clock.monotonic_s()
        if connection != self._said_on:
            standing = self._standing()
            if self._said_on == 0:
                self._from_before = {delivery.alert.identifier for delivery in standing}
            self._outbox.retry_now(self._channel.name)
            self._to_say.owe(standing)
            self._said_on = connection
        if now_s - self._swept_s >= _SWEEP_EVERY_S:
            now = self._clock.now()
            self._to_withdraw.owe(self._outbox.expired(self._channel.name, self._swept_until, now))
            self._swept_until, self._swept_s = now, now_s
        try:
            self._to_say.perform(now_s)
        finally:
            self._to_withdraw.perform(now_s)
        return self._to_say.is_done and self._to_withdraw.is_done

    def _say_again(self, delivery: Delivery) -> None:
        self._channel.deliver(delivery)
        if delivery.alert.identifier in self._from_before:
            self._channel.clear_former(delivery)
            self._from_before.remove(delivery.alert.identifier)

    def _standing(self) -> Sequence[Delivery]:
        return self._outbox.standing(self._channel.name, self._clock.now())

    def _expired(self) -> Sequence[Delivery]:
        now = self._clock.now()
        return self._outbox.expired(self._channel.name, now - _LOOK_BACK, now)


class _Turn(NamedTuple):
    """When it is an alert's turn: at once, or after so many failures."""

    failures: int = 0
    due_s: float = -math.inf


class _Duty:
    """Something to do once for each of some alerts; one that fails has its next turn later."""

    def __init__(
        self, act: Callable[[Delivery], None], still: Callable[[], Sequence[Delivery]]
    ) -> None:
        """``still`` has those for which it is right now: what waited may have been overtaken."""
        self._act = act
        self._still = still
        self._turns: dict[str, _Turn] = {}

    @property
    def is_done(self) -> bool:
        return not self._turns

    def owe(self, deliveries: Sequence[Delivery]) -> None:
        """Have it done for these at once, whatever failed before."""
        self._turns |= {delivery.alert.identifier: _Turn() for delivery in deliveries}

    def perform(self, now_s: float) -> None:
        """Go on up to the first that fails: no more than one may keep what is due waiting.

        Raises what the channel raised.
        """
        if all(turn.due_s > now_s for turn in self._turns.values()):
            return
        right = {delivery.alert.identifier: delivery for delivery in self._still()}
        for identifier, turn in list(self._turns.items()):
            if turn.due_s > now_s:
                continue
            del self._turns[identifier]  # one that fails comes back behind the others
            try:
                if identifier in right:
                    self._act(right[identifier])
            except Exception:
                wait_s = delay_s(turn.failures, RETRY_FIRST_S, RETRY_MOST_S)
                self._turns[identifier] = _Turn(turn.failures + 1, now_s + wait_s)
                raise
