"""A city on a real database for the tests of the alert path: events in, alerts out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from cityos.domain.alert import Alert
from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Name
from cityos.domain.observation import Reading
from cityos.domain.occasion import Actual, Occasion
from cityos.domain.proposal import Assessment, Issuer, Proposal
from cityos.storage.database import Database
from cityos.storage.documents import encode
from cityos.storage.events import PostgresEventQueue
from cityos.storage.lane import Lane
from cityos.storage.news import AlertAnnouncer
from cityos.storage.orders import PostgresOrderBook
from cityos.storage.outbox import PostgresOutbox
from cityos.testing import builders as a
from cityos.testing.clock import ChosenClock

ISSUER = Issuer(sender="town.example.jp", name=Name("Town", "町"))
CHANNELS = ("mqtt", "sse")


class AlertPath:
    """The parts of dispatch on one database, and how tests put things in."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url, application="test-dispatch", min_size=1, max_size=6)
        self.clock = ChosenClock(a.NOON)
        self.orders = PostgresOrderBook(self.database, channels=CHANNELS)
        self.announcer = AlertAnnouncer(self.database)
        self._closing: list[Any] = []

    def queue(self) -> PostgresEventQueue:
        queue = PostgresEventQueue.at(
            self.url, self.database, self.clock, application="test-events"
        )
        self._closing.append(queue)
        return queue

    def outbox(self) -> PostgresOutbox:
        outbox = PostgresOutbox.at(self.url, self.database, application="test-delivery")
        self._closing.append(outbox)
        return outbox

    def add_tenant(self, tenant: str) -> None:
        self.execute(
            "INSERT INTO tenant (id, name_en, name_ja) VALUES (%s, %s, %s)",
            tenant,
            tenant,
            tenant,
        )

    def happen(
        self,
        reading: Reading,
        *,
        tenant: str = "town",
        occasion: Occasion | None = None,
        at: datetime | None = None,
    ) -> int:
        """Queue the event that a reading is in the store, as ingest writes it."""
        document = {
            "entity": reading.entity,
            "property": reading.observed_property,
            "dataset": reading.dataset,
            "value": reading.value,
            "unit": reading.unit,
            "observed_at": reading.observed_at.isoformat(),
            "received_at": reading.received_at.isoformat(),
            "quality": int(reading.quality),
            "raw_id": reading.raw_id,
        }
        lane = Lane.of(tenant, occasion or Actual())
        return self._event(
            lane, "observation", reading.dataset, at or reading.observed_at, document
        )

    def hear(
        self,
        alert: Alert,
        *,
        tenant: str = "town",
        supersedes: str = "",
        valid_until: datetime | None = None,
    ) -> int:
        """Store another authority's alert and queue its event, as ingest does."""
        self.execute(
            """
            INSERT INTO alert (tenant_id, identifier, status, run, sender, sent, message_type,
                               ours, source, level, supersedes, valid_until, raw_id, document)
            VALUES (%s, %s, %s, %s, %s, %s, %s, false, 'jma', %s, %s, %s, 1, %s)
            """,
            tenant,
            alert.identifier,
            alert.status,
            alert.occasion.run,
            alert.sender,
            alert.sent,
            alert.message_type.value,
            int(alert.level),
            supersedes or alert.identifier,
            valid_until,
            encode(alert),
        )
        lane = Lane.of(tenant, alert.occasion)
        return self._event(lane, "alert", "", alert.sent, {"identifier": alert.identifier})

    def propose(
        self,
        assessment: Assessment,
        *,
        occasion: Occasion | None = None,
        tenant: str = "town",
        service: str = "flood_watch",
    ) -> Proposal | None:
        """Have a service propose this; None where nothing is to be decided."""
        return self.perform([assessment], occasion=occasion, tenant=tenant, service=service)[0]

    def perform(
        self,
        effects: Sequence[Assessment],
        *,
        occasion: Occasion | None = None,
        tenant: str = "town",
        service: str = "flood_watch",
    ) -> list[Proposal | None]:
        self.execute(
            "INSERT INTO event (tenant_id, kind, status, run, dataset, at, document) "
            "VALUES (%s, 'observation', %s, %s, '', %s, %s)",
            *Lane.of(tenant, occasion or Actual()),
            a.NOON,
            encode(
                {
                    "entity": "urn:x:y",
                    "property": "water_level",
                    "dataset": "",
                    "value": 1.0,
                    "unit": "m",
                    "observed_at": a.NOON,
                    "received_at": a.NOON,
                    "quality": 0,
                    "raw_id": 1,
                }
            ),
        )
        with self.queue().take() as works:
            made = list(works[0].perform(service, effects))
            works[0].done()
        return made or [None]

    def proposed(
        self,
        level: AlertLevel = AlertLevel.EVACUATE,
        key: str = "flood/x",
        *,
        occasion: Occasion | None = None,
        tenant: str = "town",
        **rest: Any,
    ) -> Proposal:
        """Have a service see this level now, of which there must come a proposal."""
        assessment = a.assessment(key, level, self.clock.now(), **rest)
        proposal = self.propose(assessment, occasion=occasion, tenant=tenant)
        assert proposal is not None
        return proposal

    def issue(
        self,
        level: AlertLevel = AlertLevel.EVACUATE,
        key: str = "flood/x",
        occasion: Occasion | None = None,
    ) -> Alert:
        """Have a service see this level a second later, and a person approve what it proposes."""
        self.clock.advance(1)
        return self.approve(self.proposed(level, key, occasion=occasion))

    def approve(self, proposal: Proposal, *, tenant: str = "town") -> Alert:
        return self.orders.approve(
            tenant, proposal.id, issuer=ISSUER, by="key-1", note="", now=self.clock.now()
        )

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(query, values).fetchall()

    def execute(self, query: str, *values: object) -> None:
        with self.database.connection() as connection:
            connection.execute(query, values)

    def close(self) -> None:
        for part in self._closing:
            part.close()
        self.database.close()

    def _event(
        self, lane: Lane, kind: str, dataset: str, at: datetime, document: dict[str, Any]
    ) -> int:
        with self.database.connection() as connection:
            row = connection.execute(
                "INSERT INTO event (tenant_id, status, run, kind, dataset, at, document) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
                (*lane, kind, dataset, at, encode(document)),
            ).fetchone()
            connection.execute("NOTIFY cityos_work")
        assert row is not None
        return int(row[0])


@contextmanager
def alert_path(url: str) -> Iterator[AlertPath]:
    """A city ``town`` on the database, closed at the end."""
    path = AlertPath(url)
    try:
        path.add_tenant("town")
        yield path
    finally:
        path.close()
