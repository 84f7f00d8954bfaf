"""The end of an exercise: what of it waits and what is in force is closed, situation by situation.

Everything here runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.alert import Alert
from cityos.domain.occasion import PRACTICE_RUN, Exercise
from cityos.domain.proposal import Issuer
from cityos.errors import NotFound
from cityos.ports import OpenExercise
from cityos.storage import issuing, situations
from cityos.storage.issuing import alert_in_chain, expiry
from cityos.storage.situations import SituationKey

_UNDER_WAY: Final = """
SELECT s.run, count(p.id), count(DISTINCT a.identifier)
FROM situation s
LEFT JOIN proposal p ON (p.tenant_id, p.status, p.run, p.service, p.situation)
                      = (s.tenant_id, s.status, s.run, s.service, s.key) AND p.state = 'pending'
LEFT JOIN alert a ON (a.tenant_id, a.status, a.run, a.identifier)
                   = (s.tenant_id, s.status, s.run, s.in_force) AND a.valid_until > %s
WHERE (s.tenant_id, s.status) = (%s, 'Exercise')
GROUP BY s.run ORDER BY s.run
"""
_SITUATIONS: Final = """
SELECT tenant_id, status, run, service, key FROM situation
WHERE (tenant_id, status, run) = (%s, 'Exercise', %s) ORDER BY service, key
"""
_KNOWN: Final = """
SELECT EXISTS (SELECT FROM proposal
               WHERE (tenant_id, status, run) = (%(tenant)s, 'Exercise', %(run)s))
    OR EXISTS (SELECT FROM alert
               WHERE (tenant_id, status, run) = (%(tenant)s, 'Exercise', %(run)s))
    OR EXISTS (SELECT FROM series WHERE (tenant_id, dataset) = (%(tenant)s, %(dataset)s))
    OR EXISTS (SELECT FROM tenant WHERE id = %(tenant)s AND practice AND %(run)s = %(practice)s)
"""


def under_way(
    connection: Connection[TupleRow], tenant: str, now: datetime
) -> Sequence[OpenExercise]:
    """Return the exercises that have open situations, by name."""
    return [OpenExercise(*row) for row in connection.execute(_UNDER_WAY, (now, tenant))]


def situations_of(
    connection: Connection[TupleRow], tenant: str, exercise: Exercise
) -> Sequence[SituationKey]:
    """Return what is open of the exercise; nothing once it has ended.

    Raises NotFound: nothing was ever measured, announced or proposed under that name.
    """
    rows = connection.execute(_SITUATIONS, (tenant, exercise.run)).fetchall()
    if not rows:
        values = {
            "tenant": tenant,
            "run": exercise.run,
            "dataset": exercise.dataset,
            "practice": PRACTICE_RUN,
        }
        known = connection.execute(_KNOWN, values).fetchone()
        if known is None or not known[0]:
            message = f"no exercise {exercise.run!r} in this city"
            raise NotFound(message)
    return [SituationKey(*row) for row in rows]


def end_one(
    connection: Connection[TupleRow],
    key: SituationKey,
    *,
    issuer: Issuer,
    by: str,
    reason: str,
    now: datetime,
    channels: Sequence[str],
) -> tuple[int, tuple[Alert, ...]]:
    """Close one situation; return how many proposals were superseded, and the Cancel if any."""
    situation = situations.lock(connection, key)
    if situation is None:
        return 0, ()
    superseded = situations.supersede_pending(connection, key, now, by=by, note=reason)
    cancels: tuple[Alert, ...] = ()
    if situation.in_force is not None:
        order = alert_in_chain(connection, key, situation.in_force)
        expires = expiry(order)
        if expires is None or expires > now:
            cancels = (
                issuing.end(
                    connection,
                    key,
                    order,
                    issuer=issuer,
                    by=by,
                    reason=reason,
                    now=now,
                    channels=channels,
                ),
            )
    situations.close(connection, key)
    return superseded, cancels
