"""What the engine needs from outside, as protocols. ``bootstrap`` joins them to implementations.

Every call that leaves the process has a deadline and raises ``Unavailable`` when it passes.
Implementations are thread-safe unless a docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol, TypeAlias
from uuid import UUID

from cityos.domain.alert import Alert
from cityos.domain.entity import Device, Entity, Tenant
from cityos.domain.event import Event
from cityos.domain.history import BoundingBox, Bucket, Near, Order, Sample, SeriesKey
from cityos.domain.observation import QUALITIES, Quality, Value
from cityos.domain.occasion import Exercise, Occasion
from cityos.domain.proposal import Assessment, Issuer, Proposal, ProposalState
from cityos.plugins.contract import CityView


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def monotonic_s(self) -> float: ...


# --- the ingest side ---------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class SeriesHandle:
    """A series on the hot path: looked up once, then one dictionary access a reading.

    ``id`` is 0 until the store has numbered it. ``latest_at`` is the newest ``observed_at`` that
    this process knows of (None: none yet). ``wanted`` says that a service listens to it.
    """

    tenant: str
    key: SeriesKey
    unit: str
    occasion: Occasion
    wanted: bool = False
    id: int = 0
    latest_at: datetime | None = None


@dataclass(slots=True, eq=False)
class Origin:
    """Who sent on which topic, and what read it (``adapter`` is ``id@version``).

    ``id`` is 0 until the store has numbered it.
    """

    tenant: str
    vendor: str
    device: str
    topic: str
    adapter: str
    id: int = 0


class RawBlock(NamedTuple):
    """Messages as they came, one after the other: the first has ``first_id``, the next one more.

    Ids are unique over all ingest nodes and grow on each.
    """

    first_id: int
    received_at: datetime
    origins: list[Origin]
    payloads: list[bytes]


CheckedValue: TypeAlias = tuple[SeriesHandle, datetime, datetime, int, Value, int]
"""One value on its way into the store: series, observed_at, received_at, raw message id, value,
quality. In the series' unit, plausible, in time. A plain tuple: one is made for every reading, and
a named one costs six times as much."""
SERIES: Final = 0
OBSERVED_AT: Final = 1
RAW_ID: Final = 3
QUALITY: Final = 5
"""Positions in a ``CheckedValue``."""


class ReceivedAlert(NamedTuple):
    """Another authority's alert on its way into the store."""

    tenant: str
    dataset: str
    alert: Alert
    supersedes: str
    valid_until: datetime | None
    raw_id: int


