"""The course of a situation in the store: assessed, proposed, superseded, closed.

Everything here runs inside the caller's transaction. Whoever changes a situation or its proposals
locks the situation's row first, then the proposal's: one order, so that nobody waits in a circle.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Name
from cityos.domain.occasion import occasion_of
from cityos.domain.proposal import Assessment, Proposal, ProposalState, Reassessment
from cityos.errors import InvalidPlugin, NotFound
from cityos.storage.documents import decode, encode
from cityos.storage.lane import Lane

PROPOSAL_COLUMNS: Final = (
    "id, service, status, run, revision, document::text, state, created_at, "
    "decided_at, decided_by, decision_note, alert_identifier"
)
_PROPOSAL: Final = f"""
SELECT {PROPOSAL_COLUMNS} FROM proposal WHERE (tenant_id, id) = (%s, %s)
"""  # noqa: S608 - the columns are a constant
_LOCK_PROPOSAL: Final = f"{_PROPOSAL} FOR UPDATE"
_LOCK: Final = """
SELECT level, peak, revision, in_force FROM situation
WHERE (tenant_id, status, run, service, key) = (%s, %s, %s, %s, %s) FOR UPDATE
"""
_OPEN: Final = """
INSERT INTO situation
    (tenant_id, status, run, service, key, level, peak, revision, opened_at, changed_at)
SELECT %(tenant)s, %(status)s, %(run)s, %(service)s, %(key)s, %(level)s, %(level)s,
       1 + coalesce(max(revision), 0), %(at)s, %(at)s
FROM proposal
WHERE (tenant_id, status, run, service, situation)
    = (%(tenant)s, %(status)s, %(run)s, %(service)s, %(key)s)
RETURNING revision
"""
_CHANGE: Final = """
UPDATE situation
SET level = %(level)s, peak = greatest(peak, %(level)s), revision = revision + 1,
    changed_at = CASE WHEN level = %(level)s THEN changed_at ELSE %(at)s END
WHERE (tenant_id, status, run, service, key)
    = (%(tenant)s, %(status)s, %(run)s, %(service)s, %(key)s)
RETURNING revision
"""
_NEXT_REVISION: Final = """
UPDATE situation SET revision = revision + 1
WHERE (tenant_id, status, run, service, key) = (%s, %s, %s, %s, %s)
RETURNING revision
"""
_IN_FORCE: Final = """
UPDATE situation SET in_force = %s
WHERE (tenant_id, status, run, service, key) = (%s, %s, %s, %s, %s)
"""
_SET_BACK: Final = """
UPDATE situation SET level = 0, in_force = NULL
WHERE (tenant_id, status, run, service, key) = (%s, %s, %s, %s, %s)
"""
_CLOSE: Final = """
DELETE FROM situation WHERE (tenant_id, status, run, service, key) = (%s, %s, %s, %s, %s)
"""
_SUPERSEDE: Final = """
UPDATE proposal SET state = 'superseded', decided_at = %s, decided_by = %s, decision_note = %s
WHERE (tenant_id, status, run, service, situation) = (%s, %s, %s, %s, %s) AND state = 'pending'
  AND level <= %s
"""
_NEWEST: Final = """
SELECT document::text FROM proposal
WHERE (tenant_id, status, run, service, situation) = (%s, %s, %s, %s, %s)
  AND coalesce(document ->> 'renews', '') = '' AND coalesce(document ->> 'ends', '') = ''
ORDER BY revision DESC LIMIT 1
"""
_ENDED: Final = """
SELECT coalesce((
    SELECT document ->> 'ends' <> '' FROM proposal
    WHERE (tenant_id, status, run, service, situation)
        = (%(tenant)s, %(status)s, %(run)s, %(service)s, %(key)s)
    ORDER BY revision DESC LIMIT 1), false)
  AND (%(falls)s OR NOT EXISTS (
    SELECT FROM proposal
    WHERE (tenant_id, status, run, service, situation)
        = (%(tenant)s, %(status)s, %(run)s, %(service)s, %(key)s) AND state = 'pending'))
