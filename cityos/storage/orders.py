"""Proposals before a person, and the alerts that come of them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.alert import ActualAlert, Alert, ExerciseAlert, MessageType
from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Actual, Exercise
from cityos.domain.proposal import Issuer, Proposal, ProposalState, cancellation, issue
from cityos.errors import Conflict, NotFound
from cityos.storage import news, situations
from cityos.storage.database import Database
from cityos.storage.documents import encode
from cityos.storage.lane import alert_of
from cityos.storage.situations import (
    PROPOSAL_COLUMNS,
    LockedSituation,
    SituationKey,
    proposal_of,
)

_PROPOSALS: Final = f"""
SELECT {PROPOSAL_COLUMNS} FROM proposal
WHERE tenant_id = %(tenant)s
  AND (%(state)s::text IS NULL OR state = %(state)s)
  AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(created_at)s::timestamptz IS NULL
       OR (created_at, revision, id) < (%(created_at)s, %(revision)s, %(id)s))
ORDER BY created_at DESC, revision DESC, id DESC LIMIT %(limit)s
"""  # noqa: S608 - the columns are a constant
_PROPOSAL: Final = f"""
SELECT {PROPOSAL_COLUMNS} FROM proposal WHERE (tenant_id, id) = (%s, %s)
"""  # noqa: S608 - the columns are a constant
_LOCK_PROPOSAL: Final = f"{_PROPOSAL} FOR UPDATE"
_DECIDE: Final = """
UPDATE proposal SET state = %s, decided_at = %s, decided_by = %s, decision_note = %s,
                    alert_identifier = %s
WHERE (tenant_id, id) = (%s, %s)
"""
_ALERTS: Final = """
SELECT status, document::text FROM alert
WHERE tenant_id = %(tenant)s AND status = %(status)s
  AND (%(run)s::text IS NULL OR run = %(run)s)
  AND (%(ours)s::boolean IS NULL OR ours = %(ours)s)
  AND (%(at)s::timestamptz IS NULL OR (
       sent <= %(at)s AND message_type <> 'Cancel'
       AND (superseded_at IS NULL OR superseded_at > %(at)s)
       AND (valid_until IS NULL OR valid_until > %(at)s)))
  AND (%(sent)s::timestamptz IS NULL OR (sent, identifier) < (%(sent)s, %(identifier)s))
ORDER BY sent DESC, identifier DESC LIMIT %(limit)s
"""
_ALERT: Final = """
SELECT status, document::text FROM alert WHERE (tenant_id, identifier) = (%s, %s)
  AND status IN ('Actual', 'Exercise')
