"""Proposals before a person, and the alerts that come of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.alert import Alert, MessageType
from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import Issuer, Proposal, ProposalState
from cityos.errors import Conflict
from cityos.ports import ExerciseEnd, OpenExercise
from cityos.storage import exercises, issuing, reassessment, situations
from cityos.storage.database import Database
from cityos.storage.issuing import alert_in_chain, expiry
from cityos.storage.lane import alert_of
from cityos.storage.situations import (
    PROPOSAL_COLUMNS,
    LockedSituation,
    SituationKey,
    proposal_of,
)

_OF_PROPOSALS: Final = f"""
SELECT {PROPOSAL_COLUMNS} FROM proposal
WHERE tenant_id = %(tenant)s
  AND (%(state)s::text IS NULL OR state = %(state)s)
  AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(created_at)s::timestamptz IS NULL
       OR (created_at, revision, id) < (%(created_at)s, %(revision)s, %(id)s))
"""  # noqa: S608 - the columns are a constant
_NEWEST_FIRST: Final = "ORDER BY created_at DESC, revision DESC, id DESC LIMIT %(limit)s"
_PROPOSALS: Final = f"{_OF_PROPOSALS} {_NEWEST_FIRST}"
_REASSESSABLE: Final = f"{_OF_PROPOSALS} AND {reassessment.POSSIBLE} {_NEWEST_FIRST}"
_ALERTS: Final = """
SELECT status, document::text FROM alert
WHERE tenant_id = %(tenant)s AND status = %(status)s
  AND (%(run)s::text IS NULL OR run = %(run)s)
  AND (%(at)s::timestamptz IS NULL OR (
       sent <= %(at)s AND message_type <> 'Cancel'
       AND (superseded_at IS NULL OR superseded_at > %(at)s)
       AND (valid_until IS NULL OR valid_until > %(at)s)))
  AND (%(sent)s::timestamptz IS NULL OR (sent, identifier) < (%(sent)s, %(identifier)s))
"""
_LATEST_SENT: Final = "ORDER BY sent DESC, identifier DESC LIMIT %(limit)s"
# a condition that stands in the text, for only so can the planner use the index of ours
_ALERTS_BY_OURS: Final = {
    None: f"{_ALERTS} {_LATEST_SENT}",
    True: f"{_ALERTS} AND ours {_LATEST_SENT}",
    False: f"{_ALERTS} AND NOT ours {_LATEST_SENT}",
}
_ALERT: Final = """
SELECT status, document::text FROM alert WHERE (tenant_id, identifier) = (%s, %s)
  AND status IN ('Actual', 'Exercise')
ORDER BY status, created_at DESC LIMIT 1
"""
_ISSUED: Final = """
SELECT status, run, ours, source, situation, message_type, sender FROM alert
WHERE (tenant_id, identifier) = (%s, %s) AND status IN ('Actual', 'Exercise')
ORDER BY ours DESC, status LIMIT 1
"""
_LAST: Final = """
SELECT identifier, message_type FROM alert
WHERE (tenant_id, status, run, supersedes) = (%s, %s, %s, %s) AND ours
  AND superseded_at IS NULL
