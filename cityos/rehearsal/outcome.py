"""What the city made of a replay: what it refused of it, and what was proposed because of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cityos.domain.occasion import Exercise
from cityos.domain.proposal import Proposal, ProposalState
from cityos.ports import CityReader, Clock, OrderBook

_PAGE: Final = 500
_MOST_PAGES: Final = 20
_LOOK_S: Final = 0.5
_QUIET_S: Final = 2.0
"""So long nothing new has come: the city has caught up. Stored and proposed is within a second."""
_LONGEST_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``refused`` counts dead letters by reason, ``proposals`` what the services proposed.

    ``superseded`` of the proposals gave way to later ones before anybody decided.
    ``has_alerts`` and ``has_readings``: there is something to see without a key.
    """

    refused: Counter[str] = field(default_factory=Counter)
    proposals: int = 0
    superseded: int = 0
    has_alerts: bool = False
    has_readings: bool = False


class Outcomes:
    """Looks at what came of ``run`` since ``since``."""

    def __init__(
        self, tenant: str, run: str, *, since: datetime, city: CityReader, orders: OrderBook
    ) -> None:
        self._tenant = tenant
        self._exercise = Exercise(run)
        self._since = since
        self._city = city
        self._orders = orders

    def settled(self, clock: Clock, stop: threading.Event) -> Outcome:
        """Return the outcome once it has stood still for a moment, or as it is after a while.

        Raises:
            Unavailable: the store went away.
        """
        begun_s = moved_s = clock.monotonic_s()
        found = self.look()
        while not stop.wait(_LOOK_S):
            now_s = clock.monotonic_s()
            if now_s - moved_s >= _QUIET_S or now_s - begun_s >= _LONGEST_S:
                break
            before, found = found, self.look()
            if found != before:
                moved_s = now_s
        return found

    def look(self) -> Outcome:
        """Return what there is now."""
        run, tenant = self._exercise.run, self._tenant
        proposals = [one for one in self._proposals() if one.occasion == self._exercise]
        latest = self._city.latest(tenant, dataset=self._exercise.dataset, limit=1)
        return Outcome(
            refused=self._refused(),
            proposals=len(proposals),
            superseded=sum(one.state is ProposalState.SUPERSEDED for one in proposals),
            has_alerts=bool(self._orders.alerts(tenant, status="Exercise", run=run, limit=1)),
            has_readings=bool(latest),
        )

    def _proposals(self) -> Iterator[Proposal]:
        """Yield the proposals of all exercises since this one began."""
        before: tuple[datetime, int, str] | None = None
        for _ in range(_MOST_PAGES):
            page = self._orders.proposals(
                self._tenant, status="Exercise", before=before, limit=_PAGE
            )
            for proposal in page:
                if proposal.created_at < self._since:
                    return
                yield proposal
            if len(page) < _PAGE:
                return
            before = (page[-1].created_at, page[-1].revision, page[-1].id)

    def _refused(self) -> Counter[str]:
        found: Counter[str] = Counter()
        before: int | None = None
        for _ in range(_MOST_PAGES):
            page = self._city.dead_letters(self._tenant, before=before, limit=_PAGE)
            for kept in page:
                if kept.letter.received_at < self._since:
                    return found
                if kept.letter.topic.endswith(f"/exercise/{self._exercise.run}"):
                    found[kept.letter.reason] += 1
            if len(page) < _PAGE:
                break
            before = page[-1].id
        return found
