"""The outbox to one channel: at least once, in order within a situation, back-off with jitter.

Every channel has a worker of its own, so that a channel that is away delays no other.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Final, Protocol

import structlog

from cityos.dispatch.loop import delay_s, run_steadily
from cityos.dispatch.metrics import DispatchMetrics
from cityos.errors import CityOSError, Unavailable
from cityos.ports import AlertChannel, Clock, Delivery, Outbox

RETRY_FIRST_S: Final = 1.0
RETRY_MOST_S: Final = 60.0
_BACKLOG_EVERY_S: Final = 5.0

_log = structlog.get_logger(__name__)


class Memory(Protocol):
    """What a channel remembers for those who come later, and what has to be done about it."""

    def tend(self) -> bool:
        """Say whether nothing is left to do. Raises Unavailable, or what the channel raised."""
        ...


class _NotDelivered(CityOSError):
    """The channel did not take it."""


class DeliveryWorker:
    """Delivers what is due on one channel. For one thread."""

    def __init__(
        self,
        channel: AlertChannel,
        outbox: Outbox,
        *,
        clock: Clock,
        metrics: DispatchMetrics,
        memory: Memory | None = None,
    ) -> None:
        self._channel = channel
        self._outbox = outbox
        self._clock = clock
        self._metrics = metrics
        self._memory = memory
        self._counted_s = -_BACKLOG_EVERY_S
        self._down = False
        self._untended = False

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is set."""
        run_steadily(f"delivery {self._channel.name}", self.step, self._outbox.wait, stop)

    def step(self) -> bool:
        """Try one delivery; say whether there was one.

        Raises Unavailable: the database is away.
        """
        self._measure()
        self._tend()
        delivery: Delivery | None = None
        try:
            with self._outbox.take(self._channel.name, self._clock.now()) as delivery:
                if delivery is None:
                    return False
                self._deliver(delivery)
        except _NotDelivered as failure:
            if delivery is not None:
                wait_s = delay_s(delivery.attempts, RETRY_FIRST_S, RETRY_MOST_S)
                retry_at = self._clock.now() + timedelta(seconds=wait_s)
                self._outbox.failed(delivery.id, str(failure), retry_at)
            return True
        self._metrics.deliveries.labels(self._channel.name, "delivered").inc()
        took_s = (self._clock.now() - delivery.alert.sent).total_seconds()
        self._metrics.delivery.labels(self._channel.name, delivery.alert.status).observe(took_s)
        if self._down:
            _log.info("delivering again", channel=self._channel.name)
            self._down = False
        return True

    def _deliver(self, delivery: Delivery) -> None:
        """Raises _NotDelivered, whatever went wrong: the next situation has its turn."""
        try:
            self._channel.deliver(delivery)
        except Exception as error:
            self._metrics.deliveries.labels(self._channel.name, "failed").inc()
            expected = isinstance(error, CityOSError)
            if not self._down or not isinstance(error, Unavailable):
                _log.error(
                    "an alert could not be delivered and will be tried again",
                    channel=self._channel.name,
                    identifier=delivery.alert.identifier,
                    reason=str(error),
                    exc_info=None if expected else error,
                )
            self._down = True
            message = str(error) if expected else f"{type(error).__name__}: {error}"
            raise _NotDelivered(message) from error

    def _tend(self) -> None:
        """What is retained comes second to what is due: its failure stops no delivery."""
        if self._memory is None:
            return
        try:
            if self._memory.tend():
                self._untended = False
        except Exception as error:  # noqa: BLE001 - one alert may not stop the others
            if not self._untended or not isinstance(error, Unavailable):
                _log.warning(
                    "what the channel retains could not be brought up to date",
                    channel=self._channel.name,
                    reason=str(error),
                    exc_info=None if isinstance(error, CityOSError) else error,
                )
            self._untended = True

    def _measure(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._counted_s < _BACKLOG_EVERY_S:
            return
        self._counted_s = now_s
        backlog = self._outbox.backlog(self._clock.now()).get(self._channel.name)
        name = self._channel.name
        self._metrics.waiting.labels(name).set(0 if backlog is None else backlog.waiting)
        self._metrics.oldest.labels(name).set(0.0 if backlog is None else backlog.oldest_s)