ORDER BY status, created_at DESC LIMIT 1
"""
_IN_FORCE: Final = """
SELECT document::text FROM alert WHERE (tenant_id, status, run, identifier) = (%s, %s, %s, %s)
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
_INSERT_ALERT: Final = """
INSERT INTO alert (tenant_id, identifier, status, run, sender, sent, message_type, ours, source,
                   level, situation, supersedes, valid_until, document)
VALUES (%s, %s, %s, %s, %s, %s, %s, true, %s, %s, %s, %s, %s, %s)
"""
_SUPERSEDE_ALERTS: Final = """
UPDATE alert SET superseded_at = %s
WHERE (tenant_id, status, run, supersedes) = (%s, %s, %s, %s) AND ours
  AND superseded_at IS NULL AND identifier <> %s
"""
_OUTBOX: Final = """
INSERT INTO outbox (tenant_id, status, run, identifier, channel, situation, next_at, created_at)
SELECT %s, %s, %s, %s, channel, %s, %s, %s FROM unnest(%s::text[]) channel
"""
_WHY_NOT: Final = {
    ProposalState.APPROVED: "it was approved already",
    ProposalState.REJECTED: "it was rejected already",
    ProposalState.SUPERSEDED: "a newer assessment of the situation has taken its place",
}


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
        before: tuple[datetime, int, str] | None = None,
        limit: int = 100,
    ) -> Sequence[Proposal]:
        created_at, revision, last = before or (None, None, None)
        values = {
            "tenant": tenant,
            "state": None if state is None else state.value,
            "status": status,
            "created_at": created_at,
            "revision": revision,
            "id": last,
            "limit": limit,
        }
        with self._database.connection() as connection:
            return [proposal_of(row) for row in connection.execute(_PROPOSALS, values)]

    def proposal(self, tenant: str, proposal_id: str) -> Proposal:
        with self._database.connection() as connection:
            return _found(connection, _PROPOSAL, tenant, proposal_id)

    def approve(
        self, tenant: str, proposal_id: str, *, issuer: Issuer, by: str, note: str, now: datetime
    ) -> Alert:
        with self._database.connection() as connection:
            proposal, key, in_force = _decidable(connection, tenant, proposal_id)
            alert = _issued(tenant, proposal, in_force, issuer, now)
            self._publish(connection, key, alert, now)
            if alert.message_type is MessageType.CANCEL:
                situations.close(connection, key)
            else:
                situations.put_in_force(connection, key, alert.identifier)
            _decide(
                connection,
                tenant,
                proposal_id,
                (ProposalState.APPROVED, now, by, note, alert.identifier),
            )
            return alert

    def reject(
        self, tenant: str, proposal_id: str, *, by: str, note: str, now: datetime
    ) -> Proposal:
        """The situation keeps its assessed level: the service does not ask again for the same."""
        with self._database.connection() as connection:
            _decidable(connection, tenant, proposal_id)
            _decide(connection, tenant, proposal_id, (ProposalState.REJECTED, now, by, note, None))
            return _found(connection, _PROPOSAL, tenant, proposal_id)

    def cancel(
        self, tenant: str, identifier: str, *, issuer: Issuer, by: str, reason: str, now: datetime
    ) -> Alert:
        """The situation stays as it was assessed, for the service to measure a rise against."""
        with self._database.connection() as connection:
            key, known, in_force = _endable(connection, tenant, identifier, now)
            proposal = cancellation(
                in_force,
                key.key,
                issuer,
                proposal_id=secrets.token_urlsafe(12),
                revision=situations.next_revision(connection, key),
                now=now,
            )
            situations.supersede_pending(connection, key, now, up_to=in_force.level)
            situations.insert(connection, key, proposal, ends=in_force.identifier)
            alert = _issued(tenant, proposal, in_force, issuer, now)
            self._publish(connection, key, alert, now)
            if known.level == AlertLevel.NONE:
                situations.close(connection, key)
            else:
                situations.put_in_force(connection, key, None)
            decision = (ProposalState.APPROVED, now, by, reason, alert.identifier)
            _decide(connection, tenant, proposal.id, decision)
            return alert

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
            "ours": ours,
            "at": in_force_at,
            "sent": sent,
            "identifier": identifier,
            "limit": limit,
        }
        with self._database.connection() as connection:
            return [alert_of(*row) for row in connection.execute(_ALERTS, values)]

    def alert(self, tenant: str, identifier: str) -> Alert:
        with self._database.connection() as connection:
            return alert_of(*_row(connection, _ALERT, tenant, identifier, "alert"))

    def _publish(
        self, connection: Connection[TupleRow], key: SituationKey, alert: Alert, now: datetime
    ) -> None:
        """Write the alert in place of the one before it, and put it in the outbox."""
        lane = key[:3]
        chain = _chain(key)
        expires = [info.expires for info in alert.infos if info.expires is not None]
        connection.execute(
            _INSERT_ALERT,
            (
                key.tenant,
                alert.identifier,
                key.status,
                key.run,
                alert.sender,
                alert.sent,
                alert.message_type.value,
                alert.source,
                int(alert.level),
                key.key,
                chain,
                max(expires, default=None),
                encode(alert),
            ),
        )
        connection.execute(_SUPERSEDE_ALERTS, (alert.sent, *lane, chain, alert.identifier))
        connection.execute(_OUTBOX, (*lane, alert.identifier, key.key, now, now, self._channels))
        news.ring(connection, news.DELIVERY)


