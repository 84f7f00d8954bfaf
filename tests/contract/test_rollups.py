"""Hourly roll-ups are those of the values, whenever the values come: on every kind of store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.series_store import NOON, SeriesStore, series_store

DAY = NOON - timedelta(hours=12)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LONG_AGO = NOON - timedelta(days=400)


@pytest.fixture
def store(database_url: str) -> Iterator[SeriesStore]:
    with series_store(database_url) as store:
        yield store


def hour(number: int) -> datetime:
    return DAY + number * HOUR


def test_what_comes_late_into_a_rolled_up_hour_is_counted_at_once_and_after(
    store: SeriesStore,
) -> None:
    series = store.series()
    store.store(*((series, DAY + 7 * minute * MINUTE, minute / 4) for minute in range(60)))
    assert store.maintain() == 7
    before = store.hourly(series)
    assert before == store.recounted(series)
    store.compress()

    outcome = store.store((series, hour(2) + 30 * MINUTE, -50.25))

    assert outcome.stored == 1
    assert store.hourly(series) == store.recounted(series)
    assert store.hourly(series) != before
    assert store.maintain() == 1
    assert store.hourly(series) == store.recounted(series)
    assert store.maintain() == 0


def test_a_correction_of_a_rolled_up_hour_takes_the_earlier_value_out(store: SeriesStore) -> None:
    series = store.series()
    store.store((series, hour(1), 4.0), (series, hour(1) + MINUTE, 6.0), (series, hour(5), 1.0))
    store.maintain()
    store.compress()

    store.store((series, hour(1), -4.0))
    assert store.hourly(series)[0] == (hour(1), 2, 2.0, -4.0, 6.0)
    store.maintain()
    assert store.hourly(series)[0] == (hour(1), 2, 2.0, -4.0, 6.0)

    store.store((series, hour(1), "out of order"), (series, hour(5), "out of order"))
    assert store.hourly(series) == [(hour(1), 1, 6.0, 6.0, 6.0)]
    store.maintain()
    assert store.hourly(series) == [(hour(1), 1, 6.0, 6.0, 6.0)]


_readings = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 3 * 60).map(lambda tenths: DAY + tenths * MINUTE),
        st.sampled_from([-50.25, 0.5, 12.75, "out of order"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.sampled_from(["roll up", "compress"]) | _readings, min_size=2, max_size=8)
)
def test_hours_are_those_of_the_values_after_every_step(
    store: SeriesStore, steps: list[str | list[tuple[int, datetime, float | str]]]
) -> None:
    store.connection.execute("TRUNCATE observation, correction, latest, rollup_hour, rollup_dirty")
    both = [store.series("urn:test:a"), store.series("urn:test:b")]
    for series in both:
        series.latest_at = None
    store.store(*((series, DAY, 0.5) for series in both))
    for step in steps:
        if step == "roll up":
            store.maintain()
        elif step == "compress":
            store.compress()
        elif isinstance(step, list):
            store.store(*((both[which], at, value) for which, at, value in step))
        for series in both:
            assert store.hourly(series) == store.recounted(series)


@pytest.mark.parametrize("marked_before", [False, True])
def test_a_value_that_is_committed_while_its_hour_is_rolled_up_is_not_forgotten(
    store: SeriesStore, database_url: str, marked_before: bool
) -> None:
    series = store.series()
    store.store((series, hour(1), 1.0))
    if not marked_before:
        store.maintain()
    with psycopg.connect(database_url) as ingest, psycopg.connect(database_url) as rolling:
        ingest.execute(
            "INSERT INTO observation (observed_at, received_at, raw_id, value, series_id, quality)"
            " VALUES (%s, %s, 9, 5.0, %s, 0)",
            (hour(1) + MINUTE, NOON, series.id),
        )
        ingest.execute("SELECT mark_hours(%s, 0::smallint)", ([hour(1)],))

        def roll_up() -> None:
            rolling.execute("SELECT roll_up_hour(%s)", (hour(1),))
            rolling.commit()

        thread = threading.Thread(target=roll_up)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive() == marked_before  # it waits for whoever has marked the hour
        ingest.commit()
        thread.join(10)
    for _ in range(2):
        assert store.hourly(series) == [(hour(1), 2, 6.0, 1.0, 5.0)]
        store.maintain()


def test_roll_ups_outlive_the_values_and_nothing_that_comes_later_replaces_them(
    store: SeriesStore,
) -> None:
    series, other = store.numbered(2)
    for one in (series, other):
        store.store((one, LONG_AGO, 2.0), (one, LONG_AGO + MINUTE, 4.0))
    store.compress()
    store.maintain(observation_days=365)
    assert store.rows("SELECT count(*) FROM observation") == [(2,)]

    store.store((series, LONG_AGO + 2 * MINUTE, 100.0))

    for _ in range(2):
        for one in (series, other):
            assert store.hourly(one)[0] == (LONG_AGO, 2, 6.0, 2.0, 4.0)
        store.maintain(observation_days=365)
    assert store.rows("SELECT count(*) FROM observation") == [(2,)]


def test_no_value_goes_before_its_hour_is_rolled_up(store: SeriesStore) -> None:
    series = store.series()
    store.store((series, LONG_AGO, 2.0), (series, LONG_AGO + timedelta(days=20), 4.0))
    store.connection.execute("SELECT roll_up_hour(%s)", (LONG_AGO,))

    limit = NOON - timedelta(days=365)
    for _ in range(2):
        store.connection.execute("SELECT drop_observations_before(%s)", (limit,))
        assert store.rows("SELECT value FROM observation") == [(4.0,)]

    store.maintain(observation_days=365)
    assert store.rows("SELECT count(*) FROM observation") == [(0,)]
    assert [row[1:] for row in store.hourly(series)] == [(1, 2.0, 2.0, 2.0), (1, 4.0, 4.0, 4.0)]
