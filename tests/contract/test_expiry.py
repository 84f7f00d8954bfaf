"""Exercises go when their time is over, compressed or not: on every kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from cityos.domain.history import SeriesKey
from cityos.domain.occasion import Exercise
from cityos.ports import SeriesHandle
from cityos.storage import expiry
from cityos.storage.writer import PostgresObservationWriter
from tests.series_store import ENTITY, NOON, SeriesStore, series_store

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
LONG_AGO = NOON - timedelta(days=40)
BATCH = 1000
"""How many values of a series are compressed together."""
ALL, NOTHING = (True,) * 4, (False,) * 4


@pytest.fixture
def store(database_url: str) -> Iterator[SeriesStore]:
    with series_store(database_url) as store:
        store.received_at = LONG_AGO
        yield store


def drill(store: SeriesStore) -> SeriesHandle:
    occasion = Exercise(run="drill")
    key = SeriesKey(entity=ENTITY, observed_property="air_temperature", dataset=occasion.dataset)
    return store.writer.series("t", key, "Cel", occasion)


def fill(store: SeriesStore, *series: SeriesHandle, count: int) -> None:
    """Give each series a value a second."""
    store.store(*((one, LONG_AGO + count * SECOND, 0.5) for one in series))
    store.connection.execute(
        "INSERT INTO observation (observed_at, received_at, raw_id, value, series_id, quality)"
        " SELECT %s + n * interval '1 second', %s, 1, 0.5, id, 0"
        " FROM unnest(%s::integer[]) id, generate_series(1, %s) n",
        (LONG_AGO, LONG_AGO, [one.id for one in series], count - 1),
    )


def traces(store: SeriesStore, series: SeriesHandle) -> tuple[bool, ...]:
    """Whether there are values, corrections, hours and a latest value."""
    return store.rows(
        "SELECT EXISTS (SELECT FROM observation WHERE series_id = s),"
        " EXISTS (SELECT FROM correction WHERE series_id = s),"
        " EXISTS (SELECT FROM rollup_hour WHERE series_id = s),"
        " EXISTS (SELECT FROM latest WHERE series_id = s) FROM (VALUES (%s)) of (s)",
        series.id,
    )[0]


def values(store: SeriesStore, series: SeriesHandle) -> int:
    return int(
        store.rows("SELECT count(*) FROM observation WHERE series_id = %s", series.id)[0][0]
    )


def test_nothing_of_an_ended_exercise_is_left_and_the_city_keeps_everything(
    store: SeriesStore,
) -> None:
    exercise, city = drill(store), store.series("urn:test:city")
    fill(store, exercise, city, count=expiry.SLICE + 2 * BATCH + 3)
    for one in (exercise, city):
        store.store((one, LONG_AGO - 200 * HOUR, 1.0), (one, LONG_AGO - HOUR, "out of order"))
        store.store((one, LONG_AGO + 10 * SECOND, 7.0))
    store.clock.time = LONG_AGO + 24 * HOUR
    store.maintain()
    store.compress()
    assert traces(store, exercise) == traces(store, city) == ALL
    kept, hours = values(store, city), store.hourly(city)

    store.clock.time = NOON
    store.maintain()

    assert traces(store, exercise) == NOTHING
    assert traces(store, city) == ALL
    assert (values(store, city), store.hourly(city)) == (kept, hours)
    store.store((city, LONG_AGO + SECOND / 2, 9.0))  # its hour is counted anew
    store.maintain()
    assert store.hourly(city) == store.recounted(city)
    assert store.hourly(exercise) == []


@pytest.mark.parametrize("every", [7, BATCH, expiry.SLICE + 1])
def test_what_was_received_since_stays_wherever_it_lies(store: SeriesStore, every: int) -> None:
    exercise = drill(store)
    fill(store, exercise, count=expiry.SLICE + BATCH)
    store.connection.execute(
        "UPDATE observation SET received_at = %s"
        " WHERE mod(extract(epoch FROM observed_at - %s)::integer, %s) = 0",
        (NOON, LONG_AGO, every),
    )
    store.compress()

    for _ in range(2):
        store.maintain()
        assert values(store, exercise) == (expiry.SLICE + BATCH) // every
        assert traces(store, exercise)[3]


def test_a_slice_decompresses_no_more_than_the_values_around_its_end(store: SeriesStore) -> None:
    if not store.compresses:
        pytest.skip("this server does not compress")
    exercise, city = drill(store), store.series()
    fill(store, exercise, city, count=2 * expiry.SLICE + BATCH // 2)
    store.compress()
    for left in (expiry.SLICE + BATCH // 2, BATCH // 2):
        with store.database.connection() as connection:
            assert expiry.exercise_slice(connection, exercise.id, NOON)
        assert values(store, exercise) == left
        assert store.uncompressed() <= BATCH
    store.maintain()
    assert traces(store, exercise) == NOTHING
    assert store.uncompressed() == 0


def test_an_exercise_of_the_same_name_is_kept_as_if_it_were_the_first(store: SeriesStore) -> None:
    again = [(LONG_AGO + number * SECOND, float(number)) for number in range(5)]
    first = drill(store)
    store.store(*((first, *value) for value in again))
    store.compress()
    store.maintain()
    assert traces(store, first) == NOTHING

    store.writer = PostgresObservationWriter(store.database)
    store.received_at = NOON
    second = drill(store)
    assert store.store(*((second, *value) for value in again[:3])).stored == 3

    store.maintain()
    assert second.id == first.id
    assert store.rows("SELECT value FROM latest WHERE series_id = %s", second.id) == [(2.0,)]
    assert store.hourly(second) == store.recounted(second)
    store.clock.time = NOON + 31 * 24 * HOUR
    store.maintain()
    assert traces(store, second) == NOTHING
