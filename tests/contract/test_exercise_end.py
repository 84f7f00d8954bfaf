"""What every OrderBook does when an exercise ends."""

from __future__ import annotations

import pytest

from cityos.domain.alert import ExerciseAlert, MessageType
from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Name, Tenant
from cityos.domain.occasion import PRACTICE_RUN, Exercise
from cityos.domain.proposal import ORDER_VALID_FOR, ProposalState
from cityos.errors import Conflict, NotFound
from cityos.ports import ExerciseEnd, OpenExercise
from cityos.storage import exercises
from cityos.storage.registry import PostgresRegistry
from tests.alert_path import CHANNELS, ISSUER, AlertPath

DRILL, OTHER = Exercise("drill"), Exercise("other")


def end(city: AlertPath, exercise: Exercise = DRILL, tenant: str = "town") -> ExerciseEnd:
    return city.orders.end_exercise(
        tenant, exercise, issuer=ISSUER, by="key-7", reason="over", now=city.clock.now()
    )


def under_way(city: AlertPath) -> list[OpenExercise]:
    return list(city.orders.open_exercises("town", city.clock.now()))


def test_nothing_of_an_ended_exercise_waits_or_is_in_force(city: AlertPath) -> None:
    order = city.approve(city.proposed(occasion=DRILL))
    rise = city.proposed(AlertLevel.EMERGENCY_SAFETY, occasion=DRILL)
    waiting = city.proposed(key="flood/y", occasion=DRILL)
    rejected = city.proposed(key="flood/z", occasion=DRILL)
    city.orders.reject("town", rejected.id, by="k", note="n", now=city.clock.now())
    assert under_way(city) == [OpenExercise("drill", 2, 1)]
    city.clock.advance(60)

    closed = end(city)
    assert (closed.exercise, closed.superseded) == (DRILL, 2)
    (cancel,) = closed.cancels
    assert isinstance(cancel, ExerciseAlert)
    assert (cancel.message_type, cancel.run) == (MessageType.CANCEL, "drill")
    assert cancel.references == (order.reference,)
    assert cancel.infos[0].headline.ja.startswith("【訓練】【解除】")
    sent = city.rows("SELECT channel FROM outbox WHERE identifier = %s", cancel.identifier)
    assert sorted(sent) == [(channel,) for channel in CHANNELS]
    assert city.orders.alerts("town", status="Exercise", in_force_at=city.clock.now()) == []
    for proposal in (rise, waiting):
        kept = city.orders.proposal("town", proposal.id)
        assert kept.state is ProposalState.SUPERSEDED
        assert (kept.decided_by, kept.decision_note) == ("key-7", "over")
        assert kept.decided_at == city.clock.now()
        with pytest.raises(Conflict, match="its exercise was ended"):
            city.approve(proposal)
    assert city.orders.proposal("town", rejected.id).state is ProposalState.REJECTED
    (record,) = [
        one
        for one in city.orders.proposals("town", state=ProposalState.APPROVED)
        if one.alert_identifier == cancel.identifier
    ]
    assert (record.decided_by, record.decision_note) == ("key-7", "over")
    assert city.rows("SELECT * FROM situation") == []
    assert under_way(city) == []


def test_only_that_exercise_ends(city: AlertPath) -> None:
    city.add_tenant("village")
    for occasion in (None, DRILL, OTHER):
        city.approve(city.proposed(occasion=occasion))
        city.proposed(key="flood/y", occasion=occasion)
    city.proposed(occasion=DRILL, tenant="village")
    before = [
        city.orders.alerts("town"),
        city.orders.alerts("town", status="Exercise", run="other"),
    ]
    end(city)
    now = city.clock.now()
    after = [
        city.orders.alerts("town", in_force_at=now),
        city.orders.alerts("town", status="Exercise", run="other", in_force_at=now),
    ]
    assert after == before
    waiting = city.orders.proposals("town", state=ProposalState.PENDING)
    assert {one.occasion.run for one in waiting} == {"", "other"}
    assert len(city.orders.proposals("village", state=ProposalState.PENDING)) == 1


def test_a_second_end_finds_nothing(city: AlertPath) -> None:
    city.approve(city.proposed(occasion=DRILL))
    end(city)
    assert end(city) == ExerciseEnd(DRILL, 0, ())
    assert len(city.orders.alerts("town", status="Exercise")) == 2


def test_an_end_that_broke_off_is_gone_on_with(
    city: AlertPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("flood/1", "flood/2", "flood/3"):
        city.approve(city.proposed(key=key, occasion=DRILL))
    whole = exercises.end_one
    seen: list[object] = []

    def broken(*args: object, **rest: object) -> object:
        seen.append(args)
        if len(seen) == 2:
            raise ConnectionError
        return whole(*args, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(exercises, "end_one", broken)
    with pytest.raises(ConnectionError):
        end(city)
    assert under_way(city) == [OpenExercise("drill", 0, 2)]
    monkeypatch.undo()
    assert len(end(city).cancels) == 2
    cancels = [
        one
        for one in city.orders.alerts("town", status="Exercise")
        if one.message_type is MessageType.CANCEL
    ]
    assert len(cancels) == 3


def test_an_order_that_lapsed_is_not_cancelled_any_more(city: AlertPath) -> None:
    city.approve(city.proposed(occasion=DRILL))
    city.clock.advance(ORDER_VALID_FOR.total_seconds())
    assert under_way(city) == [OpenExercise("drill", 0, 0)]
    assert end(city).cancels == ()
    assert city.rows("SELECT * FROM situation") == []


def test_an_ended_exercise_may_begin_again(city: AlertPath) -> None:
    city.approve(city.proposed(occasion=DRILL))
    end(city)
    alert = city.approve(city.proposed(occasion=DRILL))
    assert (alert.message_type, alert.references) == (MessageType.ALERT, ())
    assert len(end(city).cancels) == 1


def test_an_exercise_that_never_was_is_not_found(city: AlertPath) -> None:
    city.add_tenant("village")
    city.proposed(occasion=DRILL)
    for exercise, tenant in (
        (OTHER, "town"),
        (DRILL, "village"),
        (Exercise(PRACTICE_RUN), "town"),
    ):
        with pytest.raises(NotFound, match=f"no exercise '{exercise.run}' in this city"):
            end(city, exercise, tenant)


def test_a_practice_city_is_an_exercise_that_always_is(city: AlertPath) -> None:
    city_in_practice = Tenant(id="school", name=Name("School", "学校"), practice=True)
    PostgresRegistry(city.database).put_tenant(city_in_practice)
    practice = Exercise(PRACTICE_RUN)
    assert end(city, practice, "school") == ExerciseEnd(practice, 0, ())
    city.proposed(occasion=practice, tenant="school")
    assert end(city, practice, "school").superseded == 1
    city.proposed(occasion=practice, tenant="school")  # and the practice goes on
