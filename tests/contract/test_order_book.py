"""What every OrderBook does: a person decides once, and the chain of alerts follows."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

import pytest

from cityos.domain.alert import ActualAlert, ExerciseAlert, MessageType
from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Actual, Exercise
from cityos.domain.proposal import ORDER_VALID_FOR, Proposal, ProposalState
from cityos.errors import Conflict, NotFound
from cityos.testing import builders as a
from tests.alert_path import CHANNELS, ISSUER, AlertPath


def test_an_approved_proposal_becomes_an_alert_in_force(city: AlertPath) -> None:
    proposal = city.proposed()
    city.clock.advance(60)
    alert = city.orders.approve(
        "town", proposal.id, issuer=ISSUER, by="key-7", note="seen", now=city.clock.now()
    )
    assert isinstance(alert, ActualAlert)
    assert alert.message_type is MessageType.ALERT
    assert alert.identifier.startswith("urn:cityos:town:")
    assert alert.sent == city.clock.now()
    assert city.orders.alert("town", alert.identifier) == alert
    decided = city.orders.proposal("town", proposal.id)
    assert decided.state is ProposalState.APPROVED
    assert (decided.decided_by, decided.decision_note) == ("key-7", "seen")
    assert decided.decided_at == city.clock.now()
    assert decided.alert_identifier == alert.identifier
    assert city.orders.alerts("town", in_force_at=city.clock.now()) == [alert]
    assert city.rows("SELECT in_force FROM situation") == [(alert.identifier,)]
    outbox = city.rows("SELECT channel, identifier, situation FROM outbox ORDER BY channel")
    assert outbox == [(channel, alert.identifier, "flood/x") for channel in CHANNELS]


def test_the_chain_is_alert_update_cancel_and_closes_the_situation(city: AlertPath) -> None:
    chain = []
    for level in (AlertLevel.ELDERLY_EVACUATE, AlertLevel.EVACUATE, AlertLevel.NONE):
        chain.append(city.approve(city.proposed(level)))
        city.clock.advance(60)
    alert, update, cancel = chain
    assert [one.message_type.value for one in chain] == ["Alert", "Update", "Cancel"]
    assert update.references == (alert.reference,)
    assert cancel.references == (update.reference,)
    assert city.rows("SELECT * FROM situation") == []
    assert city.orders.alerts("town") == [cancel, update, alert]
    assert city.orders.alerts("town", in_force_at=city.clock.now()) == []
    assert city.orders.alerts("town", in_force_at=update.sent) == [update]
    assert city.orders.alerts("town", in_force_at=alert.sent) == [alert]


def test_the_next_flood_starts_a_new_chain(city: AlertPath) -> None:
    for level in (AlertLevel.EVACUATE, AlertLevel.NONE, AlertLevel.EVACUATE):
        last = city.approve(city.proposed(level))
        city.clock.advance(60)
    assert last.message_type is MessageType.ALERT
    assert last.references == ()


def test_an_order_ends_by_itself(city: AlertPath) -> None:
    alert = city.approve(city.proposed())
    assert city.orders.alerts("town", in_force_at=alert.sent + ORDER_VALID_FOR) == []


def test_a_rejected_proposal_stays_rejected_and_the_service_is_not_asked_again(
    city: AlertPath,
) -> None:
    proposal = city.proposed()
    rejected = city.orders.reject(
        "town", proposal.id, by="key-7", note="gauge is broken", now=city.clock.now()
    )
    assert rejected.state is ProposalState.REJECTED
    assert rejected.decision_note == "gauge is broken"
    assert city.rows("SELECT level FROM situation") == [(4,)]
    assert city.propose(a.assessment("flood/x", AlertLevel.EVACUATE)) is None
    assert city.orders.alerts("town") == []
    assert city.rows("SELECT * FROM outbox") == []


def test_rejecting_an_update_leaves_the_order_in_force(city: AlertPath) -> None:
    alert = city.approve(city.proposed(AlertLevel.ELDERLY_EVACUATE))
    update = city.proposed(AlertLevel.EVACUATE)
    city.orders.reject("town", update.id, by="k", note="", now=city.clock.now())
    assert city.orders.alerts("town", in_force_at=city.clock.now()) == [alert]


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("then", ["approve", "reject"])
def test_a_proposal_is_decided_once(city: AlertPath, first: str, then: str) -> None:
    proposal = city.proposed()
    _decide(city, first, proposal)
    with pytest.raises(Conflict, match=r"approved already|rejected already"):
        _decide(city, then, proposal)
    assert len(city.orders.alerts("town")) == (first == "approve")


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_an_older_proposal_says_that_a_newer_one_is_there(city: AlertPath, decision: str) -> None:
    old = city.proposed(AlertLevel.ELDERLY_EVACUATE)
    new = city.proposed(AlertLevel.EVACUATE)
    with pytest.raises(Conflict, match="a newer assessment"):
        _decide(city, decision, old)
    assert city.orders.proposal("town", new.id).state is ProposalState.PENDING


def test_a_proposal_whose_situation_has_closed_cannot_be_approved(city: AlertPath) -> None:
    proposal = city.proposed()
    city.propose(a.assessment("flood/x", AlertLevel.NONE))
    with pytest.raises(Conflict, match="a newer assessment"):
        city.approve(proposal)


def test_of_two_officials_one_decides(city: AlertPath) -> None:
    proposal = city.proposed()
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def decide(how: str) -> None:
        together.wait()
        try:
            _decide(city, how, proposal)
            outcomes.append(how)
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=decide, args=(how,)) for how in ("approve", "reject")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("conflict") == 1
    assert len(city.orders.alerts("town")) == outcomes.count("approve")


def test_an_update_is_never_older_than_what_it_refers_to(city: AlertPath) -> None:
    alert = city.approve(city.proposed(AlertLevel.ELDERLY_EVACUATE))
    city.clock.advance(-3600)  # the server's clock was set back
    update = city.approve(city.proposed(AlertLevel.EVACUATE))
    assert update.sent > alert.sent
    assert city.orders.alerts("town") == [update, alert]


def test_another_citys_proposals_and_alerts_do_not_exist_here(city: AlertPath) -> None:
    city.add_tenant("village")
    proposal = city.proposed()
    for call in (
        lambda: city.orders.proposal("village", proposal.id),
        lambda: city.approve(proposal, tenant="village"),
        lambda: city.orders.reject("village", proposal.id, by="", note="", now=a.NOON),
    ):
        with pytest.raises(NotFound):
            call()
    alert = city.approve(proposal)
    with pytest.raises(NotFound):
        city.orders.alert("village", alert.identifier)
    assert city.orders.alerts("village") == []
    assert city.orders.proposals("village") == []


@pytest.mark.parametrize("strange", ["", "nothing", "a\0b", "' OR 1=1 --", "x" * 10_000])
def test_what_does_not_exist_is_not_found(city: AlertPath, strange: str) -> None:
    with pytest.raises(NotFound):
        city.orders.proposal("town", strange)
    with pytest.raises(NotFound):
        city.orders.alert("town", strange)


def test_proposals_are_listed_newest_first_and_by_state(city: AlertPath) -> None:
    made = []
    for step in range(4):
        city.clock.advance(1)
        proposal = city.propose(a.assessment(f"flood/{step}"))
        assert proposal is not None
        made.append(proposal)
    city.approve(made[2])
    assert [one.id for one in city.orders.proposals("town")] == [one.id for one in made[::-1]]
    pending = city.orders.proposals("town", state=ProposalState.PENDING, limit=2)
    assert [one.id for one in pending] == [made[3].id, made[1].id]


def test_proposals_are_paged_without_gaps_or_repeats(city: AlertPath) -> None:
    for step in range(7):  # several of one moment: events of a batch
        city.clock.advance(step % 3)
        assert city.propose(a.assessment(f"flood/{step}")) is not None
    found: list[Proposal] = []
    while page := city.orders.proposals(
        "town",
        before=(found[-1].created_at, found[-1].revision, found[-1].id) if found else None,
        limit=2,
    ):
        found += page
    assert found == city.orders.proposals("town")
    assert len({one.id for one in found}) == len(found) == 7


def test_alerts_are_paged_without_gaps_or_repeats(city: AlertPath) -> None:
    for step in range(7):
        proposal = city.propose(a.assessment(f"flood/{step}"))
        assert proposal is not None
        city.approve(proposal)  # all in the same instant: the identifier breaks the tie
    everything = city.orders.alerts("town")
    assert len(everything) == 7
    paged: list[Any] = []
    before: tuple[datetime, str] | None = None
    while page := city.orders.alerts("town", before=before, limit=3):
        paged += page
        before = (page[-1].sent, page[-1].identifier)
    assert paged == everything


def test_ours_and_other_authorities_alerts_can_be_told_apart(city: AlertPath) -> None:
    theirs = a.alert("jma-1")
    city.hear(theirs)
    ours = city.approve(city.proposed())
    assert city.orders.alerts("town", ours=True) == [ours]
    assert city.orders.alerts("town", ours=False) == [theirs]
    assert len(city.orders.alerts("town")) == 2


def test_a_replayed_telegram_does_not_hide_the_real_one(city: AlertPath) -> None:
    telegram = a.bulletin("jma-1")
    real, replayed = telegram.on(Actual()), telegram.on(Exercise("drill"))
    city.hear(replayed)
    with pytest.raises(NotFound):
        city.orders.alert("town", "jma-1")
    city.hear(real)
    assert city.orders.alert("town", "jma-1") == real
    assert city.orders.alert("town", "jma-1.exercise.drill") == replayed
    assert city.orders.alerts("town", status="Exercise") == [replayed]


def test_exercises_are_not_among_the_actual_alerts(city: AlertPath) -> None:
    drill = city.approve(city.proposed(occasion=Exercise("drill")))
    real = city.approve(city.proposed())
    assert isinstance(drill, ExerciseAlert)
    assert city.orders.alerts("town") == [real]
    assert city.orders.alerts("town", status="Exercise") == [drill]
    assert city.orders.alerts("town", status="Test") == []


def _decide(city: AlertPath, how: str, proposal: Proposal) -> None:
    if how == "approve":
        city.approve(proposal)
    else:
        city.orders.reject("town", proposal.id, by="key", note="", now=city.clock.now())
