"""The queue of events in PostgreSQL: taken in order, removed together with their effects.

Events go by lanes: a city on an occasion. Within a lane they are taken in the order of their ids
by one worker at a time, which holds the lane's advisory lock until its transaction ends. Between
lanes nothing is ordered, for nothing crosses: so a rehearsal at a thousand times the speed never
stands in front of a real reading, and a busy city does not stand in front of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.event import AlertReceived, Event, ObservationStored
from cityos.domain.observation import Quality, Reading, Value
from cityos.domain.proposal import Assessment, Proposal
from cityos.plugins.contract import CityView
from cityos.ports import Clock
from cityos.storage import news, situations
from cityos.storage.city_view import BatchMemory, PostgresCityView
from cityos.storage.database import Database
from cityos.storage.deadline import within_deadline
from cityos.storage.documents import decode, decode_value
from cityos.storage.lane import Lane, alert_of
from cityos.storage.news import AlertNotice, Listener
from cityos.storage.series_window import SeriesWindows

_LOCK_SPACE: Final = 0x0C17_7E
"""First half of the advisory lock of a lane; the second is a hash of its name."""
_ERROR_CHARACTERS: Final = 2_000
_LANE_LIMIT: Final = 1_000

# A loose index scan over event_waiting: one look-up a lane, however long the queue.
_LANES: Final = """
WITH RECURSIVE lane AS (
    (SELECT status, tenant_id, run FROM event WHERE failed_at IS NULL
     ORDER BY status, tenant_id, run LIMIT 1)
    UNION ALL
    SELECT next.* FROM lane, LATERAL (
        SELECT status, tenant_id, run FROM event
        WHERE failed_at IS NULL
          AND (status, tenant_id, run) > (lane.status, lane.tenant_id, lane.run)
        ORDER BY status, tenant_id, run LIMIT 1) next
)
SELECT tenant_id, status, run FROM lane LIMIT %s
"""
_LOCK_LANE: Final = "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))"
_TAKE: Final = """
SELECT e.id, e.kind, e.dataset, e.at, e.created_at, e.document::text,
       CASE e.kind WHEN 'alert' THEN (
           SELECT a.document::text FROM alert a
           WHERE (a.tenant_id, a.status, a.run, a.identifier)
               = (e.tenant_id, e.status, e.run, e.document ->> 'identifier')) END