"""
_WHY_NOT: Final = {
    ProposalState.APPROVED: "it was approved already",
    ProposalState.REJECTED: "it was rejected already",
    ProposalState.SUPERSEDED: "a newer assessment of the situation has taken its place",
}
_EXERCISE_ENDED: Final = "its exercise was ended"


class PostgresOrderBook:
    """An ``OrderBook``. ``channels`` are the ways out that every alert of ours has to take."""

    def __init__(self, database: Database, *, channels: Sequence[str]) -> None:
        self._database = database
        self._channels = list(channels)

    def proposals(
        self,
        tenant: str,
        *,
        state: ProposalState | None = None,
        status: str | None = None,
        reassessable_at: datetime | None = None,
        before: tuple[datetime, int, str] | None = None,
        limit: int = 100,
    ) -> Sequence[Proposal]:
        created_at, revision, last = before or (None, None, None)
        values = {
            "tenant": tenant,
            "state": None if state is None else state.value,
            "status": status,
            "at": reassessable_at,
            "created_at": created_at,
            "revision": revision,
            "id": last,
            "limit": limit,
        }
        query = _PROPOSALS if reassessable_at is None else _REASSESSABLE
        with self._database.connection() as connection:
            return [proposal_of(row) for row in connection.execute(query, values)]

    def proposal(self, tenant: str, proposal_id: str) -> Proposal:
        with self._database.connection() as connection:
            return situations.proposal(connection, tenant, proposal_id)

    def approve(
        self, tenant: str, proposal_id: str, *, issuer: Issuer, by: str, note: str, now: datetime
    ) -> Alert:
        with self._database.connection() as connection:
            proposal, key, in_force = _decidable(connection, tenant, proposal_id)
            alert = issuing.issued(tenant, proposal, in_force, issuer, now)
            issuing.publish(connection, key, alert, now, channels=self._channels)
            if alert.message_type is MessageType.CANCEL:
                situations.close(connection, key)
            else:
                situations.put_in_force(connection, key, alert.identifier)
            decision = (ProposalState.APPROVED, now, by, note, alert.identifier)
            issuing.decide(connection, tenant, proposal_id, decision)
            return alert

    def reject(
        self, tenant: str, proposal_id: str, *, by: str, note: str, now: datetime
    ) -> Proposal:
        """The situation keeps its assessed level: the service does not ask again for the same."""
        with self._database.connection() as connection:
            _decidable(connection, tenant, proposal_id)
            decision = (ProposalState.REJECTED, now, by, note, None)
            issuing.decide(connection, tenant, proposal_id, decision)
            return situations.proposal(connection, tenant, proposal_id)

    def reassess(
        self, tenant: str, proposal_id: str, *, by: str, reason: str, now: datetime
    ) -> Proposal:
        with self._database.connection() as connection:
            reassessment.ask(connection, tenant, proposal_id, by=by, reason=reason, now=now)
            return situations.proposal(connection, tenant, proposal_id)

    def cancel(
        self, tenant: str, identifier: str, *, issuer: Issuer, by: str, reason: str, now: datetime
    ) -> Alert:
        """The situation stays as it was assessed, for the service to measure a rise against."""
        with self._database.connection() as connection:
            key, known, in_force = _endable(connection, tenant, identifier, now)
            situations.supersede_pending(connection, key, now, up_to=in_force.level)
            alert = issuing.end(
                connection,
                key,
                in_force,
                issuer=issuer,
                by=by,
                reason=reason,
                now=now,
                channels=self._channels,
            )
            if known.level == AlertLevel.NONE:
                situations.close(connection, key)
            else:
                situations.put_in_force(connection, key, None)
            return alert

    def open_exercises(self, tenant: str, now: datetime) -> Sequence[OpenExercise]:
        with self._database.connection() as connection:
            return exercises.under_way(connection, tenant, now)

    def end_exercise(
        self,
        tenant: str,
        exercise: Exercise,
        *,
        issuer: Issuer,
        by: str,
        reason: str,
        now: datetime,
    ) -> ExerciseEnd:
        """A transaction for each situation: a lock on one is never held for another's sake."""
        with self._database.connection() as connection:
            keys = exercises.situations_of(connection, tenant, exercise)
        end = ExerciseEnd(exercise, 0, ())
        for key in keys:
            with self._database.connection() as connection:
                superseded, cancels = exercises.end_one(
                    connection,
                    key,
                    issuer=issuer,
                    by=by,
                    reason=reason,
                    now=now,
                    channels=self._channels,
                )
            end = ExerciseEnd(exercise, end.superseded + superseded, (*end.cancels, *cancels))
        return end

    def alerts(
        self,
        tenant: str,
        *,
        status: str = "Actual",
        run: str | None = None,
        ours: bool | None = None,
        in_force_at: datetime | None = None,
        before: tuple[datetime, str] | None = None,
        limit: int = 100,
    ) -> Sequence[Alert]:
        sent, identifier = before or (None, None)
        values = {
            "tenant": tenant,
            "status": status,
            "run": run,
            "at": in_force_at,
            "sent": sent,
            "identifier": identifier,
            "limit": limit,
        }
        with self._database.connection() as connection:
            return [alert_of(*row) for row in connection.execute(_ALERTS_BY_OURS[ours], values)]

    def alert(self, tenant: str, identifier: str) -> Alert:
        with self._database.connection() as connection:
            return alert_of(*situations.named(connection, _ALERT, tenant, identifier, "alert"))


def _decidable(
    connection: Connection[TupleRow], tenant: str, proposal_id: str
) -> tuple[Proposal, SituationKey, Alert | None]:
    """Return the pending proposal and what is in force, all locked.

    Raises NotFound; Conflict.
    """
    proposal, key, situation = situations.lock_proposal(connection, tenant, proposal_id)
    if proposal.state is not ProposalState.PENDING or situation is None:
        why = _WHY_NOT.get(proposal.state, "its situation is closed")
        if proposal.state is ProposalState.SUPERSEDED and proposal.decided_by:
            why = _EXERCISE_ENDED
        message = f"the proposal cannot be decided: {why}"
        raise Conflict(message)
    if situation.in_force is None:
        return proposal, key, None
    return proposal, key, alert_in_chain(connection, key, situation.in_force)


def _endable(
    connection: Connection[TupleRow], tenant: str, identifier: str, now: datetime
) -> tuple[SituationKey, LockedSituation, Alert]:
    """Return the order in force and its situation, locked.

    Raises NotFound; Conflict.
    """
    row = situations.named(connection, _ISSUED, tenant, identifier, "alert")
    status, run, ours, service, situation, message_type, sender = row
    if not ours:
        message = f"only its sender, {sender}, can cancel this alert"
        raise Conflict(message)
    if message_type == MessageType.CANCEL:
        raise Conflict("this is a Cancel: it ended an order and is none")
    key = SituationKey(tenant, status, run, service, situation)
    known = situations.lock(connection, key)
    if known is None or known.in_force != identifier:
        raise Conflict(_what_followed(connection, key))
    alert = alert_in_chain(connection, key, identifier)
    expires = expiry(alert)
    if expires is not None and expires <= now:
        message = f"the order is not in force any more: it expired at {expires.isoformat()}"
        raise Conflict(message)
    return key, known, alert


def _what_followed(connection: Connection[TupleRow], key: SituationKey) -> str:
    row = connection.execute(_LAST, (*key[:3], issuing.chain(key))).fetchone()
    last, message_type = row or ("", MessageType.CANCEL)
    if message_type == MessageType.CANCEL:
        return f"the order was ended already, by the Cancel {last}"
    return f"the order is not in force any more: {last} has taken its place"
