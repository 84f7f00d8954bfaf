"""What every OrderBook does when an official ends an order that no rule proposes to lift."""

from __future__ import annotations

import threading

import pytest

from cityos.domain.alert import ActualAlert, Alert, ExerciseAlert, MessageType
from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import ORDER_VALID_FOR, RENEW_BEFORE, Proposal, ProposalState
from cityos.errors import Conflict, NotFound
from cityos.storage.renewals import PostgresRenewals
from cityos.testing import builders as a
from tests.alert_path import CHANNELS, ISSUER, AlertPath


def end(
    city: AlertPath, alert: Alert, *, tenant: str = "town", reason: str = "a mistake"
) -> Alert:
    return city.orders.cancel(
        tenant, alert.identifier, issuer=ISSUER, by="key-7", reason=reason, now=city.clock.now()
    )


def pending(city: AlertPath) -> list[Proposal]:
    return list(city.orders.proposals("town", state=ProposalState.PENDING))


def test_an_official_ends_an_order_that_nobody_proposed_to_lift(city: AlertPath) -> None:
    alert = city.approve(city.proposed(AlertLevel.ELDERLY_EVACUATE))
    update = city.approve(city.proposed(AlertLevel.EVACUATE))
    city.clock.advance(60)
    cancel = end(city, update, reason="the gauge is broken")
    assert isinstance(cancel, ActualAlert)
    assert cancel.message_type is MessageType.CANCEL
    assert cancel.references == (update.reference,)
    assert (cancel.source, cancel.level) == (update.source, AlertLevel.NONE)
    (info,) = cancel.infos
    assert info.areas == update.infos[0].areas
    assert info.headline.en == "Lifted: level 4: evacuation order (flood): town"
    assert info.headline.ja == "【解除】警戒レベル4 避難指示：town（洪水）"
    assert info.description.ja == "町の判断により解除しました。"
    assert "gauge" not in str(cancel)  # the reason is for the record
    assert city.orders.alerts("town") == [cancel, update, alert]
    assert city.orders.alerts("town", in_force_at=city.clock.now()) == []
    assert city.rows("SELECT level, in_force FROM situation") == [(4, None)]
    waiting = city.rows("SELECT channel FROM outbox WHERE identifier = %s", cancel.identifier)
    assert sorted(waiting) == [(channel,) for channel in CHANNELS]
    kept = city.orders.proposals("town")[0]
    assert (kept.state, kept.decided_by) == (ProposalState.APPROVED, "key-7")
    assert (kept.decision_note, kept.decided_at) == ("the gauge is broken", city.clock.now())
    assert (kept.alert_identifier, kept.assessment.level) == (cancel.identifier, AlertLevel.NONE)
    assert info.parameters["proposal"] == kept.id


def test_an_order_is_ended_once(city: AlertPath) -> None:
    alert = city.approve(city.proposed(AlertLevel.ELDERLY_EVACUATE))
    update = city.approve(city.proposed(AlertLevel.EVACUATE))
    with pytest.raises(Conflict, match=f"{update.identifier} has taken its place"):
        end(city, alert)
    cancel = end(city, update)
    for ended in (alert, update):
        with pytest.raises(Conflict, match=f"ended already, by the Cancel {cancel.identifier}"):
            end(city, ended)
    with pytest.raises(Conflict, match="this is a Cancel"):
        end(city, cancel)
    assert city.orders.alerts("town") == [cancel, update, alert]


def test_what_has_been_lifted_or_has_expired_cannot_be_ended(city: AlertPath) -> None:
    alert = city.approve(city.proposed())
    city.clock.advance(ORDER_VALID_FOR.total_seconds())
    with pytest.raises(Conflict, match="it expired at 2026-09-02T12:00"):
        end(city, alert)
    city.approve(city.proposed(AlertLevel.NONE))
    with pytest.raises(Conflict, match="ended already"):
        end(city, alert)


def test_only_this_citys_orders_can_be_ended(city: AlertPath) -> None:
    city.add_tenant("village")
    theirs, ours = a.alert("jma-1"), city.approve(city.proposed())
    city.hear(theirs)
    with pytest.raises(Conflict, match=r"only its sender, authority\.example\.jp"):
        end(city, theirs)
    with pytest.raises(NotFound):
        end(city, ours, tenant="village")
    for strange in ("", "nothing", "a\0b"):
        with pytest.raises(NotFound):
            end(city, a.alert(strange))
    assert city.orders.alerts("town", ours=True) == [ours]


def test_an_exercise_is_ended_as_an_exercise_and_the_real_order_stands(city: AlertPath) -> None:
    drill = city.approve(city.proposed(occasion=Exercise("drill")))
    real = city.approve(city.proposed())
    cancel = end(city, drill)
    assert isinstance(cancel, ExerciseAlert)
    assert (cancel.run, cancel.references) == ("drill", (drill.reference,))
    assert cancel.infos[0].headline.ja.startswith("【訓練】【解除】")
    assert city.orders.alerts("town", in_force_at=city.clock.now()) == [real]
    assert city.rows("SELECT status, in_force FROM situation ORDER BY status") == [
        ("Actual", real.identifier),
        ("Exercise", None),
    ]


