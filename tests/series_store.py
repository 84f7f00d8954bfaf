"""One thing with series, the writer and the reader of its history, on a database of one test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg import Connection, sql

from cityos.domain.history import SeriesKey
from cityos.domain.observation import Value
from cityos.domain.occasion import Actual
from cityos.ports import IngestBatch, SeriesHandle, StoreOutcome
from cityos.storage.database import Database
from cityos.storage.maintenance import Maintenance, Retention
from cityos.storage.writer import PostgresObservationWriter

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ENTITY = "urn:ngsi-ld:WeatherObserved:t:1"


class SetClock:
    """Stands still at the time it was set to."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic_s(self) -> float:
        return 0.0


class SeriesStore:
    """Batches arrive a second apart, so that a later one corrects an earlier one."""

    def __init__(self, url: str) -> None:
        self.clock = SetClock(NOON)
        self.database = Database(url, application="test", max_size=2)
        self.writer = PostgresObservationWriter(self.database)
        self.connection = psycopg.connect(url, autocommit=True, options="-c timezone=UTC")
        self.received_at = NOON - timedelta(hours=1)
        self.raw_id = 0

    def close(self) -> None:
        self.connection.close()
        self.database.close()

    def series(self, name: str = "") -> SeriesHandle:
        key = SeriesKey(entity=ENTITY, observed_property="air_temperature", dataset=name)
        return self.writer.series("t", key, "Cel", Actual())

    def numbered(self, count: int) -> list[SeriesHandle]:
        """So many series that the store knows: each has a value a minute before noon."""
        found = [self.series(f"urn:test:{number}") for number in range(count)]
        self.store(*((one, NOON - timedelta(minutes=1), 0.0) for one in found))
        return found

    def store(self, *values: tuple[SeriesHandle, datetime, Value]) -> StoreOutcome:
        self.received_at += timedelta(seconds=1)
        self.raw_id += 1
        return self.writer.store(
            IngestBatch(
                values=[
                    (series, at, self.received_at, self.raw_id, value, 0)
                    for series, at, value in values
                ]
            )
        )

    def maintain(self, **keep: int) -> int:
        """A round, when the time that the clock shows has passed."""
        self.connection.execute("DELETE FROM retention_clock")
        return Maintenance(self.database, self.clock, Retention(**keep)).round()

    def rows(self, query: LiteralString, *arguments: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, arguments).fetchall()

    def hourly(self, series: SeriesHandle) -> list[tuple[Any, ...]]:
        """What readers get: hours counted in advance where they are exact."""
        return self.rows(
            "SELECT * FROM observation_hourly(%s, '-infinity', 'infinity')", series.id
        )

    def recounted(self, series: SeriesHandle) -> list[tuple[Any, ...]]:
        """The same from nothing but the values."""
        return self.rows(
            "SELECT date_bin('1 hour', observed_at, 'epoch') AS hour, count(value), sum(value),"
            " min(value), max(value) FROM observation"
            " WHERE series_id = %s AND value IS NOT NULL GROUP BY hour ORDER BY hour",
            series.id,
        )

    @property
    def compresses(self) -> bool:
        """Whether this is TimescaleDB in the edition that has compression."""
        return has_timescale(self.connection) and self.rows(
            "SELECT current_setting('timescaledb.license')"
        ) == [("timescale",)]

    def compress(self) -> None:
        """Compress everything there is, where the server can."""
        if self.compresses:
            for chunk in self._chunks():
                self.connection.execute("SELECT compress_chunk(%s::regclass)", (chunk,))

    def uncompressed(self) -> int:
        """How many values are kept as rows of their own."""
        counts = [
            self.connection.execute(
                sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(*chunk.split(".")))
            ).fetchone()
            for chunk in self._chunks()
        ]
        return sum(count[0] for count in counts if count)

    def _chunks(self) -> Sequence[str]:
        return [row[0] for row in self.rows("SELECT show_chunks('observation')::text")]


@contextmanager
def series_store(url: str) -> Iterator[SeriesStore]:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO tenant (id, name_en, name_ja) VALUES ('t', 'T', 'T')")
        connection.execute(
            "INSERT INTO entity (tenant_id, id, type, name_en, name_ja)"
            " VALUES ('t', %s, 'WeatherObserved', 'W', 'W')",
            (ENTITY,),
        )
    store = SeriesStore(url)
    try:
        yield store
    finally:
        store.close()


def has_timescale(connection: Connection) -> bool:
    """Whether this store was made for TimescaleDB."""
    return connection.execute(
        "SELECT relkind = 'r' FROM pg_class WHERE oid = 'observation'::regclass"
    ).fetchone() == (True,)
