"""Events to services, their effects into the store: exactly once, and nobody blocks the queue."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from cityos.dispatch.approval import ExerciseApproval
from cityos.dispatch.loop import run_steadily
from cityos.dispatch.metrics import DispatchMetrics
from cityos.dispatch.patience import Overdue, Patience
from cityos.domain.event import AlertReceived, Event
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import Proposal
from cityos.errors import Unavailable
from cityos.plugins.contract import Service
from cityos.ports import Clock, EventQueue, EventWork

BATCH: Final = 500
"""Events in one transaction: enough that its commit costs nothing, few enough to end in time."""
_REST: Final = 9
"""A service that was not done in its time rests for so many times as long: a tenth of the time is
what one that hangs at every reading may take from the others."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Consumer:
    """A service and what it wants to hear of."""

    service: Service
    properties: frozenset[str]
    alerts: bool = False

    def wants(self, event: Event) -> bool:
        if isinstance(event, AlertReceived):
            return self.alerts
        return event.reading.observed_property in self.properties


class Dispatcher:
    """Takes events, asks the services, has their effects performed. For one thread.

    Many events share a transaction, which ends early at an event that led to a proposal: so a
    proposal is seen at once, and in an exercise it is approved before the next event is looked
    at. An event that a service fails on is set aside with the reason, the others go on. A service
    that was not done in its time rests from readings, which the next reading makes up for, never
    from alerts. Should an
    event break the transaction itself, its batch is handled again one by one, and that event
    alone is set aside.
    """

    def __init__(
        self,
        queue: EventQueue,
        consumers: Mapping[str, Consumer],
        *,
        clock: Clock,
        metrics: DispatchMetrics,
        approval: ExerciseApproval | None = None,
        patience: Patience | None = None,
        batch: int = BATCH,
    ) -> None:
        """``consumers`` are the services by id; every event goes to those that want it.

        Somebody else has to run ``patience``.
        """
        self._queue = queue
        self._consumers = dict(consumers)
        self._clock = clock
        self._metrics = metrics
        self._approval = approval
        self._patience = patience or Patience()
        self._resting_until_s: dict[str, float] = {}
        self._batch = batch
        self._one_by_one = 0
        self._left_over = True
        self._logged: set[tuple[str, str]] = set()

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is set."""
        run_steadily("events", self.step, self._queue.wait, stop)

    def step(self) -> bool:
        """Handle one batch; say whether there was one.

        Raises Unavailable: nothing of the batch was done, it comes again.
        """
        if self._left_over and self._approval is not None:
            self._metrics.approvals.inc(self._approval.approve_left_over())
        self._left_over = False
        batch: Sequence[EventWork] = ()
        proposals: list[Proposal] = []
        handled = 0
        try:
            with self._queue.take(1 if self._one_by_one else self._batch) as batch:
                for work in batch:
                    proposals = self._react(work)
                    work.done()
                    handled += 1
                    if proposals:
                        break
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - raised again unless one event is to blame
            self._broken(batch, error)
            return True
        self._one_by_one = max(0, self._one_by_one - 1)
        self._count(batch[:handled], proposals)
        for proposal in proposals:
            self._consider(batch[0].tenant, proposal)
        return handled > 0

    def _react(self, work: EventWork) -> list[Proposal]:
        proposals: list[Proposal] = []
        for service_id, consumer in self._wanting(work.event):
            started_s = self._clock.monotonic_s()
            if self._rests(service_id, started_s) and not isinstance(work.event, AlertReceived):
                work.set_aside(service_id, "it rests, for it was not done in its time before")
                self._metrics.failures.labels(service_id).inc()
                continue
            try:
                with self._patience:
                    effects = consumer.service.react(work.event, work.city(service_id))
                proposals += work.perform(service_id, effects)
            except Unavailable:
                raise
            except Overdue:
                self._overdue(work, service_id)
            except Exception as error:  # noqa: BLE001 - one service may not stop the others
                self._failed(work, service_id, error)
            took_s = self._clock.monotonic_s() - started_s
            self._metrics.service.labels(service_id).observe(took_s)
        return proposals

    def _rests(self, service_id: str, now_s: float) -> bool:
        return now_s < self._resting_until_s.get(service_id, now_s)

    def _wanting(self, event: Event) -> Iterator[tuple[str, Consumer]]:
        return ((key, one) for key, one in self._consumers.items() if one.wants(event))

    def _failed(self, work: EventWork, service_id: str, error: Exception) -> None:
        kind = type(error).__name__
        work.set_aside(service_id, f"{kind}: {error}")
        self._metrics.failures.labels(service_id).inc()
        if (service_id, kind) not in self._logged:
            self._logged.add((service_id, kind))
            _log.error(
                "a service failed on an event, which is set aside; "
                "further failures of this kind are only counted",
                service=service_id,
                event_id=work.event.id,
                exc_info=error,
            )

    def _overdue(self, work: EventWork, service_id: str) -> None:
        limit_s, rest_s = self._patience.limit_s, self._patience.limit_s * _REST
        work.set_aside(service_id, f"it was not done in {limit_s:g} s")
        self._metrics.failures.labels(service_id).inc()
        self._resting_until_s[service_id] = self._clock.monotonic_s() + rest_s
        _log.error(
            "a service hangs: it was ended, and readings for it are set aside for a while",
            service=service_id,
            event_id=work.event.id,
            limit_s=limit_s,
            rest_s=rest_s,
        )

    def _broken(self, batch: Sequence[EventWork], error: Exception) -> None:
        """The transaction broke, not a service: find the event that does it."""
        if not batch:
            raise error
        if len(batch) > 1:
            self._one_by_one = len(batch)
            return
        event = batch[0].event
        _log.error("an event cannot be handled and is set aside", id=event.id, exc_info=error)
        self._metrics.unhandled.inc()
        self._queue.fail(event.id, f"{type(error).__name__}: {error}")
        self._one_by_one = max(0, self._one_by_one - 1)

    def _count(self, works: Sequence[EventWork], proposals: Sequence[Proposal]) -> None:
        now = self._clock.now()
        for work in works:
            status = work.event.occasion.status
            kind = "alert" if isinstance(work.event, AlertReceived) else "observation"
            self._metrics.events.labels(kind, status).inc()
            waited_s = (now - work.stored_at).total_seconds()
            self._metrics.reaction.labels(status).observe(max(0.0, waited_s))
        for proposal in proposals:
            level = str(int(proposal.assessment.level))
            status = proposal.occasion.status
            self._metrics.proposals.labels(proposal.service, status, level).inc()

    def _consider(self, tenant: str, proposal: Proposal) -> None:
        """An exercise may approve itself. What fails here is made up for with the next batch."""
        if self._approval is None or not isinstance(proposal.occasion, Exercise):
            return
        self._left_over = True
        if self._approval.approve(tenant, proposal.occasion, proposal.id):
            self._metrics.approvals.inc()
        self._left_over = False
