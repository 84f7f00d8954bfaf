"""Where ingest puts a batch: one transaction, idempotent.

The cheap way assumes that nothing in the batch is known yet: its values go straight into the
table, few of them in the one statement that stores all else, many by binary COPY before it. A
duplicate key ends that transaction, and the batch goes the slow way: COPY into a temporary table,
then ``INSERT ... ON CONFLICT`` from there (``reconcile``). Measured: a value costs the server 2 to
3 us, and a batch of nothing but duplicates still keeps 0.9 of the rate.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.history import SeriesKey
from cityos.domain.occasion import Occasion
from cityos.domain.rejection import Reason
from cityos.errors import Rejected, Unavailable
from cityos.ports import (
    OBSERVED_AT,
    RAW_ID,
    SERIES,
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
    packing,
    queries,
    received_alerts,
    reconcile,
)
from cityos.storage.database import Database

_EPOCH: Final = datetime(2000, 1, 3, tzinfo=UTC)
_RETRIES: Final = 3
_TRY_AGAIN: Final = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


class PostgresObservationWriter:
    """An ``ObservationWriter`` on PostgreSQL, with or without TimescaleDB.

    Works on any ``Database``, and fastest on one in autocommit: most batches are one statement.
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
        self._few = True

    def resume(self, spool: UUID) -> tuple[int, int]:
        with self._database.connection() as connection:
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

    def pack(self, batch: IngestBatch, *, before: int = 0) -> None:
        if not (self._unnumbered or self._unregistered or self._homeless):
            # what will come after it nobody knows: the last batch tells
            few = self._few and before + len(batch.values) <= packing.FEW
            batch.packed = [packing.pack(batch, few=few)]

    def store(self, batch: IngestBatch) -> StoreOutcome:
        self._few = len(batch.values) <= packing.FEW
        self._prepare(batch)
        if self._homeless and any(value[SERIES] in self._homeless for value in batch.values):
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
        newest, late = packing.newest_of(batch.values)
        marks = packing.marks(late)
        values = packing.values(batch, marks)
        several = values.rows or batch.alerts or batch.dead_letters
        alone = connection.autocommit and not several
        with _together(connection, alone=alone):
            with _copying(connection, queries.COPY_VALUES, values.rows):
                # made while the server takes the rows
                ending = packing.ending(batch, newest, values)
            moved = self._finish(connection, batch, outcome, ending, batch.values)
        self._note_latest(connection, outcome, newest, moved, batch.values)
        outcome.touch(late)
        return outcome

    def _store_known(self, connection: Connection[TupleRow], batch: IngestBatch) -> StoreOutcome:
        """The way for a batch of which something is known already."""
        newest, late = packing.newest_of(batch.values)
        marks = packing.marks(late)
        values = packing.all_as_rows(batch, marks)
        with _together(connection):
            connection.execute(queries.STAGES)
            with _copying(connection, queries.COPY_VALUE_STAGE, values.rows):
                ending = packing.ending(batch, newest, values)
            result = reconcile.values(connection, batch.values)
            fresh = [*result.new, *result.corrected]
            outcome = StoreOutcome(
                stored=len(result.new),
                corrections=len(result.corrected),
                duplicates=len(batch.values) - len(fresh),
            )
            moved = self._finish(connection, batch, outcome, ending, fresh)
        self._note_latest(connection, outcome, newest, moved, fresh)
        outcome.touch([*(v for v in result.new if id(v) in marks), *result.corrected])
        return outcome

    def _finish(
        self,
        connection: Connection[TupleRow],
        batch: IngestBatch,
        outcome: StoreOutcome,
        ending: packing.Ending,
        fresh: Sequence[CheckedValue],
    ) -> int:
        """All but the values that COPY has brought; return how many of ``latest`` moved."""
        if batch.dead_letters:
            with connection.cursor() as cursor:
                cursor.executemany(queries.DEAD_LETTER, batch.dead_letters)
        wanted = [value for value in fresh if value[SERIES].wanted]
        row = connection.execute(
            queries.STORE,
            (
                *ending.columns,
                *ending.raw,
                *observation_events.columns(wanted),
                *ending.latest,
                *(batch.stored_up_to, self._node),
                *(list(ending.hours), self._node),
                bool(wanted),
            ),
        ).fetchone()
        assert row is not None  # noqa: S101 - a SELECT without FROM
        alerts = received_alerts.insert(connection, batch.alerts)
        if alerts:
            connection.execute(queries.NOTIFY_WORK)
        outcome.events = len(wanted) + alerts
        return int(row[0])

    def _note_latest(
        self,
        connection: Connection[TupleRow],
        outcome: StoreOutcome,
        newest: dict[int, CheckedValue],
        moved: int,
        fresh: Sequence[CheckedValue],
    ) -> None:
        """Remember what is the latest now, and tell what moved it."""
        for series, observed_at, *_ in newest.values():
            series.latest_at = observed_at
        outcome.moved = list(newest.values())
        if moved == len(newest):
            return
        # known before, or another node was ahead: then it is stored, and not the newest
        numbers = binary_array.integers(list(newest))
        raw_ids = binary_array.bigints([value[RAW_ID] for value in newest.values()])
        first = set()
        for number, latest_at, ours in connection.execute(queries.LATEST, (numbers, raw_ids)):
            newest[number][SERIES].latest_at = latest_at
            if ours:
                first.add(number)
        outcome.moved = [value for number, value in newest.items() if number in first]
        stored = packing.marks(fresh)
        outcome.touch(v for n, v in newest.items() if n not in first and id(v) in stored)

    # --- numbers, partitions ------------------------------------------------------------------

    def _prepare(self, batch: IngestBatch) -> None:
        """Number new series and origins and make partitions, before the batch's transaction.

        Each stands alone: it stays right when the batch itself has to be tried again.
        """
        weeks = _missing(self._weeks, [value[OBSERVED_AT] for value in batch.values], 7)
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


def _together(
    connection: Connection[TupleRow], *, alone: bool = False
) -> AbstractContextManager[object]:
    """A transaction, unless there is but one statement: that is one by itself."""
    return nullcontext() if alone else connection.transaction()


@contextmanager
def _copying(
    connection: Connection[TupleRow], statement: queries.Query, rows: Sequence[bytes]
) -> Iterator[None]:
    """COPY the rows. They are sent when it yields and taken when it returns."""
    if not rows:
        yield
        return
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(binary_copy.HEADER)
        for part in rows:
            copy.write(part)
        copy.write(binary_copy.TRAILER)
        yield


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