def test_a_rejected_stand_down_does_not_keep_the_order(city: AlertPath) -> None:
    alert = city.approve(city.proposed())
    lifting = city.proposed(AlertLevel.NONE)
    city.orders.reject("town", lifting.id, by="k", note="not yet", now=city.clock.now())
    assert city.orders.alerts("town", in_force_at=city.clock.now()) == [alert]
    end(city, alert)
    assert city.rows("SELECT * FROM situation") == []
    assert city.proposed().revision == 4  # the water rises again: the usual course


@pytest.mark.parametrize("level", [AlertLevel.NONE, AlertLevel.ELDERLY_EVACUATE])
def test_what_waited_for_the_order_needs_no_decision_any_more(
    city: AlertPath, level: AlertLevel
) -> None:
    alert = city.approve(city.proposed())
    waiting = city.proposed(level)
    end(city, alert)
    assert city.orders.proposal("town", waiting.id).state is ProposalState.SUPERSEDED
    with pytest.raises(Conflict, match="a newer assessment"):
        city.approve(waiting)


def test_after_the_end_only_a_rise_is_proposed(city: AlertPath) -> None:
    end(city, city.approve(city.proposed()))
    for level in (AlertLevel.EVACUATE, AlertLevel.ELDERLY_EVACUATE, AlertLevel.ELDERLY_EVACUATE):
        same = a.assessment("flood/x", level, headline=a.name("in other words"))
        assert city.propose(same) is None
    assert city.rows("SELECT level, peak, in_force FROM situation") == [(3, 4, None)]
    again = city.proposed(AlertLevel.EVACUATE, headline=a.name("in other words"))
    assert pending(city) == [again]
    # and from there on everything takes its usual course
    alert = city.approve(again)
    assert (alert.message_type, alert.references) == (MessageType.ALERT, ())
    update = city.approve(city.proposed(AlertLevel.ELDERLY_EVACUATE))
    assert update.references == (alert.reference,)


def test_after_the_end_a_situation_that_is_over_closes_in_silence(city: AlertPath) -> None:
    end(city, city.approve(city.proposed()))
    assert city.propose(a.assessment("flood/x", AlertLevel.NONE)) is None
    assert city.rows("SELECT * FROM situation") == []
    assert city.approve(city.proposed()).message_type is MessageType.ALERT


def test_a_rise_that_was_proposed_before_the_end_still_waits(city: AlertPath) -> None:
    order = city.approve(city.proposed())
    rise = city.proposed(AlertLevel.EMERGENCY_SAFETY)
    end(city, order)
    assert pending(city) == [rise]
    in_new_words = city.proposed(AlertLevel.EMERGENCY_SAFETY, headline=a.name("in new words"))
    assert pending(city) == [in_new_words]
    alert = city.approve(in_new_words)
    assert (alert.message_type, alert.level) == (MessageType.ALERT, AlertLevel.EMERGENCY_SAFETY)


def test_a_proposed_rise_that_is_over_is_not_asked_about(city: AlertPath) -> None:
    order = city.approve(city.proposed())
    city.proposed(AlertLevel.EMERGENCY_SAFETY)
    end(city, order)
    assert city.propose(a.assessment("flood/x", AlertLevel.EVACUATE)) is None
    assert pending(city) == []


def test_an_order_given_on_a_rise_that_waited_is_lifted_as_usual(city: AlertPath) -> None:
    order = city.approve(city.proposed())
    rise = city.proposed(AlertLevel.EMERGENCY_SAFETY)
    end(city, order)
    alert = city.approve(rise)
    assert city.approve(city.proposed(AlertLevel.NONE)).references == (alert.reference,)


def test_of_two_officials_one_ends_the_order(city: AlertPath) -> None:
    alert = city.approve(city.proposed())
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def finish() -> None:
        together.wait()
        try:
            outcomes.append(end(city, alert).message_type.value)
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=finish) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Cancel", "conflict"]
    assert len(city.orders.alerts("town")) == 2


def test_the_end_is_never_older_than_the_order(city: AlertPath) -> None:
    alert = city.approve(city.proposed())
    city.clock.advance(-3600)  # the server's clock was set back
    assert end(city, alert).sent > alert.sent


def test_an_order_that_was_ended_is_not_renewed(city: AlertPath) -> None:
    renewals = PostgresRenewals(city.database)
    alert = city.approve(city.proposed())
    city.clock.advance((ORDER_VALID_FOR - RENEW_BEFORE).total_seconds())
    ((_, renewal),) = renewals.propose_due(city.clock.now())
    end(city, alert)
    assert city.orders.proposal("town", renewal.id).state is ProposalState.SUPERSEDED
    assert renewals.propose_due(city.clock.now()) == []