FIRST_RECEIPT: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""There was no CityOS before: an earlier time of receipt is of a clock that had lost its time."""


class DeadLetter(NamedTuple):
    """A message, or a part of it, that was refused. Unknown names are empty."""

    tenant: str
    raw_id: int
    received_at: datetime
    vendor: str
    device: str
    topic: str
    payload: bytes
    reason: str
    detail: str
    path: str
    hint: str


@dataclass(slots=True)
class IngestBatch:
    """All that one transaction stores.

    ``stored_up_to`` is the spool's sequence number after the batch's last message (0: the batch
    does not come from the spool); it is written with the batch, see ``ObservationWriter.resume``.
    """

    stored_up_to: int = 0
    raw: list[RawBlock] = field(default_factory=list)
    values: list[CheckedValue] = field(default_factory=list)
    alerts: list[ReceivedAlert] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    packed: list[object] = field(default_factory=list)
    """What the store has made of the batch ahead of storing it, see ``ObservationWriter.pack``."""

    def extend(self, following: IngestBatch) -> None:
        """Add all of the batch that follows on this one."""
        self.stored_up_to = following.stored_up_to
        self.raw += following.raw
        self.values += following.values
        self.alerts += following.alerts
        self.dead_letters += following.dead_letters
        self.packed += following.packed


class LatestValue(NamedTuple):
    """The newest value of a series, as the live bus and the current state carry it.

    A named tuple: one is made for nearly every reading where they come one by one.
    """

    entity: str
    observed_property: str
    dataset: str
    value: Value
    unit: str
    observed_at: datetime
    received_at: datetime
    quality: Quality = Quality.GOOD

    @classmethod
    def of(cls, value: CheckedValue) -> LatestValue:
        series, observed_at, received_at, _, content, quality = value
        key = series.key
        return cls(
            key.entity,
            key.observed_property,
            key.dataset,
            content,
            series.unit,
            observed_at,
            received_at,
            QUALITIES[quality],
        )


@dataclass(slots=True)
class StoreOutcome:
    """What became of a batch.

    ``moved`` holds the newest value of every series whose latest value moved; ``touched``, by
    tenant, the series that got a value which is not their newest (late or corrected).
    """

    stored: int = 0
    duplicates: int = 0
    corrections: int = 0
    events: int = 0
    moved: list[CheckedValue] = field(default_factory=list)
    touched: dict[str, list[SeriesKey]] = field(default_factory=dict)

    def touch(self, values: Iterable[CheckedValue]) -> None:
        """Note the series of values that are stored and are not their newest, each once."""
        found = {tenant: dict.fromkeys(keys) for tenant, keys in self.touched.items()}
        for series, *_ in values:
            found.setdefault(series.tenant, {})[series.key] = None
        self.touched = {tenant: list(keys) for tenant, keys in found.items()}

    def changed(self) -> dict[str, list[LatestValue]]:
        """``moved`` by tenant, as the live bus carries it; made for whoever asks, not to store."""
        found: dict[str, list[LatestValue]] = {}
        for value in self.moved:
            found.setdefault(value[0].tenant, []).append(LatestValue.of(value))
        return found


class ObservationWriter(Protocol):
    """Where ingest puts a batch: raw messages, values, latest, events, in one transaction.

    Used by one thread at a time, except for ``pack``.
    """

    def resume(self, spool: UUID) -> tuple[int, int]:
        """Return the number of the ingest node whose spool this is, and how far it got.

        The second is the sequence number before which everything is stored; 0 for a new node.
        Raises Unavailable.
        """
        ...

    def origin(self, origin: Origin) -> Origin:
        """Return the one object of this origin in this process. Does not touch the store."""
        ...

    def series(self, tenant: str, key: SeriesKey, unit: str, occasion: Occasion) -> SeriesHandle:
        """Return the one handle of a series on this occasion. Does not touch the store."""
        ...

    def pack(self, batch: IngestBatch, *, before: int = 0) -> None:
        """Do ahead what needs no store. May be called while another thread stores another batch.

        So many values ``before`` it wait already, and will probably be stored with it.

        Optional: ``store`` does by itself what was not done.
        """
        ...

    def store(self, batch: IngestBatch) -> StoreOutcome:
        """Store the batch, all or nothing. Values that are known already change nothing.

        Raises:
            Unavailable: the store does not answer; nothing was stored, unless the connection
                was lost in the very moment of the commit: ask ``resume`` before trying again.
            Rejected: the store refuses something in the batch; nothing was stored.
        """
        ...


class OtherNode(NamedTuple):
    """Another process that ingests into the same store.

    ``same_spool``: it works with a copy of our spool. ``address`` is empty on the same machine.
    """

    spool: UUID
    since: datetime
    address: str
    same_spool: bool


class IngestNodes(Protocol):
    """The ingest processes at work. For one thread."""

    def others(self, spool: UUID) -> Sequence[OtherNode]:
        """Count this process among them until ``close``; return the others, oldest first.

        Raises Unavailable: this process is not counted until the next call.
        """
        ...

    def newest_receipt(self) -> datetime | None:
        """The newest time of receipt among the latest values that came with a time of their own.

        Raises Unavailable.
        """
        ...

    def close(self) -> None: ...


class Registry(Protocol):
    """What is known of tenants, entities and devices."""

    def tenants(self) -> Sequence[Tenant]: ...

    def put_tenant(self, tenant: Tenant) -> None:
        """Create or replace. What a practice city stored is an exercise once it is in earnest.

        Raises Conflict when a city with real values is to become a practice city.
        """
        ...

    def put_entities(self, tenant: str, entities: Sequence[Entity]) -> None:
        """Create or replace."""
        ...

    def put_devices(self, tenant: str, devices: Sequence[Device]) -> None:
        """Create or replace.

        Raises:
            InvalidRequest: a device speaks for an entity that does not exist.
        """
        ...

    def devices(self, tenant: str) -> Sequence[Device]: ...

    def devices_version(self) -> int:
        """A number that grows with every change of tenants or devices, in any process."""
        ...


# --- the reading side --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityQuery:
    """Filters are joined by AND; ``after`` is the last id of the page before."""

    type: str | None = None
    bbox: BoundingBox | None = None
    near: Near | None = None
    attributes_contain: Mapping[str, Any] = field(default_factory=dict)
    after: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class FoundEntity:
    """``distance_m`` is given when the query had ``near``; results are then nearest first."""

    entity: Entity
    distance_m: float | None = None


@dataclass(frozen=True, slots=True)
class KeptDeadLetter:
    """A dead letter as the store keeps it. ``replayed_at`` None: nobody has replayed it."""

    id: int
    letter: DeadLetter
    replayed_at: datetime | None = None


class DeadLetters(Protocol):
    """Dead letters as an operator works on them.

    Those on a topic of ``tenant`` are its own, also from before the tenant was registered.
    """

    def newest(
        self, tenant: str, *, reason: str = "", limit: int = 100
    ) -> Sequence[KeptDeadLetter]: ...

    def waiting(
        self,
        tenant: str,
        *,
        reason: str = "",
        ids: Sequence[int] = (),
        again: bool = False,
        after: int = 0,
        up_to: int | None = None,
        limit: int = 50,
    ) -> Sequence[KeptDeadLetter]:
        """Those that nobody has replayed, oldest first, after the id ``after`` up to ``up_to``.

        ``reason`` empty: all; ``ids`` empty: all; ``again``: those that were replayed too.
        """
        ...

    def newest_id(self) -> int:
        """The id of the newest dead letter of any tenant; 0: there is none."""
        ...

    def replayed(self, message: int, now: datetime) -> None:
        """Mark all dead letters of this raw message."""
        ...


class CityReader(Protocol):
    """What the doors read. Everything is of one tenant."""

    def tenant(self, tenant: str) -> Tenant:
        """Raises NotFound."""
        ...

    def find_entities(self, tenant: str, query: EntityQuery) -> Sequence[FoundEntity]: ...

    def entity(self, tenant: str, entity_id: str) -> Entity:
        """Raises NotFound."""
        ...

    def latest(
        self,
        tenant: str,
        *,
        entity: str | None = None,
        entity_type: str | None = None,
        observed_property: str | None = None,
        dataset: str = "",
        bbox: BoundingBox | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> Sequence[LatestValue]:
        """Newest values ordered by (entity, property), those after ``after``."""
        ...

    def latest_changes(self, since: int | None) -> tuple[int, Sequence[tuple[str, LatestValue]]]:
        """Newest values of all tenants that moved after position ``since`` (None: all of them).

        Returns the position to ask from next time, and (tenant, value) pairs. What moved about
        the time of the call may come again in the next; nothing is ever left out.
        """
        ...

    def history(
        self,
        tenant: str,
        series: SeriesKey,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Order = Order.NEWEST_FIRST,
        after: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[Sample]:
        """Values with ``since <= observed_at < until``; ``after`` is the keyset cursor.

        How long the history is does not change what this costs.
        Raises NotFound when the series does not exist.
        """
        ...

    def unit(self, tenant: str, series: SeriesKey) -> str:
        """The UCUM code that a series is kept in.

        Raises NotFound when the series does not exist.
        """
        ...

    def buckets(
        self,
        tenant: str,
        series: SeriesKey,
        *,
        interval_s: int,
        since: datetime,
        until: datetime,
        limit: int = 1000,
    ) -> Sequence[Bucket]:
        """Intervals aligned to the Unix epoch, oldest first, empty ones left out.

        ``since`` is taken down and ``until`` up to the next whole interval, so that no bucket
        speaks for a part of its interval only. Values that are not numbers are not counted.

        Raises NotFound; InvalidRequest when the interval would make more than ``limit`` buckets;
        Unavailable when counting takes too long.
        """
        ...

    def series_of(self, tenant: str, entity_id: str) -> Sequence[SeriesKey]: ...

    def dead_letters(
        self, tenant: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[KeptDeadLetter]:
        """Newest first; ``before`` is the id of the last one of the page before."""
        ...


# --- events, proposals, alerts -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of the outbox: ``alert`` has to leave through ``channel``."""

    id: int
    tenant: str
    channel: str
    alert: Alert
    situation: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many deliveries wait on a channel, and for how long the oldest has."""

    waiting: int
    oldest_s: float


class EventWork(Protocol):
    """One event under the transaction that takes it off the queue together with its effects."""

    tenant: str
    event: Event
    stored_at: datetime

    def city(self, service: str) -> CityView: ...

    def perform(self, service: str, effects: Sequence[Assessment]) -> Sequence[Proposal]:
        """Write the effects as proposals, all or none; return those that are new.

        An effect that says what the situation's newest proposal says already is not new.
        """
        ...

    def set_aside(self, service: str, reason: str) -> None:
        """Keep the event for a person: ``service`` could not handle it. The queue goes on."""
        ...

    def done(self) -> None:
        """The event is handled: it leaves the queue when the batch commits."""
        ...


class EventQueue(Protocol):
    """What waits for the services. Effects and removal are one transaction: exactly once."""

    def take(self, limit: int = 1) -> AbstractContextManager[Sequence[EventWork]]:
        """The oldest events of one city on one occasion, oldest first; at most ``limit``.

        Cities take turns, and an Exercise waits while an Actual is there. Nobody else gets events
        of that city and occasion meanwhile. Leaving without an error commits what was performed;
        an error undoes all of it and leaves the events where they are.

        Raises Unavailable.
        """
        ...

    def fail(self, event_id: int, error: str) -> None:
        """Set an event aside that cannot be handled at all, with the reason, for a person."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Return when an event may be waiting, or after the timeout. For one thread."""
        ...