"""
_INSERT: Final = """
INSERT INTO proposal (tenant_id, id, status, run, service, situation, revision, level, state,
                      document, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'pending', %s, %s)
"""


class SituationKey(NamedTuple):
    """The primary key of a situation."""

    tenant: str
    status: str
    run: str
    service: str
    key: str


class LockedSituation(NamedTuple):
    """A situation's row, locked until the transaction ends."""

    level: int
    peak: int
    revision: int
    in_force: str | None


@dataclass(frozen=True, slots=True)
class _Document:
    """``renews``: the alert that a renewal carries on; ``ends``: the one that a person ended."""

    assessment: Assessment
    public_reason: Name | None = None
    renews: str = ""
    ends: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    reassessment: Reassessment | None = None


def propose(
    connection: Connection[TupleRow],
    lane: Lane,
    service: str,
    effect: Assessment,
    now: datetime,
) -> Proposal | None:
    """Bring the situation to the assessed level, and return the proposal that a person decides.

    None where there is nothing to decide: the newest proposal says the same already, or the
    assessment is to stand down and no order is in force. In that case the situation closes, for
    an order that nobody issued needs nobody to lift it, and what was pending is superseded.
    After a person has ended the order, a level that does not rise is taken down and not proposed.

    Raises:
        InvalidPlugin: the effect is not a well-formed assessment.
    """
    assessment = _checked(effect, service)
    key = SituationKey(*lane, service, assessment.situation)
    known = lock(connection, key)
    stand_down = assessment.level is AlertLevel.NONE
    if known is None and stand_down:
        return None
    if known is not None and known.in_force is None and stand_down:
        supersede_pending(connection, key, now)
        close(connection, key)
        return None
    if (
        known is not None
        and known.level == assessment.level
        and _says(connection, key, assessment)
    ):
        return None
    answered = known is not None and _is_answered(connection, key, known, assessment.level)
    values = {**key._asdict(), "level": int(assessment.level), "at": assessment.at}
    row = connection.execute(_OPEN if known is None else _CHANGE, values).fetchone()
    assert row is not None  # noqa: S101 - both statements return the row they wrote
    supersede_pending(connection, key, now)
    if answered:
        return None
    proposal = Proposal(
        id=secrets.token_urlsafe(12),
        service=service,
        occasion=lane.occasion,
        revision=row[0],
        assessment=assessment,
        created_at=now,
    )
    insert(connection, key, proposal)
    return proposal


def insert(
    connection: Connection[TupleRow],
    key: SituationKey,
    proposal: Proposal,
    *,
    renews: str = "",
    ends: str = "",
) -> None:
    """Put a new proposal before the people who decide.

    ``renews`` is the identifier of the alert that it asks to carry on, ``ends`` of the one that a
    person ends: it is then no word of the service, which may say the same as before and is still
    not heard twice.
    """
    assessment = proposal.assessment
    document = encode(
        _Document(assessment, proposal.public_reason, renews, ends, proposal.attributes)
    )
    row = (proposal.id, *key[1:], proposal.revision, int(assessment.level))
    connection.execute(_INSERT, (key.tenant, *row, document, proposal.created_at))


def next_revision(connection: Connection[TupleRow], key: SituationKey) -> int:
    """Count a proposal that is no new assessment: the situation's level stays as it was."""
    row = connection.execute(_NEXT_REVISION, key).fetchone()
    assert row is not None  # noqa: S101 - the caller holds the row locked
    return int(row[0])


def lock(connection: Connection[TupleRow], key: SituationKey) -> LockedSituation | None:
    """Return the situation, locked against other changes until the transaction ends."""
    row = connection.execute(_LOCK, key).fetchone()
    return None if row is None else LockedSituation(*row)


def proposal(connection: Connection[TupleRow], tenant: str, proposal_id: str) -> Proposal:
    """Raises NotFound."""
    return proposal_of(named(connection, _PROPOSAL, tenant, proposal_id, "proposal"))


