"""What every OrderBook does when an official takes back a rejection or the end of an order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from cityos.domain.alert import MessageType
from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import (
    ORDER_VALID_FOR,
    RENEW_BEFORE,
    Proposal,
    ProposalState,
    Reassessment,
)
from cityos.errors import Conflict, NotFound
from cityos.storage import orders
from cityos.storage.renewals import PostgresRenewals
from cityos.testing import builders as a
from tests.alert_path import ISSUER, AlertPath


def again(city: AlertPath, proposal: Proposal, tenant: str = "town") -> Proposal:
    return city.orders.reassess(
        tenant, proposal.id, by="key-7", reason="a mistake", now=city.clock.now()
    )


def rejected(city: AlertPath, proposal: Proposal) -> Proposal:
    return city.orders.reject("town", proposal.id, by="key-1", note="no", now=city.clock.now())


def ended(city: AlertPath, proposal: Proposal) -> Proposal:
    """Approve it and end its order; return the end as it is on record."""
    order, now = city.approve(proposal), city.clock.now()
    city.orders.cancel("town", order.identifier, issuer=ISSUER, by="k", reason="r", now=now)
    return city.orders.proposals("town")[0]


def reassessable(city: AlertPath) -> list[Proposal]:
    return list(city.orders.proposals("town", reassessable_at=city.clock.now()))


@pytest.mark.parametrize("decided", [rejected, ended])
def test_what_was_decided_by_mistake_is_proposed_again(
    city: AlertPath, decided: Callable[[AlertPath, Proposal], Proposal]
) -> None:
    last = decided(city, city.proposed())
    assert city.propose(a.assessment("flood/x")) is None  # never by itself
    assert reassessable(city) == [last]
    city.clock.advance(60)
    kept = again(city, last)
    assert kept.reassessment == Reassessment(city.clock.now(), "key-7", "a mistake")
    assert (kept.state, kept.decided_by, kept.decision_note) == (
        last.state,
        last.decided_by,
        last.decision_note,
    )
    assert city.orders.proposal("town", last.id) == kept
    assert reassessable(city) == []
    new = city.proposed()  # the very same level, in the same words
    assert (new.state, new.reassessment) == (ProposalState.PENDING, None)
    assert new.revision > last.revision
    assert city.approve(new).message_type is MessageType.ALERT


def test_a_lower_level_is_proposed_too_if_that_is_what_stands(city: AlertPath) -> None:
    again(city, ended(city, city.proposed(AlertLevel.EVACUATE)))
    assert city.proposed(AlertLevel.ELDERLY_EVACUATE).state is ProposalState.PENDING


def test_it_is_asked_once(city: AlertPath) -> None:
    last = rejected(city, city.proposed())
    again(city, last)
    with pytest.raises(Conflict, match="stands at no level, and a rise is proposed by itself"):
        again(city, last)
    assert city.orders.proposal("town", last.id).reassessment is not None
    new = city.proposed()
    with pytest.raises(Conflict, match=f"the proposal {new.id} of its situation waits"):
        again(city, last)
    rejected(city, new)
    with pytest.raises(Conflict, match=f"a later proposal of its situation, {new.id}, was"):
        again(city, last)
    again(city, new)


def test_what_waits_or_is_in_force_is_decided_first(city: AlertPath) -> None:
    proposal = city.proposed()
    with pytest.raises(Conflict, match="it waits for a decision"):
        again(city, proposal)
    order = city.approve(proposal)
    with pytest.raises(Conflict, match=f"the order {order.identifier} is in force"):
        again(city, proposal)
    rise = rejected(city, city.proposed(AlertLevel.EMERGENCY_SAFETY))
    with pytest.raises(Conflict, match="is in force, and has to be ended first"):
        again(city, rise)
    assert reassessable(city) == []
    assert city.rows("SELECT level, in_force FROM situation") == [(5, order.identifier)]


def test_an_order_that_lapsed_is_in_force_no_more(city: AlertPath) -> None:
    order = city.approve(city.proposed())
    city.clock.advance((ORDER_VALID_FOR - RENEW_BEFORE).total_seconds())
    ((_, renewal),) = PostgresRenewals(city.database).propose_due(city.clock.now())
    last = rejected(city, renewal)
    with pytest.raises(Conflict, match="in force"):
        again(city, last)
    assert reassessable(city) == []
    city.clock.advance(RENEW_BEFORE.total_seconds())
    assert [one.id for one in reassessable(city)] == [last.id]
    again(city, last)
    new = city.approve(city.proposed())
    assert (new.message_type, new.references) == (MessageType.ALERT, ())
    assert city.orders.alerts("town", in_force_at=city.clock.now()) == [new]
    assert order.identifier != new.identifier


def test_what_is_over_needs_no_reassessment(city: AlertPath) -> None:
    last = rejected(city, city.proposed())
    assert city.propose(a.assessment("flood/x", AlertLevel.NONE)) is None
    assert reassessable(city) == []
    with pytest.raises(Conflict, match="its situation is over"):
        again(city, last)


def test_what_does_not_exist_is_not_found(city: AlertPath) -> None:
    city.add_tenant("village")
    last = rejected(city, city.proposed())
    with pytest.raises(NotFound):
        again(city, last, tenant="village")
    for strange in ("", "nothing", "a\0b"):
        with pytest.raises(NotFound):
            city.orders.reassess("town", strange, by="k", reason="r", now=city.clock.now())
    assert city.orders.proposals("village", reassessable_at=city.clock.now()) == []


def test_an_exercise_is_reassessed_and_what_is_real_stays_as_it_was(city: AlertPath) -> None:
    real = rejected(city, city.proposed())
    drill = rejected(city, city.proposed(occasion=Exercise("drill")))
    other = rejected(city, city.proposed(occasion=Exercise("other")))
    again(city, drill)
    assert {one.id for one in reassessable(city)} == {other.id, real.id}
    assert city.propose(a.assessment("flood/x")) is None
    assert city.propose(a.assessment("flood/x"), occasion=Exercise("other")) is None
    assert city.proposed(occasion=Exercise("drill")).occasion == Exercise("drill")


def test_of_two_officials_one_asks(city: AlertPath) -> None:
    last = rejected(city, city.proposed())
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def ask() -> None:
        together.wait()
        try:
            again(city, last)
            outcomes.append("asked")
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["asked", "conflict"]


def test_what_can_be_reassessed_is_paged_and_filtered_as_any(city: AlertPath) -> None:
    made = []
    for number in range(3):
        city.clock.advance(1)
        made.append(rejected(city, city.proposed(key=f"flood/{number}")))
    city.proposed(key="flood/pending")
    now = city.clock.now()
    first = city.orders.proposals("town", reassessable_at=now, limit=2)
    assert list(first) == [made[2], made[1]]
    last = (first[-1].created_at, first[-1].revision, first[-1].id)
    assert city.orders.proposals("town", reassessable_at=now, before=last) == [made[0]]
    for filters in ({"status": "Exercise"}, {"state": ProposalState.APPROVED}):
        assert city.orders.proposals("town", reassessable_at=now, **filters) == []  # type: ignore[arg-type]


def test_what_can_be_reassessed_is_found_without_reading_what_is_long_over(
    city: AlertPath,
) -> None:
    """A practice city decides on the same few situations for years; the page asks all the time."""
    made = 2_000
    last = rejected(city, city.proposed())
    city.execute(
        """
        INSERT INTO proposal (tenant_id, id, status, run, service, situation, revision, level,
                              state, document, created_at)
        SELECT tenant_id, 'old ' || n, status, run, service, situation, -n, level,
               'superseded', document, created_at - n * interval '1 hour'
        FROM proposal, generate_series(1, %s) n
        """,
        made,
    )
    values = {
        "tenant": "town",
        "state": None,
        "status": None,
        "at": city.clock.now(),
        **dict.fromkeys(("created_at", "revision", "id")),
        "limit": 100,
    }
    query = "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + orders._REASSESSABLE
    with city.database.connection() as connection:
        row = connection.execute(query, values).fetchone()
    assert row is not None
    assert rows_read(row[0][0]["Plan"]) < made / 10
    assert reassessable(city) == [last]


def rows_read(plan: dict[str, Any]) -> float:
    """How many rows the plan's steps have looked at, those they left out included."""
    seen = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return seen * plan["Actual Loops"] + sum(map(rows_read, plan.get("Plans", [])))