class FailedEvent(NamedTuple):
    """An event that was set aside. ``subject`` says of what: a series, or an alert."""

    id: int
    status: str
    run: str
    subject: str
    at: datetime
    failed_at: datetime
    error: str


class FailedEvents(Protocol):
    """What was set aside, for an operator."""

    def newest(self, tenant: str, *, limit: int = 100) -> Sequence[FailedEvent]: ...

    def retry(self, tenant: str, ids: Sequence[int] = ()) -> Sequence[int]:
        """Put them back into the queue, all where ``ids`` is empty; return which there were."""
        ...


class OpenExercise(NamedTuple):
    """An exercise with situations that are open: what of it waits, and what is in force."""

    run: str
    pending: int
    in_force: int


class ExerciseEnd(NamedTuple):
    """What the end of an exercise has closed: undecided proposals, and orders by their Cancels."""

    exercise: Exercise
    superseded: int
    cancels: tuple[Alert, ...]


class OrderBook(Protocol):
    """Proposals and the alerts that came of them. Every change is one transaction."""

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
        """Newest first. ``status`` Actual or Exercise: a rehearsal can make many in a minute.

        ``reassessable_at``: only those that ``reassess`` would take at that time.

        ``before`` is ``(created_at, revision, id)`` of the last of the page before.
        """
        ...

    def proposal(self, tenant: str, proposal_id: str) -> Proposal:
        """Raises NotFound."""
        ...

    def approve(
        self, tenant: str, proposal_id: str, *, issuer: Issuer, by: str, note: str, now: datetime
    ) -> Alert:
        """Issue the proposal's alert and put it in the outbox.

        Raises NotFound; Conflict when the proposal is not pending any more.
        """
        ...

    def reject(
        self, tenant: str, proposal_id: str, *, by: str, note: str, now: datetime
    ) -> Proposal:
        """Raises NotFound; Conflict when the proposal is not pending any more."""
        ...

    def cancel(
        self, tenant: str, identifier: str, *, issuer: Issuer, by: str, reason: str, now: datetime
    ) -> Alert:
        """End an order of this city that is in force: issue its Cancel, put it in the outbox.

        It is kept as a proposal that ``by`` approved, with ``reason`` as its note. Pending ones up
        to the order's level are superseded; a proposed rise still waits. From then on only a rise
        of the situation's level is proposed.

        Raises NotFound; Conflict when the alert is another authority's, a Cancel, or not in force
        any more.
        """
        ...

    def reassess(
        self, tenant: str, proposal_id: str, *, by: str, reason: str, now: datetime
    ) -> Proposal:
        """Take back the newest decision of a situation that stands at a level without an order.

        The situation is set back to no level, and the services hear of its newest evidence once
        more: what calls for a level is proposed, then or with any later event. The decision
        stays as it was and has a ``reassessment``.

        Raises NotFound; Conflict when something of the situation waits or is in force, when it
        is closed or set back already, or when a later proposal was decided.
        """
        ...

    def open_exercises(self, tenant: str, now: datetime) -> Sequence[OpenExercise]:
        """By name. An exercise that was ended, or of which nothing is open, is not among them."""
        ...

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
        """Close every situation of the exercise, each in a transaction of its own.

        What waits is superseded by ``by``, an order in force is cancelled as by ``cancel``. What
        was begun and broke off is gone on with; a second end finds nothing. An event that comes
        later begins the exercise anew.

        Raises NotFound when the city never had that exercise.
        """
        ...

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
        """Newest first. ``run``: of this rehearsal only.

        ``ours`` True: what this city issued; False: other authorities'.
        """
        ...

    def alert(self, tenant: str, identifier: str) -> Alert:
        """The alert; where a rehearsal replayed a real telegram, the Actual one.

        Raises NotFound.
        """
        ...


