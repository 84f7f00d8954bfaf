"""An order whose situation still stands does not lapse in silence: somebody is asked in time."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from cityos.dispatch.approval import ExerciseApproval
from cityos.dispatch.metrics import DispatchMetrics
from cityos.dispatch.renewal import RenewalRound
from cityos.domain.alert import Alert, MessageType
from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import ORDER_VALID_FOR, RENEW_BEFORE, Proposal, ProposalState
from cityos.storage.renewals import PostgresRenewals
from cityos.testing import builders as a
from tests.alert_path import ISSUER, AlertPath

HOUR_S = 3600.0
DRILL = Exercise("drill")


def ordered(city: AlertPath, **rest: Any) -> Alert:
    """Level 4 is in force."""
    return city.approve(city.proposed(**rest))


def due(city: AlertPath) -> list[Proposal]:
    return [one for _, one in PostgresRenewals(city.database).propose_due(city.clock.now())]


def pending(city: AlertPath, status: str | None = None) -> list[Proposal]:
    return list(city.orders.proposals("town", state=ProposalState.PENDING, status=status))


def reject(city: AlertPath, proposal: Proposal) -> None:
    city.orders.reject("town", proposal.id, by="key", note="", now=city.clock.now())


def test_nobody_is_asked_before_it_is_time(city: AlertPath) -> None:
    ordered(city)
    city.clock.advance(19 * HOUR_S)
    assert due(city) == []
    city.clock.advance((ORDER_VALID_FOR - RENEW_BEFORE).total_seconds() - 19 * HOUR_S - 1)
    assert due(city) == []
    city.clock.advance(1)
    assert len(due(city)) == 1


def test_an_order_about_to_lapse_is_proposed_again_once(city: AlertPath) -> None:
    alert = ordered(city)
    (first,) = city.orders.proposals("town")
    city.clock.advance(20.5 * HOUR_S)
    (renewal,) = due(city)
    assert due(city) == []
    assert pending(city) == [renewal]
    assert (renewal.revision, renewal.created_at) == (first.revision + 1, city.clock.now())
    said, before = renewal.assessment, first.assessment
    assert (said.level, said.at) == (AlertLevel.EVACUATE, city.clock.now())
    assert (said.area, said.evidence, said.headline) == (
        before.area,
        before.evidence,
        before.headline,
    )
    # noon UTC is 21:00 in Japan
    assert said.reason.en == (
        "The order in force expires at 21:00 JST and has to be renewed or lifted. reason"
    )
    assert said.reason.ja == (
        "発令中の避難情報は21:00（日本時間）に期限を迎えます。継続するか判断してください。reason"
    )
    assert city.rows("SELECT level, revision, in_force FROM situation") == [
        (4, renewal.revision, alert.identifier)
    ]


def test_an_approved_renewal_is_an_update_that_lasts_another_day(city: AlertPath) -> None:
    alert = ordered(city)
    city.clock.advance(20.5 * HOUR_S)
    update = city.approve(due(city)[0])
    assert update.message_type is MessageType.UPDATE
    assert update.references == (alert.reference,)
    assert update.infos[0].expires == city.clock.now() + ORDER_VALID_FOR
    # the question to the official is not for the public
    assert update.infos[0].description == alert.infos[0].description
    later = alert.sent + ORDER_VALID_FOR + timedelta(hours=1)
    assert city.orders.alerts("town", in_force_at=later) == [update]
    assert due(city) == []


def test_an_order_is_renewed_as_often_as_needed_and_its_reason_does_not_grow(
    city: AlertPath,
) -> None:
    first = ordered(city)
    for _ in range(2):
        city.clock.advance(20.5 * HOUR_S)
        (renewal,) = due(city)
        assert renewal.assessment.reason.en.count("JST") == 1
        last = city.approve(renewal)
    assert last.infos[0].description == first.infos[0].description
    assert [one.message_type.value for one in city.orders.alerts("town")] == [
        "Update",
        "Update",
        "Alert",
    ]


def test_a_rejected_renewal_is_not_proposed_again_for_the_same_expiry(city: AlertPath) -> None:
    ordered(city)
    city.clock.advance(20.5 * HOUR_S)
    reject(city, due(city)[0])
    for _ in range(5):
        assert due(city) == []
        city.clock.advance(HOUR_S)
    assert pending(city) == []


def test_a_renewal_makes_the_service_repeat_nothing(city: AlertPath) -> None:
    ordered(city)
    city.clock.advance(20.5 * HOUR_S)
    (renewal,) = due(city)
    first = a.assessment("flood/x", AlertLevel.EVACUATE, evidence=(a.evidence(),))
    assert city.propose(first) is None
    assert pending(city) == [renewal]
    reject(city, renewal)
    assert city.propose(first) is None


def test_a_new_assessment_takes_the_place_of_a_renewal(city: AlertPath) -> None:
    ordered(city)
    city.clock.advance(20.5 * HOUR_S)
    (renewal,) = due(city)
    higher = city.proposed(AlertLevel.EMERGENCY_SAFETY)
    assert pending(city) == [higher]
    assert due(city) == []
    assert city.orders.proposal("town", renewal.id).state is ProposalState.SUPERSEDED
    reject(city, higher)  # level 4 stays in force, and nobody has decided on its end
    (again,) = due(city)
    assert again.assessment.level is AlertLevel.EVACUATE
    assert again.revision == higher.revision + 1


def test_what_waits_for_a_decision_is_not_asked_twice(city: AlertPath) -> None:
    ordered(city)
    higher = city.proposed(AlertLevel.EMERGENCY_SAFETY)
    city.clock.advance(20.5 * HOUR_S)
    assert due(city) == []
    assert pending(city) == [higher]


@pytest.mark.parametrize("decided", [False, True])
def test_a_situation_that_is_to_stand_down_is_not_renewed(city: AlertPath, decided: bool) -> None:
    ordered(city)
    lifting = city.proposed(AlertLevel.NONE)
    if decided:
        reject(city, lifting)
    city.clock.advance(20.5 * HOUR_S)
    assert due(city) == []


def test_what_was_never_ordered_or_was_lifted_is_not_renewed(city: AlertPath) -> None:
    reject(city, city.proposed())
    city.clock.advance(20.5 * HOUR_S)
    assert due(city) == []
    ordered(city, occasion=DRILL)
    city.approve(city.proposed(AlertLevel.NONE, occasion=DRILL))
    city.clock.advance(20.5 * HOUR_S)
    assert due(city) == []


def test_an_order_that_lapsed_while_nobody_looked_is_asked_about(city: AlertPath) -> None:
    ordered(city)
    city.clock.advance(ORDER_VALID_FOR.total_seconds() + HOUR_S)
    (renewal,) = due(city)
    assert renewal.assessment.reason.en.startswith("The order expired at 21:00 JST and has to be")
    assert renewal.assessment.reason.ja.startswith("避難情報は21:00（日本時間）に期限を過ぎました")
    assert city.approve(renewal).message_type is MessageType.UPDATE


def test_an_order_that_lapsed_long_ago_stays_in_peace(city: AlertPath) -> None:
    ordered(city)
    city.clock.advance(2 * ORDER_VALID_FOR.total_seconds())
    assert due(city) == []


def test_exercises_and_the_real_thing_are_renewed_apart(city: AlertPath) -> None:
    drill = ordered(city, occasion=DRILL)
    city.clock.advance(2 * HOUR_S)
    real = ordered(city)
    city.clock.advance(18.5 * HOUR_S)
    (of_drill,) = due(city)
    assert of_drill.occasion == DRILL
    city.clock.advance(2 * HOUR_S)
    (of_real,) = due(city)
    assert pending(city, "Actual") == [of_real]
    assert pending(city, "Exercise") == [of_drill]
    update = city.approve(of_drill)
    assert (update.status, update.references) == ("Exercise", (drill.reference,))
    assert city.orders.alerts("town", in_force_at=city.clock.now()) == [real]


def test_of_two_dispatchers_one_proposes(city: AlertPath) -> None:
    ordered(city)
    city.clock.advance(20.5 * HOUR_S)
    together = threading.Barrier(2)
    made: list[Proposal] = []

    def look() -> None:
        together.wait()
        made.extend(due(city))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pending(city) == made
    assert len(made) == 1


def test_an_exercise_that_approves_itself_renews_itself_and_the_real_one_waits(
    city: AlertPath,
) -> None:
    drill, real = ordered(city, occasion=DRILL), ordered(city)
    city.clock.advance(20.5 * HOUR_S)
    registry = CollectorRegistry()
    renewals = RenewalRound(
        PostgresRenewals(city.database),
        clock=city.clock,
        metrics=DispatchMetrics(registry),
        approval=ExerciseApproval(
            city.orders,
            runs=["*"],
            issuer_of=lambda _tenant: ISSUER,
            tenants=lambda: ["town"],
            clock=city.clock,
        ),
    )
    assert renewals.step() is True
    assert renewals.step() is False
    (update, _) = city.orders.alerts("town", status="Exercise")
    assert update.references == (drill.reference,)
    assert city.orders.alerts("town") == [real]
    assert [one.occasion.status for one in pending(city)] == ["Actual"]
    assert registry.get_sample_value("cityos_exercise_approvals_total") == 1
