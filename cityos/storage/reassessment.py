"""A person takes a decision back: the situation is set back, and its evidence is heard again.

Everything here runs inside the caller's transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import PRACTICE_RUN, Exercise
from cityos.domain.proposal import Assessment, Proposal, ProposalState, Reassessment
from cityos.errors import Conflict
from cityos.storage import news, situations
from cityos.storage.documents import encode
from cityos.storage.issuing import alert_in_chain, expiry
from cityos.storage.situations import LockedSituation, SituationKey

# By the few situations that are open: nothing may be read for each proposal that there ever was.
POSSIBLE: Final = """
(status, run, service, situation, revision) IN (
    SELECT s.status, s.run, s.service, s.key, (
        SELECT max(revision) FROM proposal p
        WHERE (p.tenant_id, p.status, p.run, p.service, p.situation)
            = (s.tenant_id, s.status, s.run, s.service, s.key))
    FROM situation s
    LEFT JOIN alert a ON (a.tenant_id, a.status, a.run, a.identifier)
                       = (s.tenant_id, s.status, s.run, s.in_force)
    WHERE s.tenant_id = %(tenant)s AND s.level > 0
      AND (s.in_force IS NULL OR a.valid_until <= %(at)s)
      AND NOT EXISTS (
          SELECT FROM proposal p
          WHERE (p.tenant_id, p.status, p.run, p.service, p.situation)
              = (s.tenant_id, s.status, s.run, s.service, s.key) AND p.state = 'pending'))
"""
"""What ``ask`` takes, as a condition on the rows of ``proposal`` of one tenant."""

_FOREMOST: Final = """
SELECT id, state FROM proposal
WHERE (tenant_id, status, run, service, situation) = (%s, %s, %s, %s, %s)
ORDER BY state = 'pending' DESC, revision DESC LIMIT 1
"""
_NOTE: Final = """
UPDATE proposal SET document = document || jsonb_build_object('reassessment', %s::jsonb)
WHERE (tenant_id, id) = (%s, %s)
"""
_IS_PRACTICE: Final = "SELECT practice FROM tenant WHERE id = %s"
# Of the evidence that is measured, the newest value: a service looks at all the rest by itself.
_MEASURED: Final = """
INSERT INTO event (tenant_id, kind, status, run, dataset, at, document)
SELECT s.tenant_id, 'observation', %(status)s, %(run)s, s.dataset,
       greatest(l.observed_at, %(at)s),
       jsonb_build_object(
           'entity', s.entity_id, 'property', s.property, 'dataset', s.dataset,
           'value', coalesce(to_jsonb(l.value), l.document), 'unit', s.unit,
           'observed_at', l.observed_at, 'received_at', l.received_at,
           'quality', l.quality, 'raw_id', l.raw_id)
FROM unnest(%(sources)s::text[], %(properties)s::text[]) AS k (entity, property)
JOIN series s ON (s.tenant_id, s.entity_id, s.property, s.dataset)
               = (%(tenant)s, k.entity, k.property, %(dataset)s)
JOIN latest l ON l.series_id = s.id
ORDER BY l.observed_at DESC LIMIT 1
"""
_RECEIVED: Final = """
INSERT INTO event (tenant_id, kind, status, run, dataset, at, document)
SELECT tenant_id, 'alert', status, run, %(dataset)s, greatest(sent, %(at)s),
       jsonb_build_object('identifier', identifier)
FROM alert
WHERE (tenant_id, status, run) = (%(tenant)s, %(status)s, %(run)s)
  AND identifier = ANY(%(sources)s) AND NOT ours
ORDER BY sent DESC LIMIT 1
"""


def ask(
    connection: Connection[TupleRow],
    tenant: str,
    proposal_id: str,
    *,
    by: str,
    reason: str,
    now: datetime,
) -> None:
    """Set the proposal's situation back and put its newest evidence into the queue of events.

    Raises NotFound; Conflict.
    """
    proposal, key, situation = situations.lock_proposal(connection, tenant, proposal_id)
    _check(connection, key, situation, proposal, now)
    situations.set_back(connection, key)
    connection.execute(_NOTE, (encode(Reassessment(now, by, reason)), tenant, proposal_id))
    assessment = situations.newest_assessment(connection, key)
    if assessment is not None:
        _hear_again(connection, key, assessment, now)


def _check(
    connection: Connection[TupleRow],
    key: SituationKey,
    situation: LockedSituation | None,
    proposal: Proposal,
    now: datetime,
) -> None:
    row = connection.execute(_FOREMOST, key).fetchone()
    foremost, state = row or (proposal.id, proposal.state)
    if state == ProposalState.PENDING:
        which = "it" if foremost == proposal.id else f"the proposal {foremost} of its situation"
        raise _refused(f"{which} waits for a decision")
    if foremost != proposal.id:
        raise _refused(f"a later proposal of its situation, {foremost}, was decided")
    if situation is None:
        raise _refused("its situation is over, and is proposed by itself if it comes back")
    if situation.in_force is not None:
        expires = expiry(alert_in_chain(connection, key, situation.in_force))
        if expires is None or expires > now:
            raise _refused(
                f"the order {situation.in_force} is in force, and has to be ended first"
            )
    if situation.level == AlertLevel.NONE:
        raise _refused("its situation stands at no level, and a rise is proposed by itself")


def _refused(why: str) -> Conflict:
    return Conflict(f"the proposal cannot be assessed again: {why}")


def _hear_again(
    connection: Connection[TupleRow], key: SituationKey, assessment: Assessment, now: datetime
) -> None:
    """The event is of now, so that what fell silent or ended counts no more.

    An exercise has a time of its own, which may be last year's: there it is of its newest value.
    """
    measured = [each for each in assessment.evidence if each.kind == "observation"]
    values = {
        **key._asdict(),
        "dataset": _dataset(connection, key),
        "at": now if key.status == "Actual" else assessment.at,
        "sources": [each.source for each in measured],
        "properties": [each.observed_property for each in measured],
    }
    if connection.execute(_MEASURED, values).rowcount == 0:
        values["sources"] = [each.source for each in assessment.evidence]
        connection.execute(_RECEIVED, values)
    news.ring(connection, news.WORK)


def _dataset(connection: Connection[TupleRow], key: SituationKey) -> str:
    """Where the occasion's series are: those of a practice city have no dataset (ingest)."""
    if key.status == "Actual":
        return ""
    row = connection.execute(_IS_PRACTICE, (key.tenant,)).fetchone()
    if key.run == PRACTICE_RUN and row is not None and row[0]:
        return ""
    return Exercise(key.run).dataset
