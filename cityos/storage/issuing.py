"""How a message of ours goes out: next in its situation's chain, and on record with its decision.

Everything here runs inside the caller's transaction, which holds the situation's row locked.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.alert import ActualAlert, Alert, ExerciseAlert
from cityos.domain.occasion import Actual, Exercise
from cityos.domain.proposal import Issuer, Proposal, ProposalState, cancellation, issue
from cityos.errors import Conflict
from cityos.storage import news, situations
from cityos.storage.documents import encode
from cityos.storage.lane import alert_of
from cityos.storage.situations import SituationKey

_ALERT: Final = """
SELECT document::text FROM alert WHERE (tenant_id, status, run, identifier) = (%s, %s, %s, %s)
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
_DECIDE: Final = """
UPDATE proposal SET state = %s, decided_at = %s, decided_by = %s, decision_note = %s,
                    alert_identifier = %s
WHERE (tenant_id, id) = (%s, %s)
"""


def chain(key: SituationKey) -> str:
    """The key that all messages of one situation share."""
    return f"{key.service}/{key.key}"


def alert_in_chain(connection: Connection[TupleRow], key: SituationKey, identifier: str) -> Alert:
    """Return the alert that a situation names."""
    row = connection.execute(_ALERT, (*key[:3], identifier)).fetchone()
    assert row is not None  # noqa: S101 - the situation's foreign key holds it
    return alert_of(key.status, row[0])


def expiry(alert: Alert) -> datetime | None:
    """When the last of the alert's infos expires."""
    return max((info.expires for info in alert.infos if info.expires is not None), default=None)


def issued(
    tenant: str, proposal: Proposal, in_force: Alert | None, issuer: Issuer, now: datetime
) -> Alert:
    """Return the next message of the chain; it is never older than the one it refers to.

    Raises Conflict.
    """
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


def publish(
    connection: Connection[TupleRow],
    key: SituationKey,
    alert: Alert,
    now: datetime,
    *,
    channels: Sequence[str],
) -> None:
    """Write the alert in place of the one before it, and put it in the outbox."""
    lane = key[:3]
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
            chain(key),
            expiry(alert),
            encode(alert),
        ),
    )
    connection.execute(_SUPERSEDE_ALERTS, (alert.sent, *lane, chain(key), alert.identifier))
    outbox = (*lane, alert.identifier, key.key, now, now, list(channels))
    connection.execute(_OUTBOX, outbox)
    news.ring(connection, news.DELIVERY)


def end(
    connection: Connection[TupleRow],
    key: SituationKey,
    in_force: Alert,
    *,
    issuer: Issuer,
    by: str,
    reason: str,
    now: datetime,
    channels: Sequence[str],
) -> Alert:
    """End the order by a person's decision: its Cancel, kept as a proposal made and approved.

    What becomes of the situation is the caller's to say. Raises Conflict.
    """
    proposal = cancellation(
        in_force,
        key.key,
        issuer,
        proposal_id=secrets.token_urlsafe(12),
        revision=situations.next_revision(connection, key),
        now=now,
    )
    situations.insert(connection, key, proposal, ends=in_force.identifier)
    alert = issued(key.tenant, proposal, in_force, issuer, now)
    publish(connection, key, alert, now, channels=channels)
    decision = (ProposalState.APPROVED, now, by, reason, alert.identifier)
    decide(connection, key.tenant, proposal.id, decision)
    return alert


def decide(
    connection: Connection[TupleRow],
    tenant: str,
    proposal_id: str,
    decision: tuple[ProposalState, datetime, str, str, str | None],
) -> None:
    """Put state, time, who, why and the alert that came of it on record."""
    state, *rest = decision
    connection.execute(_DECIDE, (state.value, *rest, tenant, proposal_id))
