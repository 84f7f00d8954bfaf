"""What a service sees: the city at the time of the event, on the event's own occasion.

All reads go over the connection of the transaction that takes the event off its queue. A batch of
events shares a ``BatchMemory``, so that registry, situations and bulletins are read once a batch
and not once an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.alert import Alert
from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Entity
from cityos.domain.history import Sample
from cityos.domain.proposal import Situation
from cityos.storage import entity_rows
from cityos.storage.deadline import within_deadline
from cityos.storage.lane import Lane, alert_of
from cityos.storage.series_window import SeriesName, SeriesWindows

BULLETIN_LIMIT: Final = 1_000

_ENTITIES: Final = """
SELECT id, type, name_en, name_ja, longitude, latitude, geometry, attributes FROM entity
WHERE tenant_id = %s AND type = %s
"""
_SITUATIONS: Final = """
SELECT s.key, s.level, s.peak, s.opened_at, s.changed_at, a.document::text
FROM situation s
LEFT JOIN alert a ON (a.tenant_id, a.status, a.run, a.identifier)
                   = (s.tenant_id, s.status, s.run, s.in_force)
WHERE (s.tenant_id, s.status, s.run, s.service) = (%s, %s, %s, %s)
"""
_BULLETINS: Final = """
SELECT sent, superseded_at, valid_until, document::text FROM alert
WHERE (tenant_id, status, run) = (%s, %s, %s) AND NOT ours
  AND (superseded_at IS NULL OR superseded_at > %s)
  AND (valid_until IS NULL OR valid_until > %s)
ORDER BY sent DESC, identifier DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class _Bulletin:
    sent: datetime
    until: datetime | None
    alert: Alert


@dataclass(slots=True)
class BatchMemory:
    """What was read already in this transaction. ``since`` is the earliest event of the batch."""

    since: datetime
    windows: SeriesWindows
    entity: dict[str, Entity | None] = field(default_factory=dict)
    entities: dict[str, Sequence[Entity]] = field(default_factory=dict)
    situations: dict[str, dict[str, Situation]] = field(default_factory=dict)
    bulletins: list[_Bulletin] | None = None


class PostgresCityView:
    """A ``CityView`` over one transaction. ``dataset`` is the occasion's series."""

    def __init__(
        self,
        connection: Connection[TupleRow],
        memory: BatchMemory,
        *,
        lane: Lane,
        dataset: str,
        at: datetime,
        service: str,
    ) -> None:
        self._connection = connection
        self._memory = memory
        self._lane = lane
        self._dataset = dataset
        self._at = at
        self._service = service

    def entity(self, entity_id: str) -> Entity | None:
        known = self._memory.entity
        if entity_id not in known:
            rows = self._rows(entity_rows.ONE, self._lane.tenant, entity_id)
            known[entity_id] = entity_rows.entity(rows[0]) if rows else None
        return known[entity_id]

    def entities(self, entity_type: str) -> Sequence[Entity]:
        known = self._memory.entities
        if entity_type not in known:
            rows = self._rows(_ENTITIES, self._lane.tenant, entity_type)
            found = [entity_rows.entity(row) for row in rows]
            known[entity_type] = tuple(sorted(found, key=lambda entity: entity.id))
        return known[entity_type]

    def latest(self, entity_id: str, observed_property: str) -> Sample | None:
        series = self._series(entity_id, observed_property)
        return None if _unknowable(*series) else self._memory.windows.latest(series, self._at)

    def history(self, entity_id: str, observed_property: str, since: datetime) -> Sequence[Sample]:
        series = self._series(entity_id, observed_property)
        if _unknowable(*series):
            return []
        return self._memory.windows.history(series, since, self._at)

    def situation(self, key: str) -> Situation | None:
        return self._situations().get(key)

    def situations(self) -> Sequence[Situation]:
        return sorted(self._situations().values(), key=lambda situation: situation.key)

    def bulletins_in_force(self) -> Sequence[Alert]:
        if self._memory.bulletins is None:
            since = self._memory.since
            rows = self._rows(_BULLETINS, *self._lane, since, since, BULLETIN_LIMIT)
            found = [_bulletin(self._lane, row) for row in rows]
            found.sort(key=lambda bulletin: (bulletin.sent, bulletin.alert.identifier))
            self._memory.bulletins = found
        return [
            bulletin.alert
            for bulletin in self._memory.bulletins
            if bulletin.sent <= self._at and (bulletin.until is None or bulletin.until > self._at)
        ]

    def _situations(self) -> dict[str, Situation]:
        known = self._memory.situations
        if self._service not in known:
            rows = self._rows(_SITUATIONS, *self._lane, self._service)
            known[self._service] = {row[0]: _situation(self._lane, row) for row in rows}
        return known[self._service]

    def _series(self, entity_id: str, observed_property: str) -> SeriesName:
        return SeriesName(self._lane.tenant, entity_id, observed_property, self._dataset)

    def _rows(self, query: str, *values: object) -> list[TupleRow]:
        if _unknowable(*values):
            return []
        with within_deadline():
            return self._connection.execute(query, values).fetchall()


def _unknowable(*values: object) -> bool:
    """Whether a name holds NUL: none in the store does, and asking would end the transaction."""
    return any(isinstance(value, str) and "\0" in value for value in values)


def _situation(lane: Lane, row: TupleRow) -> Situation:
    key, level, peak, opened_at, changed_at, document = row
    return Situation(
        key=key,
        level=AlertLevel(level),
        peak=AlertLevel(peak),
        opened_at=opened_at,
        changed_at=changed_at,
        in_force=None if document is None else alert_of(lane.status, document),
    )


def _bulletin(lane: Lane, row: TupleRow) -> _Bulletin:
    sent, superseded_at, valid_until, document = row
    ends: list[Any] = [end for end in (superseded_at, valid_until) if end is not None]
    return _Bulletin(sent, min(ends, default=None), alert_of(lane.status, document))
