"""What is compressed can still be added to, repeated and corrected (TimescaleDB only)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from cityos.domain.history import Order
from cityos.domain.observation import Quality
from cityos.ports import SeriesHandle
from cityos.storage.history_reader import HistoryReader
from tests.series_store import NOON, SeriesStore, series_store

LONG_AGO = NOON - timedelta(days=60)
SECOND = timedelta(seconds=1)
BATCH = 1000
"""How many values of a series are compressed together."""
LIMIT = 100_000
"""How many values one transaction may decompress unless it says otherwise."""


@pytest.fixture
def store(database_url: str) -> Iterator[SeriesStore]:
    with series_store(database_url) as store:
        if not store.compresses:
            pytest.skip("this server does not compress")
        yield store


def fill(store: SeriesStore, series: list[SeriesHandle], count: int) -> None:
    """Give each series a value a second, and compress them."""
    store.connection.execute(
        "INSERT INTO observation (observed_at, received_at, raw_id, value, series_id, quality)"
        " SELECT at, at, 1, 0.5, id, 0 FROM unnest(%s::integer[]) id,"
        " generate_series(%s, %s, interval '1 second') at",
        ([one.id for one in series], LONG_AGO, LONG_AGO + (count - 1) * SECOND),
    )
    store.compress()
    assert store.uncompressed() == 0


def test_new_repeated_and_corrected_values_are_told_apart(store: SeriesStore) -> None:
    one, two = store.numbered(2)
    fill(store, [one, two], 10)

    outcome = store.store(
        (one, LONG_AGO, 0.5),
        (one, LONG_AGO + SECOND, 7.0),
        (one, LONG_AGO + SECOND / 2, 3.0),
        (two, LONG_AGO, 0.5),
    )

    assert (outcome.stored, outcome.duplicates, outcome.corrections) == (1, 2, 1)
    assert store.rows(
        "SELECT observed_at - %s, value, quality & 1 FROM observation"
        " WHERE series_id = %s AND observed_at < %s ORDER BY 1",
        LONG_AGO,
        one.id,
        LONG_AGO + 2 * SECOND,
    ) == [
        (0 * SECOND, 0.5, 0),
        (SECOND / 2, 3.0, 0),
        (SECOND, 7.0, int(Quality.CORRECTED)),
    ]
    assert store.rows("SELECT value FROM correction") == [(0.5,)]


def test_a_repeated_value_decompresses_nothing(store: SeriesStore) -> None:
    one, two = store.numbered(2)
    fill(store, [one, two], 10)
    compressed = [(one, LONG_AGO, 0.5), (two, LONG_AGO + SECOND, 0.5)]
    fresh = (one, NOON, 4.0)

    assert store.store(*compressed).duplicates == 2
    assert store.uncompressed() == 0
    assert store.store(fresh).stored == 1
    assert store.store(fresh).duplicates == 1
    assert store.store(fresh, *compressed).duplicates == 3
    assert store.uncompressed() == 1


def test_a_correction_decompresses_only_its_neighbours_however_often(store: SeriesStore) -> None:
    known = store.numbered(3)
    fill(store, known, 3 * BATCH)
    for number in range(8):  # from the sixth on, a statement might be planned for all values
        one = known[number % 2]
        at = LONG_AGO + (BATCH + number) * SECOND
        assert store.store((one, at, 9.0 + number)).corrections == 1
    assert store.uncompressed() <= 4 * BATCH
    assert store.rows("SELECT count(*) FROM observation WHERE value >= 9") == [(8,)]


def test_more_corrections_than_one_transaction_may_decompress_by_default(
    store: SeriesStore,
) -> None:
    known = store.numbered(LIMIT // BATCH + 20)
    fill(store, known, BATCH)

    outcome = store.store(*((one, LONG_AGO, 7.0) for one in known))

    assert (outcome.corrections, outcome.duplicates) == (len(known), 0)
    assert store.uncompressed() > LIMIT
    assert store.rows("SELECT count(*) FROM observation WHERE value = 7") == [(len(known),)]


def test_pages_go_through_compressed_and_added_values_in_order(store: SeriesStore) -> None:
    (one,) = store.numbered(1)
    fill(store, [one], 2 * BATCH)
    store.store((one, LONG_AGO + SECOND / 2, 1.0), (one, LONG_AGO + 1500 * SECOND, 2.0))
    reader = HistoryReader(store.database, counting_timeout_s=10)

    seen, after = [], None
    while page := reader.page(
        one.id, since=None, until=None, order=Order.OLDEST_FIRST, after=after, limit=700
    ):
        seen += page
        after = page[-1].observed_at

    times = [sample.observed_at for sample in seen]
    assert times == sorted(set(times))
    assert len(times) == 2 * BATCH + 2
    changed = [sample.value for sample in seen if sample.value not in (0.5, 0.0)]
    assert changed == [1.0, 2.0]
