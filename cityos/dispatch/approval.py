"""In an exercise that says so, proposals approve themselves; for real, never (design rule P11).

Everything here takes ``Exercise``. There is no way to hand it an ``Actual``: the type checker
refuses, and the proposal that is approved is looked up by the store on its own occasion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final

import structlog

from cityos.domain.occasion import Exercise
from cityos.domain.proposal import Issuer, ProposalState
from cityos.errors import Conflict
from cityos.ports import Clock, OrderBook

BY: Final = "exercise"
_LEFT_OVER_LIMIT: Final = 1_000

_log = structlog.get_logger(__name__)


class ExerciseApproval:
    """Approves the proposals of the exercises whose run matches one of ``runs``.

    ``runs`` are names or shell patterns (``practice``, ``drill-*``, ``*``); ``issuer_of`` tells
    who signs for a tenant, ``tenants`` which there are.
    """

    def __init__(
        self,
        order_book: OrderBook,
        *,
        runs: Sequence[str],
        issuer_of: Callable[[str], Issuer],
        tenants: Callable[[], Iterable[str]],
        clock: Clock,
    ) -> None:
        self._order_book = order_book
        self._runs = tuple(runs)
        self._issuer_of = issuer_of
        self._tenants = tenants
        self._clock = clock

    def covers(self, exercise: Exercise) -> bool:
        return any(fnmatchcase(exercise.run, pattern) for pattern in self._runs)

    def approve(self, tenant: str, exercise: Exercise, proposal_id: str) -> bool:
        """Approve the proposal if its exercise is one of ours; say whether that was done.

        Raises Unavailable.
        """
        if not self.covers(exercise):
            return False
        try:
            self._order_book.approve(
                tenant,
                proposal_id,
                issuer=self._issuer_of(tenant),
                by=BY,
                note=f"approved without a person: exercise {exercise.run}",
                now=self._clock.now(),
            )
        except Conflict as conflict:  # a person, or another process, was faster
            _log.info("an exercise's proposal stays as it is", reason=str(conflict))
            return False
        return True

    def approve_left_over(self) -> int:
        """Approve what an earlier process proposed and had no time to approve; oldest first.

        Raises Unavailable.
        """
        approved = 0
        for tenant in self._tenants():
            pending = self._order_book.proposals(
                tenant, state=ProposalState.PENDING, status="Exercise", limit=_LEFT_OVER_LIMIT
            )
            for proposal in reversed(pending):
                if isinstance(proposal.occasion, Exercise):
                    approved += self.approve(tenant, proposal.occasion, proposal.id)
        return approved
