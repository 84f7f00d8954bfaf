"""Where ingest puts a batch: one transaction, binary COPY, idempotent.

The cheap way assumes that nothing in the batch is known yet: COPY straight into the tables. A
duplicate key ends that transaction, and the batch goes the slow way: COPY into temporary tables,
then ``INSERT ... ON CONFLICT`` from there (``reconcile``). Measured: COPY costs about 2 us a row
in the server, and a batch of nothing but duplicates still keeps 0.9 of the rate.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.history import SeriesKey
from cityos.domain.occasion import Occasion
from cityos.domain.rejection import Reason
from cityos.errors import Rejected, Unavailable
from cityos.ports import (
    CheckedValue,
    IngestBatch,
    Origin,
    SeriesHandle,
    StoreOutcome,
)
from cityos.storage import (
    binary_array,
    binary_copy,
    enrolment,
    observation_events,
    queries,
    raw_blocks,
    received_alerts,
    reconcile,
)
from cityos.storage.binary_array import Array
from cityos.storage.database import Database
from cityos.storage.deadline import within_deadline
from cityos.storage.documents import encode_value

_EPOCH: Final = datetime(2000, 1, 3, tzinfo=UTC)
_RETRIES: Final = 3
_TRY_AGAIN: Final = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_SERIES: Final = 0
_OBSERVED_AT: Final = 1
"""Positions in a ``CheckedValue``."""
_NUMBERS: Final = frozenset((float, int))


class _Packed(NamedTuple):
    """A batch, or a part of it, as the server takes it; ``values`` all without the flag LATE."""

    size: int
    raw: Sequence[raw_blocks.Row]
    values: bytes


class PostgresObservationWriter:
    """An ``ObservationWriter`` on PostgreSQL, with or without TimescaleDB.

    Caches the numbers of series and origins, which never change, and the partitions that were
    there when it asked.
    """

    def __init__(
        self, database: Database, *, wanted: Callable[[str], bool] = lambda _name: False
    ) -> None:
        """``wanted`` says of an observed property whether some service listens to it."""
        self._database = database
        self._wanted = wanted
        self._node = 0
        self._series: dict[tuple[str, SeriesKey, Occasion], SeriesHandle] = {}
        self._unnumbered: list[SeriesHandle] = []
        self._origins: dict[tuple[str, str, str], Origin] = {}
        self._unregistered: list[Origin] = []
        self._homeless: set[SeriesHandle] = set()
        self._weeks: set[int] = set()
        self._days: set[int] = set()

    def resume(self, spool: UUID) -> tuple[int, int]:
        with within_deadline(), self._database.connection() as connection:
            connection.execute(queries.REGISTER_NODE, (spool,))
            row = connection.execute(queries.NODE, (spool,)).fetchone()
        assert row is not None  # noqa: S101 - the row above exists or was just written
        self._node = int(row[0])
        self.learn_again()
        return self._node, int(row[1])

    def learn_again(self) -> None:
        """Read the latest time of every series anew before the next batch.

        What is remembered is behind where the answer to a commit was lost, and ahead where an
        ended exercise was deleted.
        """
        self._unnumbered.extend(list(self._series.values()))

    def origin(self, origin: Origin) -> Origin:
        key = (origin.tenant, origin.topic, origin.adapter)
        known = self._origins.setdefault(key, origin)
        if known is origin:
            self._unregistered.append(origin)
        return known

    def series(self, tenant: str, key: SeriesKey, unit: str, occasion: Occasion) -> SeriesHandle:
        handle = self._series.get((tenant, key, occasion))
        if handle is not None and handle in self._homeless:
            self._homeless.discard(handle)  # its entity may have been registered since
            self._unnumbered.append(handle)
        if handle is None:
            handle = SeriesHandle(
                tenant=tenant,
                key=key,
                unit=unit,
                occasion=occasion,
                wanted=self._wanted(key.observed_property),
            )
            self._series[tenant, key, occasion] = handle
            self._unnumbered.append(handle)
        return handle

    def pack(self, batch: IngestBatch) -> None:
        if not (self._unnumbered or self._unregistered or self._homeless):
            batch.packed = [_pack(batch)]

    def store(self, batch: IngestBatch) -> StoreOutcome:
        with within_deadline():
            return self._store(batch)

    def _store(self, batch: IngestBatch) -> StoreOutcome:
        self._prepare(batch)
        if self._homeless and any(value[_SERIES] in self._homeless for value in batch.values):
            raise Rejected(Reason.UNKNOWN_ENTITY, "the entity of a value is not registered")
        for attempt in range(_RETRIES):
            try:
                return self._attempt(batch, first=attempt == 0)
            except Unavailable as error:
                # the pool takes these for a lost server, for they are of the same class
                if isinstance(error.__cause__, psycopg.errors.ProgramLimitExceeded):
                    raise Rejected(
                        Reason.UNDECODABLE, "the store cannot keep a value of this message"
                    ) from error
                if attempt == _RETRIES - 1 or not isinstance(error.__cause__, _TRY_AGAIN):
                    raise
        raise AssertionError  # the loop returns or raises

    def _attempt(self, batch: IngestBatch, *, first: bool) -> StoreOutcome:
        try:
            if first:
                try:
                    with self._database.connection() as connection:
                        return self._store_new(connection, batch)
                except psycopg.errors.UniqueViolation:
                    pass
            with self._database.connection() as connection:
                return self._store_known(connection, batch)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if first and isinstance(error, psycopg.errors.CheckViolation):
                # no partition: retention has dropped it since we asked for it
                self._weeks.clear()
                self._days.clear()
                self._prepare(batch)
                return self._attempt(batch, first=False)
            raise Rejected(
                "undecodable", "the store cannot keep a value of this message"
            ) from error

    def _store_new(self, connection: Connection[TupleRow], batch: IngestBatch) -> StoreOutcome:
        """The cheap way; raises UniqueViolation when anything is known already."""
        outcome = StoreOutcome(stored=len(batch.values))
        newest, late = _newest(batch.values)
        _copy_values(connection, batch, queries.COPY_VALUES, _marks(late))
        self._finish(connection, batch, outcome, newest, batch.values)
        outcome.touch(late)
        return outcome

    def _store_known(self, connection: Connection[TupleRow], batch: IngestBatch) -> StoreOutcome:
        """The way for a batch of which something is known already."""
        newest, late = _newest(batch.values)
        marks = _marks(late)
        connection.execute(queries.STAGES)
        _copy_values(connection, batch, queries.COPY_VALUE_STAGE, marks)
        result = reconcile.values(connection, batch.values)
        outcome = StoreOutcome(
            stored=len(result.new),
            corrections=len(result.corrected),
            duplicates=len(batch.values) - len(result.new) - len(result.corrected),
        )
        self._finish(connection, batch, outcome, newest, [*result.new, *result.corrected])
        outcome.touch([*(v for v in result.new if id(v) in marks), *result.corrected])
        return outcome

    def _finish(
        self,
        connection: Connection[TupleRow],
        batch: IngestBatch,
        outcome: StoreOutcome,
        newest: dict[int, CheckedValue],
        fresh: Sequence[CheckedValue],
    ) -> None:
        """All but the values, and the commit: what both ways share."""
        wanted = [value for value in fresh if value[_SERIES].wanted]
        if wanted:
            observation_events.insert(connection, wanted)
        alerts = received_alerts.insert(connection, batch.alerts)
        if batch.dead_letters:
            with connection.cursor() as cursor:
                cursor.executemany(queries.DEAD_LETTER, batch.dead_letters)
        outcome.events = len(wanted) + alerts
        moved = self._commit(connection, batch, newest, news=outcome.events > 0)
        for series, observed_at, *_ in newest.values():
            series.latest_at = observed_at
        outcome.moved = moved
        if len(moved) < len(newest):  # another node was ahead: stored, and not the newest
            first, stored = _marks(moved), _marks(fresh)
            behind = [v for v in newest.values() if id(v) in stored and id(v) not in first]
            outcome.touch(behind)

    def _commit(
        self,
        connection: Connection[TupleRow],
        batch: IngestBatch,
        newest: dict[int, CheckedValue],
        *,
        news: bool,
    ) -> list[CheckedValue]:
        """Keep what came, move ``latest`` forward, mark the hours and commit.

        In one trip to the server: under load each costs some milliseconds of waiting for a core.
        Returns the values that moved ``latest``.
        """
        raw = [row for part in _packed(batch) for row in part.raw]
        with connection.cursor(binary=True) as cursor, connection.pipeline():
            if raw:
                connection.execute(queries.RAW_BLOCKS, raw_blocks.columns(raw))
            if newest:
                cursor.execute(queries.LATEST, _columns(newest.values()))
            if batch.values:
                hours = _hours([value[_OBSERVED_AT] for value in batch.values])
                connection.execute(queries.MARK_HOURS, (hours, self._node))
            if batch.stored_up_to:
                connection.execute(
                    queries.STORED_UP_TO, (batch.stored_up_to, self._node, batch.stored_up_to)
                )
            if news:
                connection.execute(queries.NOTIFY_WORK)
            connection.commit()
            return [newest[row[0]] for row in cursor] if newest else []

    # --- numbers, partitions ------------------------------------------------------------------

    def _prepare(self, batch: IngestBatch) -> None:
        """Number new series and origins and make partitions, before the batch's transaction.

        Each stands alone: it stays right when the batch itself has to be tried again.
        """
        weeks = _missing(self._weeks, [value[_OBSERVED_AT] for value in batch.values], 7)
        days = _missing(self._days, {block.received_at for block in batch.raw}, 1)
        origins, series = self._unregistered[:], self._unnumbered[:]
        if not (origins or series or weeks or days):
            return
        with self._database.connection() as connection:
            if weeks:
                connection.execute(queries.ROOM_FOR_VALUES, (list(weeks.values()),))
            if days:
                connection.execute(queries.ROOM_FOR_RAW, (list(days.values()),))
            enrolment.register_origins(connection, origins)
            self._homeless.update(enrolment.number_series(connection, series))
        del self._unregistered[: len(origins)], self._unnumbered[: len(series)]
        self._weeks.update(weeks)
        self._days.update(days)


def _newest(
    values: Sequence[CheckedValue],
) -> tuple[dict[int, CheckedValue], list[CheckedValue]]:
    """The newest value of each series in the batch, by series number; and the late ones."""
    newest: dict[int, CheckedValue] = {}
    late: list[CheckedValue] = []
    for value in values:
        series, observed_at = value[_SERIES], value[_OBSERVED_AT]
        best = newest.get(series.id)
        known = series.latest_at if best is None else best[_OBSERVED_AT]
        if known is None or observed_at >= known:
            newest[series.id] = value
        else:
            late.append(value)
    return newest, late


def _marks(values: Iterable[CheckedValue]) -> frozenset[int]:
    return frozenset(id(value) for value in values)


def _pack(batch: IngestBatch) -> _Packed:
    return _Packed(
        len(batch.raw) + len(batch.values),
        raw_blocks.rows(batch.raw),
        binary_copy.values(batch.values),
    )


def _packed(batch: IngestBatch) -> Sequence[_Packed]:
    """What was packed ahead if that is all of it; otherwise all is packed now."""
    packed = [part for part in batch.packed if isinstance(part, _Packed)]
    if sum(part.size for part in packed) != len(batch.raw) + len(batch.values):
        packed = [_pack(batch)]
        batch.packed = list(packed)
    return packed


def _copy_values(
    connection: Connection[TupleRow],
    batch: IngestBatch,
    into: queries.Query,
    late: frozenset[int],
) -> None:
    """COPY the values; those that are ``late`` are flagged."""
    if batch.values:
        rows = [part.values for part in _packed(batch)]
        if late:
            rows = [binary_copy.values(batch.values, late)]
        _copy(connection, into, rows)


def _copy(
    connection: Connection[TupleRow], statement: queries.Query, rows: Sequence[bytes]
) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(binary_copy.HEADER)
        for part in rows:
            copy.write(part)
        copy.write(binary_copy.TRAILER)


def _columns(values: Collection[CheckedValue]) -> Sequence[Array]:
    """The parameters of ``queries.LATEST``."""
    series, observed_at, received_at, raw_ids, contents, quality = zip(*values, strict=True)
    numbers: Sequence[float | None] = contents
    documents: Sequence[str | None] = (None,) * len(contents)
    if not _NUMBERS.issuperset(map(type, contents)):
        numbers = [value if type(value) in _NUMBERS else None for value in contents]
        documents = [
            None if type(value) in _NUMBERS else encode_value(value) for value in contents
        ]
    return (
        binary_array.integers([one.id for one in series]),
        binary_array.times(observed_at),
        binary_array.times(received_at),
        binary_array.bigints(raw_ids),
        binary_array.floats(numbers),
        binary_array.smallints(quality),
        binary_array.documents(documents),
    )


def _missing(known: set[int], times: Collection[datetime], days: int) -> dict[int, datetime]:
    """The partitions that no time has needed yet: number -> one of its times."""
    if not times:
        return {}
    width, epoch = days * 86400, _EPOCH.timestamp()

    def number(time: datetime) -> int:
        return int((time.timestamp() - epoch) // width)

    low, high = number(min(times)), number(max(times))
    if known.issuperset(range(low, high + 1)):
        return {}
    return {key: time for time in times if (key := number(time)) not in known}


def _hours(times: Sequence[datetime]) -> list[datetime]:
    """The hours that the times fall in, oldest first."""
    first, last = _hour(min(times)), _hour(max(times))
    if last - first <= timedelta(hours=1):  # the usual batch: no need to look at each
        return sorted({first, last})
    return sorted({_hour(time) for time in times})


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