def _row(
    connection: Connection[TupleRow], query: str, tenant: str, identifier: str, kind: str
) -> TupleRow:
    """Return the row of an identifier that may be anything: with NUL in it, it names nothing.

    Raises NotFound.
    """
    row = None
    if "\0" not in identifier:
        row = connection.execute(query, (tenant, identifier)).fetchone()
    if row is None:
        message = f"no {kind} {identifier!r} in this city"
        raise NotFound(message)
    return row


def _found(
    connection: Connection[TupleRow], query: str, tenant: str, proposal_id: str
) -> Proposal:
    return proposal_of(_row(connection, query, tenant, proposal_id, "proposal"))


def _decidable(
    connection: Connection[TupleRow], tenant: str, proposal_id: str
) -> tuple[Proposal, SituationKey, Alert | None]:
    """Return the pending proposal and what is in force, all locked.

    Raises NotFound; Conflict.
    """
    seen = _found(connection, _PROPOSAL, tenant, proposal_id)
    occasion = seen.occasion
    key = SituationKey(
        tenant, occasion.status, occasion.run, seen.service, seen.assessment.situation
    )
    situation = situations.lock(connection, key)
    proposal = _found(connection, _LOCK_PROPOSAL, tenant, proposal_id)
    if proposal.state is not ProposalState.PENDING or situation is None:
        why = _WHY_NOT.get(proposal.state, "its situation is closed")
        message = f"the proposal cannot be decided: {why}"
        raise Conflict(message)
    if situation.in_force is None:
        return proposal, key, None
    return proposal, key, _in_force(connection, key, situation.in_force)


def _endable(
    connection: Connection[TupleRow], tenant: str, identifier: str, now: datetime
) -> tuple[SituationKey, LockedSituation, Alert]:
    """Return the order in force and its situation, locked.

    Raises NotFound; Conflict.
    """
    row = _row(connection, _ISSUED, tenant, identifier, "alert")
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
    alert = _in_force(connection, key, identifier)
    expires = max((info.expires for info in alert.infos if info.expires), default=None)
    if expires is not None and expires <= now:
        message = f"the order is not in force any more: it expired at {expires.isoformat()}"
        raise Conflict(message)
    return key, known, alert


def _what_followed(connection: Connection[TupleRow], key: SituationKey) -> str:
    row = connection.execute(_LAST, (*key[:3], _chain(key))).fetchone()
    last, message_type = row or ("", MessageType.CANCEL)
    if message_type == MessageType.CANCEL:
        return f"the order was ended already, by the Cancel {last}"
    return f"the order is not in force any more: {last} has taken its place"


def _in_force(connection: Connection[TupleRow], key: SituationKey, identifier: str) -> Alert:
    row = connection.execute(_IN_FORCE, (*key[:3], identifier)).fetchone()
    assert row is not None  # noqa: S101 - the situation's foreign key holds it
    return alert_of(key.status, row[0])


def _chain(key: SituationKey) -> str:
    """The key that all messages of one situation share."""
    return f"{key.service}/{key.key}"


def _issued(
    tenant: str, proposal: Proposal, in_force: Alert | None, issuer: Issuer, now: datetime
) -> Alert:
    """Return the next message of the chain; it is never older than the one it refers to."""
    identifier = f"urn:cityos:{tenant}:{uuid4()}"
    sent = now if in_force is None else max(now, in_force.sent + timedelta(microseconds=1))
    try:
        match proposal.occasion, in_force:
            case Actual() as actual, (ActualAlert() | None) as standing:
                return issue(proposal, actual, standing, issuer, identifier, sent)
            case Exercise() as exercise, (ExerciseAlert() | None) as standing:
                return issue(proposal, exercise, standing, issuer, identifier, sent)
    except ValueError as error:
        message = f"the proposal cannot be carried out: {error}"
        raise Conflict(message) from error
    raise Conflict("an exercise and an actual alert cannot follow each other")


def _decide(
    connection: Connection[TupleRow],
    tenant: str,
    proposal_id: str,
    decision: tuple[ProposalState, datetime, str, str, str | None],
) -> None:
    state, *rest = decision
    connection.execute(_DECIDE, (state.value, *rest, tenant, proposal_id))
