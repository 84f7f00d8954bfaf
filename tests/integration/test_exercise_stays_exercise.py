"""No path of state changes turns an Exercise into an Actual (promise P8).

A machine of all that can happen to proposals and alerts, in any order, on a real database; and
the database's own refusal, should the code above it ever be wrong.
"""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar, get_type_hints

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from prometheus_client import CollectorRegistry

from cityos.dispatch.approval import ExerciseApproval
from cityos.dispatch.dispatcher import Consumer, Dispatcher
from cityos.dispatch.metrics import DispatchMetrics
from cityos.domain.alert import ActualAlert, AlertArea, ExerciseAlert
from cityos.domain.alert_level import AlertLevel
from cityos.domain.event import AlertReceived, Event
from cityos.domain.occasion import Actual, Exercise, Occasion
from cityos.domain.proposal import Assessment, ProposalState
from cityos.errors import Conflict, NotFound
from cityos.plugins.contract import CityView
from cityos.testing import builders as a
from tests.alert_path import ISSUER, AlertPath

KEY = "flood/x"
"""One situation for all: whatever could get mixed up is given every chance to."""
OCCASIONS: tuple[Occasion, ...] = (Actual(), Exercise("drill"), Exercise("other"))
LEVELS = (AlertLevel.ELDERLY_EVACUATE, AlertLevel.EVACUATE, AlertLevel.NONE)


class Echo:
    """Proposes for the reading's situation, and names the area after the occasion."""

    def react(self, event: Event, city: CityView) -> list[Assessment]:
        if isinstance(event, AlertReceived):
            return []
        del city
        level = AlertLevel(int(event.reading.value))  # type: ignore[arg-type]
        area = AlertArea(name=a.name(repr(event.occasion)))
        return [a.assessment(event.reading.entity, level, event.at, area=area)]