class OrderRenewals(Protocol):
    """Orders that are about to lapse although what they were issued for still stands."""

    def propose_due(self, now: datetime) -> Sequence[tuple[str, Proposal]]:
        """Propose to carry on each order in force that expires within ``RENEW_BEFORE``.

        Return each new proposal with its tenant, Actual before Exercise. None for a situation
        that waits for a decision, was assessed to stand down, or whose renewal was rejected for
        this expiry. An order that lapsed less than ``ORDER_VALID_FOR`` ago is asked about too:
        nobody may have been there in time.

        Raises Unavailable.
        """
        ...


class Outbox(Protocol):
    """What has to leave. At least once: a delivery is repeated until it has succeeded."""

    def take(self, channel: str, now: datetime) -> AbstractContextManager[Delivery | None]:
        """The next delivery that is due on the channel, for this caller alone.

        Within a situation the order of issue is kept: nothing is given out while an earlier
        message of the same situation waits. Actual alerts come before exercises. Leaving without
        an error marks it delivered; an error leaves it as it was.

        Raises Unavailable.
        """
        ...

    def failed(self, delivery_id: int, error: str, retry_at: datetime) -> None: ...

    def retry_now(self, channel: str) -> None:
        """The channel is back: what failed on it need not wait any longer."""
        ...

    def standing(self, channel: str, now: datetime) -> Sequence[Delivery]:
        """The last message of every situation, a Cancel too, that is valid and was delivered.

        It is what a channel that forgot everything has to say again.
        """
        ...

    def expired(self, channel: str, since: datetime, until: datetime) -> Sequence[Delivery]:
        """Last messages of their situations whose validity ended: ``since < end <= until``."""
        ...

    def backlog(self, now: datetime) -> Mapping[str, Backlog]:
        """What waits, by channel; a channel without anything waiting is left out."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Return when a delivery may be waiting, or after the timeout. For one thread."""
        ...