def lock_proposal(
    connection: Connection[TupleRow], tenant: str, proposal_id: str
) -> tuple[Proposal, SituationKey, LockedSituation | None]:
    """Return the proposal with its situation, None where that is closed; both locked.

    Raises NotFound.
    """
    seen = proposal(connection, tenant, proposal_id)
    occasion = seen.occasion
    key = SituationKey(
        tenant, occasion.status, occasion.run, seen.service, seen.assessment.situation
    )
    situation = lock(connection, key)
    row = named(connection, _LOCK_PROPOSAL, tenant, proposal_id, "proposal")
    return proposal_of(row), key, situation


def named(
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


def newest_assessment(connection: Connection[TupleRow], key: SituationKey) -> Assessment | None:
    """Return what the service last proposed, whatever became of it."""
    row = connection.execute(_NEWEST, key).fetchone()
    return None if row is None else decode(row[0], _Document).assessment


def set_back(connection: Connection[TupleRow], key: SituationKey) -> None:
    """Have the situation stand at no level: whatever reaches one is a rise and is proposed."""
    connection.execute(_SET_BACK, key)


def put_in_force(
    connection: Connection[TupleRow], key: SituationKey, identifier: str | None
) -> None:
    """Note what the public sees now; None after a person has ended the order."""
    connection.execute(_IN_FORCE, (identifier, *key))


def close(connection: Connection[TupleRow], key: SituationKey) -> None:
    """End the situation; a later assessment under its key opens a new one."""
    connection.execute(_CLOSE, key)


def supersede_pending(
    connection: Connection[TupleRow],
    key: SituationKey,
    now: datetime,
    *,
    up_to: AlertLevel = AlertLevel.EMERGENCY_SAFETY,
    by: str | None = None,
    note: str | None = None,
) -> int:
    """Let what waits for a decision be decided no more, up to the level ``up_to``.

    Return how many there were. ``by`` and ``note`` are given where a person has it so, and not a
    newer assessment.
    """
    return connection.execute(_SUPERSEDE, (now, by, note, *key, int(up_to))).rowcount


def proposal_of(row: TupleRow) -> Proposal:
    """Return the proposal of a row of ``PROPOSAL_COLUMNS``."""
    number, service, status, run, revision, text, state, created_at, *decision = row
    document = decode(text, _Document)
    decided_at, decided_by, note, alert_identifier = decision
    return Proposal(
        id=number,
        service=service,
        occasion=occasion_of(status, run),
        revision=revision,
        assessment=document.assessment,
        state=ProposalState(state),
        created_at=created_at,
        decided_at=decided_at,
        decided_by=decided_by or "",
        decision_note=note or "",
        alert_identifier=alert_identifier or "",
        public_reason=document.public_reason,
        attributes=document.attributes,
        reassessment=document.reassessment,
    )


def _checked(effect: object, service: str) -> Assessment:
    """Return the effect as it will be read back; a wrong type in it would surface too late."""
    if not isinstance(effect, Assessment):
        message = f"service {service} returned {type(effect).__name__}, not an Assessment"
        raise InvalidPlugin(message)
    try:
        assessment = decode(encode(effect), Assessment)
    except (msgspec.ValidationError, TypeError, UnicodeEncodeError) as error:
        message = f"service {service} returned an assessment that cannot be kept: {error}"
        raise InvalidPlugin(message) from error
    if assessment.at.tzinfo is None:
        message = f"service {service} returned an assessment whose time has no zone"
        raise InvalidPlugin(message)
    return assessment


def _says(connection: Connection[TupleRow], key: SituationKey, assessment: Assessment) -> bool:
    """Whether the service's newest proposal, whatever became of it, says the same but for time."""
    newest = newest_assessment(connection, key)
    return newest is not None and replace(newest, at=assessment.at) == assessment


def _is_answered(
    connection: Connection[TupleRow],
    key: SituationKey,
    known: LockedSituation,
    level: AlertLevel,
) -> bool:
    """Whether a person ended the order knowing of a level like this one, or higher.

    A rise that was already proposed then still waits, and is told in its newest words.
    """
    if known.in_force is not None or level > known.level:
        return False
    values = {**key._asdict(), "falls": level < known.level}
    row = connection.execute(_ENDED, values).fetchone()
    return row is not None and bool(row[0])