class Town(RuleBasedStateMachine):
    """One town. ``city`` is set before it runs; every example starts with empty tables."""

    city: ClassVar[AlertPath]
    types_seen: ClassVar[set[tuple[str, str]]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.city.execute("TRUNCATE event, outbox, proposal, situation, alert")
        self.minute = 0
        self.approving = self._dispatcher(["drill"])
        self.waiting = self._dispatcher([])

    def _dispatcher(self, runs: list[str]) -> Dispatcher:
        return Dispatcher(
            self.city.queue(),
            {"echo": Consumer(Echo(), frozenset({"water_level"}), alerts=True)},
            clock=self.city.clock,
            metrics=DispatchMetrics(CollectorRegistry()),
            approval=ExerciseApproval(
                self.city.orders,
                runs=runs,
                issuer_of=lambda _tenant: ISSUER,
                tenants=lambda: ["town"],
                clock=self.city.clock,
            ),
        )

    @rule(
        occasion=st.sampled_from(OCCASIONS),
        course=st.lists(st.sampled_from(LEVELS), min_size=1, max_size=3),
        approving=st.booleans(),
        approve=st.booleans(),
    )
    def a_river_rises(
        self, occasion: Occasion, course: list[AlertLevel], approving: bool, approve: bool
    ) -> None:
        for level in course:
            self.minute += 1
            self.city.clock.advance(60)
            at = a.NOON + a.minutes(self.minute)
            self.city.happen(a.reading(KEY, "water_level", float(level), at), occasion=occasion)
        dispatcher = self.approving if approving else self.waiting
        while dispatcher.step():
            pass
        pending = self.city.orders.proposals("town", state=ProposalState.PENDING)
        for proposal in pending if approve else ():
            self.city.approve(proposal)

    @rule(pick=st.integers(0, 2))
    def reject(self, pick: int) -> None:
        waiting = self.city.orders.proposals("town", state=ProposalState.PENDING)
        for proposal in waiting[pick : pick + 1]:
            self.city.orders.reject(
                "town", proposal.id, by="k", note="", now=self.city.clock.now()
            )

    @rule(pick=st.integers(0, 9))
    def approve_what_is_over(self, pick: int) -> None:
        for proposal in self.city.orders.proposals("town")[pick : pick + 1]:
            if proposal.state is not ProposalState.PENDING:
                with pytest.raises(Conflict):
                    self.city.approve(proposal)

    @rule(pick=st.integers(0, 2), status=st.sampled_from(["Actual", "Exercise"]))
    def end_an_order(self, pick: int, status: str) -> None:
        self.city.clock.advance(60)
        now = self.city.clock.now()
        standing = self.city.orders.alerts("town", status=status, in_force_at=now)
        for alert in standing[pick : pick + 1]:
            cancel = self.city.orders.cancel(
                "town", alert.identifier, issuer=ISSUER, by="k", reason="r", now=now
            )
            assert cancel.occasion == alert.occasion

    @rule(pick=st.integers(0, 2))
    def have_assessed_again(self, pick: int) -> None:
        now = self.city.clock.now()
        decided = self.city.orders.proposals("town", reassessable_at=now)
        for proposal in decided[pick : pick + 1]:
            self.city.orders.reassess("town", proposal.id, by="k", reason="r", now=now)

    @rule(exercise=st.sampled_from([each for each in OCCASIONS if isinstance(each, Exercise)]))
    def end_an_exercise(self, exercise: Exercise) -> None:
        now = self.city.clock.now()
        others = self._open_but_of(exercise)
        with suppress(NotFound):
            self.city.orders.end_exercise(
                "town", exercise, issuer=ISSUER, by="k", reason="r", now=now
            )
        assert self._open_but_of(exercise) == others
        assert exercise.run not in {
            one.run for one in self.city.orders.open_exercises("town", now)
        }

    def _open_but_of(self, exercise: Exercise) -> list[object]:
        """The situations of all other occasions, and the proposals that wait there."""
        return [
            self.city.rows("SELECT * FROM situation WHERE run <> %s ORDER BY run", exercise.run),
            self.city.rows("SELECT * FROM proposal WHERE run <> %s ORDER BY id", exercise.run),
        ]

    @rule(hours=st.sampled_from([1, 30]))
    def time_passes(self, hours: int) -> None:
        self.city.clock.advance(hours * 3600)

    @invariant()
    def alerts_are_of_the_occasion_that_led_to_them(self) -> None:
        for status, kind in (("Actual", ActualAlert), ("Exercise", ExerciseAlert)):
            known = {
                alert.identifier: alert for alert in self.city.orders.alerts("town", status=status)
            }
            for alert in known.values():
                self.types_seen.add((status, alert.message_type.value))
                assert type(alert) is kind
                assert repr(alert.occasion) == alert.infos[0].areas[0].name.en
                for reference in alert.references:
                    assert known[reference.identifier].occasion == alert.occasion

    @invariant()
    def a_proposal_and_its_alert_are_of_one_occasion(self) -> None:
        for proposal in self.city.orders.proposals("town"):
            assert proposal.assessment.area.name.en == repr(proposal.occasion)
            if proposal.alert_identifier:
                alert = self.city.orders.alert("town", proposal.alert_identifier)
                assert alert.occasion == proposal.occasion

    @invariant()
    def only_a_person_approves_for_real(self) -> None:
        for proposal in self.city.orders.proposals("town", status="Actual"):
            assert proposal.decided_by in {"", "key-1", "k"}


def test_no_path_of_state_changes_turns_an_exercise_into_an_actual(city: AlertPath) -> None:
    Town.city = city
    Town.types_seen.clear()
    run_state_machine_as_test(
        Town,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    # the machine has been everywhere that matters, or it has shown nothing
    both = {(status, kind) for status in ("Actual", "Exercise") for kind in ("Alert", "Update")}
    assert Town.types_seen >= both | {("Actual", "Cancel"), ("Exercise", "Cancel")}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alert SET status = 'Actual'",
        "UPDATE alert SET status = 'Actual', run = ''",
        "UPDATE proposal SET status = 'Actual', run = ''",
        "UPDATE situation SET status = 'Actual', run = ''",
        "UPDATE outbox SET status = 'Actual', run = ''",
        "UPDATE situation SET run = 'other'",
    ],
)
def test_the_database_refuses_too(city: AlertPath, statement: str) -> None:
    proposal = city.propose(a.assessment("flood/x"), occasion=Exercise("drill"))
    assert proposal is not None
    city.approve(proposal)
    with pytest.raises(psycopg.IntegrityError):
        city.execute(statement)


@pytest.mark.parametrize("method", ["covers", "approve"])
def test_what_approves_by_itself_takes_an_exercise_and_nothing_else(method: str) -> None:
    """The type checker holds every caller to it; a wider type here would let an Actual in."""
    assert get_type_hints(getattr(ExerciseApproval, method))["exercise"] is Exercise
