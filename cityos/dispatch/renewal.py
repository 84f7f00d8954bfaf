"""Every minute: orders that are about to lapse come before a person again."""

from __future__ import annotations

import threading
from typing import Final

import structlog

from cityos.dispatch.approval import ExerciseApproval
from cityos.dispatch.loop import run_steadily
from cityos.dispatch.metrics import DispatchMetrics
from cityos.domain.occasion import Exercise
from cityos.ports import Clock, OrderRenewals

EVERY_S: Final = 60.0

_log = structlog.get_logger(__name__)


class RenewalRound:
    """Has renewals proposed, and approved in the exercises that say so. For one thread."""

    def __init__(
        self,
        renewals: OrderRenewals,
        *,
        clock: Clock,
        metrics: DispatchMetrics,
        approval: ExerciseApproval | None = None,
    ) -> None:
        self._renewals = renewals
        self._clock = clock
        self._metrics = metrics
        self._approval = approval
        self._left_over = False

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is set."""
        run_steadily("renewals", self.step, lambda _timeout_s: _pause(stop), stop)

    def step(self) -> bool:
        """Propose what is due; say whether there was any.

        Raises Unavailable: what was proposed and could not be approved is approved the next time.
        """
        if self._left_over and self._approval is not None:
            self._metrics.approvals.inc(self._approval.approve_left_over())
        self._left_over = False
        made = self._renewals.propose_due(self._clock.now())
        self._left_over = bool(made)
        for tenant, proposal in made:
            level, status = str(int(proposal.assessment.level)), proposal.occasion.status
            self._metrics.proposals.labels(proposal.service, status, level).inc()
            _log.info(
                "an order expires soon and a person is asked to renew it",
                tenant=tenant,
                status=status,
                proposal=proposal.id,
            )
            if (
                self._approval is not None
                and isinstance(proposal.occasion, Exercise)
                and self._approval.approve(tenant, proposal.occasion, proposal.id)
            ):
                self._metrics.approvals.inc()
        self._left_over = False
        return bool(made)


def _pause(stop: threading.Event) -> None:
    stop.wait(EVERY_S)
