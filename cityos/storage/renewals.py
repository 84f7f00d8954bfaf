"""Orders about to lapse while their situation stands: a person is asked whether they go on."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
import structlog

from cityos.domain.proposal import ORDER_VALID_FOR, RENEW_BEFORE, Proposal, renewal
from cityos.storage import situations
from cityos.storage.database import Database
from cityos.storage.situations import PROPOSAL_COLUMNS, SituationKey, proposal_of

_AT_ONCE: Final = 500
"""Situations in one call; those left over are due the next time."""

_DUE: Final = """
FROM situation s
JOIN alert a ON (a.tenant_id, a.status, a.run, a.identifier)
              = (s.tenant_id, s.status, s.run, s.in_force)
WHERE s.level > 0 AND a.valid_until > %(lapsed)s AND a.valid_until <= %(until)s
  AND NOT EXISTS (
      SELECT FROM proposal p
      WHERE (p.tenant_id, p.status, p.run, p.service, p.situation)
          = (s.tenant_id, s.status, s.run, s.service, s.key)
        AND (p.state = 'pending'
             OR p.state = 'rejected' AND p.document ->> 'renews' = s.in_force))
"""
_SITUATIONS: Final = f"""
SELECT s.tenant_id, s.status, s.run, s.service, s.key {_DUE}
ORDER BY s.status, a.valid_until LIMIT {_AT_ONCE}
"""
_STILL_DUE: Final = f"""
SELECT s.in_force, a.valid_until {_DUE}
  AND (s.tenant_id, s.status, s.run, s.service, s.key)
    = (%(tenant)s, %(status)s, %(run)s, %(service)s, %(key)s)
"""
_APPROVED: Final = f"""
SELECT {PROPOSAL_COLUMNS} FROM proposal
WHERE (tenant_id, status, run, service, situation, alert_identifier) = (%s, %s, %s, %s, %s, %s)
"""  # noqa: S608 - the columns are a constant

_log = structlog.get_logger(__name__)


class PostgresRenewals:
    """An ``OrderRenewals``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def propose_due(self, now: datetime) -> Sequence[tuple[str, Proposal]]:
        span = {"lapsed": now - ORDER_VALID_FOR, "until": now + RENEW_BEFORE}
        with self._database.connection() as connection:
            keys = [SituationKey(*row) for row in connection.execute(_SITUATIONS, span)]
        made = []
        for key in keys:
            try:
                proposal = self._propose(key, span, now)
            except msgspec.ValidationError as error:  # one bad row must not hold up the others
                _log.error(
                    "an order cannot be renewed: its proposal cannot be read",
                    tenant=key.tenant,
                    situation=key.key,
                    reason=str(error),
                )
                continue
            if proposal is not None:
                made.append((key.tenant, proposal))
        return made

    def _propose(
        self, key: SituationKey, span: dict[str, datetime], now: datetime
    ) -> Proposal | None:
        """One transaction for each: a lock on one situation is never held for another's sake."""
        with self._database.connection() as connection:
            situations.lock(connection, key)
            # only now: whoever held the lock may have proposed or decided
            due = connection.execute(_STILL_DUE, {**span, **key._asdict()}).fetchone()
            if due is None:
                return None
            in_force, expires = due
            row = connection.execute(_APPROVED, (*key, in_force)).fetchone()
            if row is None:
                return None
            proposal = renewal(
                proposal_of(row),
                expires,
                proposal_id=secrets.token_urlsafe(12),
                revision=situations.next_revision(connection, key),
                now=now,
            )
            situations.insert(connection, key, proposal, renews=in_force)
            return proposal