class AlertChannel(Protocol):
    """A way out for alerts: MQTT, SSE, later webhooks and others."""

    name: str

    def deliver(self, delivery: Delivery) -> None:
        """Raises Unavailable; the outbox then tries again."""
        ...


# --- keys, live state, messages ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What a key may do. ``role`` is ``reader``, ``official`` (decides) or ``admin``."""

    id: str
    tenant: str
    name: str
    role: str
    created_at: datetime
    revoked_at: datetime | None = None


class KeyStore(Protocol):
    def find(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        """The key and the HMAC of its secret."""
        ...

    def add(self, key: ApiKey, digest: bytes) -> None: ...

    def keys(self, tenant: str) -> Sequence[ApiKey]: ...

    def revoke(self, tenant: str, key_id: str, now: datetime) -> None:
        """Raises NotFound."""
        ...


class KeyRing(Protocol):
    """Keys as people hold them: text on one side, ``ApiKey`` on the other."""

    def recall(self, presented: str) -> ApiKey | None:
        """The key if it was checked a moment ago. From memory: never waits, never raises."""
        ...

    def authenticate(self, presented: str) -> ApiKey:
        """Raises Unauthenticated; Unavailable when the key store does not answer."""
        ...

    def issue(self, tenant: str, *, name: str, role: str) -> tuple[ApiKey, str]:
        """Make a key and return it with its text, which is not kept and cannot be had again.

        Raises InvalidRequest when the role is not one of ours, or the name is empty or too long.
        """
        ...

    def keys(self, tenant: str) -> Sequence[ApiKey]: ...

    def revoke(self, tenant: str, key_id: str) -> None:
        """Within seconds the key opens nothing any more, in any process.

        Raises NotFound.
        """
        ...


class Allowance(NamedTuple):
    """What is left of a caller's quota. ``retry_after_s`` 0: this request may go on.

    ``limit`` requests in ``window_s`` seconds; ``reset_s`` until the whole quota is back.
    """

    policy: str
    limit: int
    window_s: int
    remaining: int
    reset_s: int
    retry_after_s: int = 0


class RateLimiter(Protocol):
    def take(self, policy: str, caller: str) -> Allowance:
        """Count one request of ``caller`` under a policy. From memory: never waits, never raises.

        ``policy`` is ``anonymous`` or a role; ``caller`` an address or the id of a key.
        """
        ...


class LiveNews(NamedTuple):
    """One stored batch of one tenant, as the live bus tells it."""

    tenant: str
    changed: Sequence[LatestValue]
    touched: Sequence[SeriesKey]


class LiveBus(Protocol):
    """News between processes, best effort: losing it costs speed, never correctness (P6)."""

    def publish(
        self, tenant: str, changed: Sequence[LatestValue], touched: Sequence[SeriesKey] = ()
    ) -> None:
        """Tell of a stored batch. Never raises and never blocks longer than its deadline.

        ``touched`` are series that got a value which is not their newest.
        """
        ...

    def follow(self, timeout_s: float) -> Iterator[LiveNews]:
        """News as it comes; ends after ``timeout_s`` without any.

        The first call starts with what is published after it returned; later calls go on where
        the one before ended. One thread at a time.

        Raises Unavailable when the bus is away, or when news was lost on the way: what is held in
        memory must then be read again from the store, after the next call.
        """
        ...


class AlertNews(Protocol):
    """Tells that there is news of an alert. Best effort: the order book has the alerts."""

    def follow(self, timeout_s: float) -> Iterator[tuple[str, str, str]]:
        """Yield (tenant, identifier, status); ends after ``timeout_s`` without any.

        Raises Unavailable: notices may be missed until the next call.
        """
        ...


class MessagePublisher(Protocol):
    """Publishes on MQTT, QoS 1."""

    def publish(self, topic: str, payload: bytes, *, retain: bool, timeout_s: float) -> None:
        """Return when the broker has acknowledged.

        Raises Unavailable otherwise; TooLarge where the broker would never take it.
        """
        ...