FROM event e
WHERE e.failed_at IS NULL AND (e.status, e.tenant_id, e.run) = (%s, %s, %s)
ORDER BY e.id LIMIT %s
FOR UPDATE SKIP LOCKED
"""
_REMOVE: Final = "DELETE FROM event WHERE id = ANY(%s)"
_SET_ASIDE: Final = "UPDATE event SET failed_at = now(), error = %s WHERE id = %s"


@dataclass(frozen=True, slots=True)
class _ReadingDocument:
    """What ingest writes of a reading that it stored."""

    entity: str
    property: str
    value: Any
    unit: str
    observed_at: datetime
    received_at: datetime
    quality: int
    raw_id: int
    dataset: str = ""

    def reading(self) -> Reading:
        return Reading(
            entity=self.entity,
            observed_property=self.property,
            value=_value(self.value),
            unit=self.unit,
            observed_at=self.observed_at,
            received_at=self.received_at,
            quality=Quality(self.quality),
            dataset=self.dataset,
            raw_id=self.raw_id,
        )


@dataclass(slots=True)
class PostgresEventWork:
    """One event of a batch, and what became of it."""

    tenant: str
    event: Event
    stored_at: datetime
    lane: Lane
    dataset: str
    connection: Connection[TupleRow]
    memory: BatchMemory
    clock: Clock
    failures: list[str] = field(default_factory=list)
    handled: bool = False

    def city(self, service: str) -> CityView:
        return PostgresCityView(
            self.connection,
            self.memory,
            lane=self.lane,
            dataset=self.dataset,
            at=self.event.at,
            service=service,
        )

    def perform(self, service: str, effects: Sequence[Assessment]) -> Sequence[Proposal]:
        """Raises InvalidPlugin for an effect that cannot be kept; Unavailable."""
        if not effects:
            return []
        now = self.clock.now()
        self.memory.situations.pop(service, None)
        with within_deadline(), self.connection.transaction():
            made = [
                situations.propose(self.connection, self.lane, service, effect, now)
                for effect in effects
            ]
        return [proposal for proposal in made if proposal is not None]

    def set_aside(self, service: str, reason: str) -> None:
        self.failures.append(f"{service}: {reason}")

    def done(self) -> None:
        self.handled = True


class PostgresEventQueue:
    """An ``EventQueue``. ``listener`` hears ``cityos_work``. For one thread."""

    def __init__(self, database: Database, listener: Listener, clock: Clock) -> None:
        self._database = database
        self._listener = listener
        self._clock = clock
        self._served: Lane | None = None

    @classmethod
    def at(
        cls, url: str, database: Database, clock: Clock, *, application: str
    ) -> PostgresEventQueue:
        return cls(database, Listener(url, news.WORK, application=application), clock)

    @contextmanager
    def take(self, limit: int = 1) -> Iterator[Sequence[PostgresEventWork]]:
        with self._database.connection() as connection:
            works = self._next_batch(connection, limit)
            yield works
            _settle(connection, [work for work in works if work.handled])

    def fail(self, event_id: int, error: str) -> None:
        with self._database.connection() as connection:
            _set_aside(connection, event_id, error)

    def wait(self, timeout_s: float) -> None:
        """Raises Unavailable when the database is away."""
        self._listener.wait(timeout_s)

    def close(self) -> None:
        self._listener.close()

    def _next_batch(self, connection: Connection[TupleRow], limit: int) -> list[PostgresEventWork]:
        rows = connection.execute(_LANES, (_LANE_LIMIT,)).fetchall()
        for lane in self._in_turn([Lane(*row) for row in rows]):
            name = f"{lane.status}/{lane.tenant}/{lane.run}"
            row = connection.execute(_LOCK_LANE, (_LOCK_SPACE, name)).fetchone()
            if row is None or not row[0]:
                continue  # another worker is at it
            while works := self._read(connection, lane, limit):
                readable = [work for work in works if work is not None]
                if readable:
                    self._served = lane
                    return readable
        return []

    def _in_turn(self, lanes: Sequence[Lane]) -> list[Lane]:
        """Actual before Exercise; among the same, those after the lane that was served last."""

        def turn(lane: Lane) -> tuple[str, bool, Lane]:
            return lane.status, self._served is not None and lane <= self._served, lane

        return sorted(lanes, key=turn)

    def _read(
        self, connection: Connection[TupleRow], lane: Lane, limit: int
    ) -> list[PostgresEventWork | None]:
        """The oldest events of the lane; None for each that cannot be read and was set aside."""
        values = (lane.status, lane.tenant, lane.run, limit)
        rows = connection.execute(_TAKE, values).fetchall()
        if not rows:
            return []
        first, last = min(row[3] for row in rows), max(row[3] for row in rows)
        memory = BatchMemory(first, SeriesWindows(connection, first=first, last=last))
        works: list[PostgresEventWork | None] = []
        for row in rows:
            number, _, dataset, _, stored_at, _, _ = row
            event = _event(lane, row)
            if isinstance(event, str):
                _set_aside(connection, number, event)
                works.append(None)
                continue
            works.append(
                PostgresEventWork(
                    tenant=lane.tenant,
                    event=event,
                    stored_at=stored_at,
                    lane=lane,
                    dataset=dataset,
                    connection=connection,
                    memory=memory,
                    clock=self._clock,
                )
            )
        return works


def _settle(connection: Connection[TupleRow], works: Sequence[PostgresEventWork]) -> None:
    """Remove what is handled, keep what a service failed on, tell of alerts that came in."""
    for work in works:
        if work.failures:
            _set_aside(connection, work.event.id, "\n".join(work.failures))
        if isinstance(work.event, AlertReceived):
            alert = work.event.alert
            notice = AlertNotice(work.tenant, alert.identifier, alert.status)
            news.announce(connection, notice)
    removed = [work.event.id for work in works if not work.failures]
    if removed:
        connection.execute(_REMOVE, (removed,))


def _set_aside(connection: Connection[TupleRow], event_id: int, error: str) -> None:
    reason = error.replace("\0", "")[:_ERROR_CHARACTERS]
    connection.execute(_SET_ASIDE, (reason, event_id))


def _event(lane: Lane, row: TupleRow) -> Event | str:
    """Return the event of the row, or why it cannot be read."""
    number, kind, _, at, _, document, alert = row
    if kind == "alert":
        if alert is None:
            return "the alert that the event tells of is not in the store"
        try:
            received = alert_of(lane.status, alert)
        except msgspec.ValidationError as error:
            return f"the alert of the event cannot be read: {error}"
        return AlertReceived(id=number, occasion=lane.occasion, at=at, alert=received)
    try:
        reading = decode(document, _ReadingDocument).reading()
    except (msgspec.ValidationError, ValueError) as error:
        return f"the reading of the event cannot be read: {error}"
    return ObservationStored(id=number, occasion=lane.occasion, at=at, reading=reading)


def _value(value: Any) -> Value:  # noqa: ANN401 - it is JSON
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return decode_value(None, value)
