"""What every ObservationWriter keeps to, on the real PostgreSQL."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityos.domain.alert import AlertInfo, Bulletin, MessageType
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Name
from cityos.domain.history import SeriesKey
from cityos.domain.observation import Position, Quality, Value
from cityos.domain.occasion import Actual, Exercise
from cityos.errors import Rejected, Unavailable
from cityos.ports import (
    DeadLetter,
    IngestBatch,
    Origin,
    RawBlock,
    ReceivedAlert,
    SeriesHandle,
    StoreOutcome,
)
from cityos.storage import packing, writer
from cityos.storage.database import Database
from cityos.storage.writer import PostgresObservationWriter
from tests.city_processes import until

NOW = datetime(2026, 11, 22, 1, 2, 3, 456789, UTC)
ENTITY = "urn:ngsi-ld:WaterLevelGauge:t:1"


class Store:
    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url, application="test", max_size=2, autocommit=True)
        self.writer = PostgresObservationWriter(self.database, wanted=lambda p: p == "water_level")
        self.raw_ids = iter(range(1, 10**6))

    def series(self, prop: str = "water_level", dataset: str = "") -> SeriesHandle:
        key = SeriesKey(entity=ENTITY, observed_property=prop, dataset=dataset)
        return self.writer.series("t", key, "m", Actual())

    def store(
        self,
        *values: tuple[SeriesHandle, datetime, Value],
        received_at: datetime = NOW,
        raw_id: int = 0,
    ) -> StoreOutcome:
        return self.writer.store(
            IngestBatch(
                values=[
                    (series, at, received_at, raw_id or next(self.raw_ids), value, 0)
                    for series, at, value in values
                ]
            )
        )

    def rows(self, query: str, *arguments: object) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query, arguments).fetchall()


@pytest.fixture(params=["few values", "many values"])
def store(
    database_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """Few values go to the server in one trip with all else, many by COPY."""
    if request.param == "many values":
        monkeypatch.setattr(packing, "FEW", 0)
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO tenant (id, name_en, name_ja) VALUES ('t', 'T', 'T')")
        connection.execute(
            "INSERT INTO entity (tenant_id, id, type, name_en, name_ja)"
            " VALUES ('t', %s, 'WaterLevelGauge', 'G', 'G')",
            (ENTITY,),
        )
    store = Store(database_url)
    yield store
    store.database.close()


def test_a_new_value_is_stored_and_is_the_latest(store: Store) -> None:
    outcome = store.store((store.series(), NOW, 1.5))
    assert (outcome.stored, outcome.duplicates, outcome.corrections) == (1, 0, 0)
    (latest,) = outcome.changed()["t"]
    assert (latest.entity, latest.value, latest.observed_at) == (ENTITY, 1.5, NOW)
    assert store.rows("SELECT value, observed_at FROM latest") == [(1.5, NOW)]


def test_the_same_again_changes_nothing(store: Store) -> None:
    series = store.series()
    store.store((series, NOW, 1.5), (series, NOW + timedelta(seconds=1), 1.6))
    before = store.rows("SELECT * FROM observation ORDER BY observed_at")
    outcome = store.store((series, NOW, 1.5), (series, NOW + timedelta(seconds=1), 1.6))
    assert (outcome.stored, outcome.duplicates, outcome.events) == (0, 2, 0)
    assert outcome.moved == []
    assert store.rows("SELECT * FROM observation ORDER BY observed_at") == before
    assert store.rows("SELECT count(*) FROM event") == [(2,)]


def test_a_duplicate_does_not_keep_its_neighbours_out(store: Store) -> None:
    series = store.series()
    store.store((series, NOW, 1.5))
    outcome = store.store((series, NOW, 1.5), (series, NOW + timedelta(seconds=1), 9.9))
    assert (outcome.stored, outcome.duplicates, outcome.events) == (1, 1, 1)
    assert [value.value for value in outcome.changed()["t"]] == [9.9]


def test_one_key_twice_in_one_batch_is_one_row(store: Store) -> None:
    series = store.series()
    outcome = store.store((series, NOW, 1.5), (series, NOW, 1.5))
    assert (outcome.stored, outcome.duplicates) == (1, 1)


def test_another_value_under_the_same_key_is_a_correction_and_both_are_kept(store: Store) -> None:
    series = store.series()
    store.store((series, NOW, 1.5))
    later = NOW + timedelta(minutes=1)
    outcome = store.store((series, NOW, 2.5), received_at=later)
    assert (outcome.stored, outcome.corrections, outcome.events) == (0, 1, 1)
    assert store.rows("SELECT value, quality FROM observation") == [(2.5, int(Quality.CORRECTED))]
    assert store.rows("SELECT value, received_at FROM correction") == [(1.5, NOW)]
    assert store.rows("SELECT value FROM latest") == [(2.5,)]
    assert [value.value for value in outcome.changed()["t"]] == [2.5]


def test_a_correction_sent_again_is_a_duplicate(store: Store) -> None:
    series = store.series()
    store.store((series, NOW, 1.5), raw_id=1)
    later = NOW + timedelta(minutes=1)
    store.store((series, NOW, 2.5), received_at=later, raw_id=2)
    for raw_id, value, at in ((1, 1.5, NOW), (2, 2.5, later)):
        again = store.store((series, NOW, value), received_at=at, raw_id=raw_id)
        assert (again.corrections, again.duplicates) == (0, 1)
    assert store.rows("SELECT value FROM observation") == [(2.5,)]


def test_a_value_that_flips_without_end_leaves_a_hundred_corrections(store: Store) -> None:
    series = store.series()
    store.store((series, NOW, 0.0))
    for second in range(1, 104):
        at = NOW + timedelta(seconds=second)
        assert store.store((series, NOW, float(second)), received_at=at).corrections == 1
    assert store.rows("SELECT count(*), min(value), max(value) FROM correction") == [
        (100, 0.0, 99.0)
    ]
    assert store.rows("SELECT value FROM observation") == [(103.0,)]
    assert store.rows("SELECT value FROM latest") == [(103.0,)]


def test_any_number_of_corrections_in_one_batch(store: Store) -> None:
    series = store.series()
    times = [NOW - timedelta(minutes=m) for m in range(1500)]  # of two days
    store.store(*((series, at, -1.0) for at in times))
    later = NOW + timedelta(minutes=1)
    outcome = store.store(*((series, at, at.minute / 4) for at in times), received_at=later)
    assert (outcome.stored, outcome.corrections) == (0, 1500)
    wrong = "SELECT count(*) FROM observation WHERE value <> extract(minute FROM observed_at) / 4"
    assert store.rows(wrong) == [(0,)]
    assert store.rows("SELECT count(*) FROM correction WHERE value = -1") == [(1500,)]


def test_a_late_value_is_stored_flagged_and_does_not_move_the_latest(store: Store) -> None:
    series = store.series()
    store.store((series, NOW, 1.5))
    earlier = NOW - timedelta(hours=1)
    outcome = store.store((series, earlier, 1.1))
    assert outcome.stored == 1
    assert outcome.moved == []
    assert outcome.touched == {"t": [series.key]}
    assert store.rows("SELECT quality FROM observation WHERE observed_at = %s", earlier) == [
        (int(Quality.LATE),)
    ]
    assert store.rows("SELECT value FROM latest") == [(1.5,)]
    # the event stands at the series' own present, so that a service sees what is newer
    assert store.rows("SELECT at FROM event ORDER BY id DESC LIMIT 1") == [(NOW,)]


@pytest.mark.parametrize("known_before", [False, True])
def test_each_reading_of_a_batch_has_its_event_at_its_own_time(
    store: Store, known_before: bool
) -> None:
    series = store.series()
    minutes = [0, 10, 20, 5, 30]
    times = [NOW + timedelta(minutes=count) for count in minutes]
    if known_before:  # the other way into the store, for a batch that is partly known
        store.store((series, times[0] - timedelta(hours=1), 1.0))
        batch = [(series, times[0] - timedelta(hours=1), 1.0)]
        store.store(*batch, *((series, at, 2.0 + at.minute) for at in times))
    else:
        store.store(*((series, at, 2.0 + at.minute) for at in times))

    # a level that was reached in between must be looked at in its moment; only the reading that
    # came late is looked at from the newest before it
    rows = store.rows("SELECT at FROM event ORDER BY id")[-len(times) :]
    assert [row[0] for row in rows] == [times[0], times[1], times[2], times[2], times[4]]


def test_a_writer_that_starts_later_knows_the_latest(store: Store) -> None:
    store.store((store.series(), NOW, 1.5))
    second = Store(store.url)
    outcome = second.store((second.series(), NOW - timedelta(hours=1), 1.1))
    second.database.close()
    assert outcome.moved == []
    assert store.rows("SELECT value FROM latest") == [(1.5,)]


def test_where_another_node_is_ahead_the_latest_is_learnt(store: Store) -> None:
    series, minute = store.series("air_temperature"), timedelta(minutes=1)
    store.store((series, NOW, 1.0))
    other = Store(store.url)
    other.store((other.series("air_temperature"), NOW + 5 * minute, 1.5), raw_id=90)
    other.database.close()
    outcome = store.store((series, NOW + minute, 1.1))
    assert (outcome.stored, outcome.moved) == (1, [])
    assert outcome.touched == {"t": [series.key]}
    store.store((series, NOW + 2 * minute, 1.2))
    found = store.rows("SELECT value, quality FROM observation ORDER BY observed_at")
    assert found == [(1.0, 0), (1.1, 0), (1.2, int(Quality.LATE)), (1.5, 0)]
    assert store.rows("SELECT value FROM latest") == [(1.5,)]


def test_a_latest_value_that_another_process_cleaned_up_comes_back(store: Store) -> None:
    series, minute = store.series("air_temperature"), timedelta(minutes=1)
    store.store((series, NOW, 1.0))
    store.rows("DELETE FROM latest RETURNING 1")
    outcome = store.store((series, NOW + minute, 1.1))
    assert [value.value for value in outcome.changed()["t"]] == [1.1]
    assert store.rows("SELECT value FROM latest") == [(1.1,)]


@pytest.mark.parametrize(
    "value", [True, "open", Position(138.3, 34.8), [1, "a", None], {"a": {"b": 1.5}}]
)
def test_a_value_that_is_no_number_is_kept_as_a_document(store: Store, value: Value) -> None:
    store.store((store.series("status_text"), NOW, value))
    ((number, document),) = store.rows("SELECT value, document FROM latest")
    assert number is None
    if isinstance(value, Position):
        assert document == {"longitude": 138.3, "latitude": 34.8}
    else:
        assert document == value


def test_an_integer_is_a_number(store: Store) -> None:
    store.store((store.series(), NOW, 3))
    assert store.rows("SELECT value, document FROM observation") == [(3.0, None)]


def test_a_batch_of_portions_is_stored_as_one(store: Store) -> None:
    """Some packed ahead, one not, as the series of its value had no number yet."""
    level, origin = store.series(), store.writer.origin(Origin("t", "v", "d", "topic", "a@1"))
    later = NOW + timedelta(minutes=1)

    def portion(number: int, series: SeriesHandle, at: datetime) -> IngestBatch:
        batch = IngestBatch(
            raw=[RawBlock(number, NOW, [origin], [b"%d" % number])],
            values=[(series, at, NOW, number, float(number), 0)],
        )
        store.writer.pack(batch)
        return batch

    store.writer.store(portion(1, level, NOW))
    together = portion(2, level, later)
    together.extend(portion(3, level, NOW + timedelta(seconds=1)))
    assert len(together.packed) == 2
    together.extend(portion(4, store.series("rainfall_hourly"), NOW))
    outcome = store.writer.store(together)
    assert outcome.stored == 3
    assert store.rows("SELECT id, payload FROM raw_message ORDER BY id") == [
        (number, b"%d" % number) for number in (1, 2, 3, 4)
    ]
    late = int(Quality.LATE)
    assert store.rows("SELECT value, quality FROM observation ORDER BY raw_id") == [
        (1.0, 0),
        (2.0, 0),
        (3.0, late),
        (4.0, 0),
    ]
    assert store.rows("SELECT value FROM latest ORDER BY 1") == [(2.0,), (4.0,)]


def test_a_batch_of_portions_of_both_forms_is_stored_as_one(store: Store) -> None:
    names = ["air_temperature", "relative_humidity"]
    known = [store.series(name) for name in names]
    store.store(*((series, NOW, 0.0) for series in known))
    times = [NOW + timedelta(minutes=minute) for minute in (1, 2, 3)]
    together = IngestBatch()
    for number, (waiting, at) in enumerate(zip((0, packing.FEW, 0), times, strict=True)):
        values = [
            (series, at, NOW, 7 + number, number + 0.5, 0) for series in known[number // 2 :]
        ]
        part = IngestBatch(values=values)
        store.writer.pack(part, before=waiting)
        together.extend(part)
    as_rows = [bool(part.rows) for part in together.packed if isinstance(part, packing.Packed)]
    assert as_rows == [packing.FEW == 0, True, packing.FEW == 0]
    outcome = store.writer.store(together)
    assert (outcome.stored, len(outcome.moved), outcome.touched) == (5, 2, {})
    found = "SELECT s.property, {} FROM {} JOIN series s ON s.id = series_id ORDER BY 1, 2"
    assert store.rows(found.format("value", "latest")) == [(names[0], 1.5), (names[1], 2.5)]
    assert len(store.rows(found.format("observed_at", "observation"))) == 7


def test_after_a_restart_of_the_server_one_try_fails_and_the_next_succeeds(
    store: Store, database_url: str
) -> None:
    """Unchecked connections are all given up as soon as one turns out to be lost."""
    database = Database(
        database_url, application="unchecked", min_size=3, max_size=3, checked=False
    )
    store.writer = PostgresObservationWriter(database)
    store.store((store.series(), NOW, 1.5))
    theirs = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
    until(lambda: len(store.rows(theirs, "unchecked")) == 3 or None, "three connections")
    ended = store.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
        "unchecked",
    )
    assert len(ended) == 3
    with pytest.raises(Unavailable):
        store.store((store.series(), NOW + timedelta(seconds=1), 1.6))
    assert store.store((store.series(), NOW + timedelta(seconds=1), 1.6)).stored == 1
    database.close()


def test_where_the_answer_to_a_commit_was_lost_the_latest_is_learnt_again(store: Store) -> None:
    series, minute = store.series("air_temperature"), timedelta(minutes=1)
    store.store((series, NOW, 1.5))
    store.store((series, NOW + 5 * minute, 1.6))
    series.latest_at = NOW  # as if the second commit had been made and its answer lost
    store.writer.resume(uuid4())
    store.store((series, NOW + 3 * minute, 1.7))
    found = store.rows("SELECT value, quality FROM observation ORDER BY observed_at")
    assert found == [(1.5, 0), (1.7, int(Quality.LATE)), (1.6, 0)]


def test_how_far_a_spool_got_moves_with_the_batch(store: Store) -> None:
    spool = uuid4()
    node, stored_up_to = store.writer.resume(spool)
    assert stored_up_to == 0
    store.writer.store(IngestBatch(stored_up_to=18))
    assert store.writer.resume(spool) == (node, 18)
    other, _ = store.writer.resume(uuid4())
    assert other != node


def test_values_of_many_years_find_room(store: Store) -> None:
    series = store.series()
    times = [NOW - timedelta(days=30 * months) for months in range(100)]
    assert store.store(*((series, at, 1.0) for at in times)).stored == len(times)
    assert store.rows("SELECT count(*) FROM observation") == [(len(times),)]


def test_dead_letters_are_kept_once(store: Store) -> None:
    letter = DeadLetter(
        "t", 9, NOW, "acme", "g1", "topic", b"\x00\xff", "undecodable", "no", "$", "fix"
    )
    for _ in range(2):
        store.writer.store(IngestBatch(dead_letters=[letter]))
    assert store.rows("SELECT raw_id, payload, reason FROM dead_letter") == [
        (9, b"\x00\xff", "undecodable")
    ]


def test_a_series_of_a_thing_that_is_not_registered_is_refused_and_leaves_no_trace(
    store: Store,
) -> None:
    key = SeriesKey(entity="urn:ngsi-ld:No:1", observed_property="water_level")
    stranger = store.writer.series("t", key, "m", Actual())
    with pytest.raises(Rejected):
        store.store((stranger, NOW, 1.0))
    assert store.store((store.series(), NOW, 1.0)).stored == 1


def bulletin(sent: datetime, identifier: str, key: str = "office/VPWW53") -> ReceivedAlert:
    info = AlertInfo(
        event=Name("Heavy rain warning", "大雨警報"),
        hazard=Hazard.FLOOD,
        level=AlertLevel.ELDERLY_EVACUATE,
        headline=Name("", ""),
        description=Name("", ""),
        instruction=Name("", ""),
        areas=(),
    )
    read = Bulletin(
        identifier=identifier,
        sender="jma.go.jp",
        sent=sent,
        message_type=MessageType.ALERT,
        infos=(info,),
        source="jma_xml",
        drill=False,
        supersedes=key,
    )
    return ReceivedAlert("t", "", read.on(Actual()), key, None, 1)


def test_a_newer_bulletin_takes_the_place_of_the_older_in_any_order(store: Store) -> None:
    older, newer = bulletin(NOW, "a"), bulletin(NOW + timedelta(hours=1), "b")
    other = bulletin(NOW, "c", key="other")
    for order, events in (([older, newer, other], 3), ([newer, other, older], 2)):
        with psycopg.connect(store.url) as connection:
            connection.execute("DELETE FROM alert")
            connection.execute("DELETE FROM event")
        for received in order:
            store.writer.store(IngestBatch(alerts=[received]))
        assert store.rows("SELECT identifier, superseded_at FROM alert ORDER BY identifier") == [
            ("a", NOW + timedelta(hours=1)),
            ("b", None),
            ("c", None),
        ]
        # what was superseded before it came is kept, and is no news
        assert store.rows("SELECT count(*) FROM event WHERE kind = 'alert'") == [(events,)]


def test_a_bulletin_that_comes_again_makes_no_second_event(store: Store) -> None:
    for _ in range(2):
        store.writer.store(IngestBatch(alerts=[bulletin(NOW, "a")]))
    assert store.rows("SELECT count(*) FROM event") == [(1,)]


def test_a_drill_of_the_sender_is_never_an_actual(store: Store) -> None:
    read = bulletin(NOW, "a").alert
    drill = Bulletin(
        identifier="d",
        sender=read.sender,
        sent=read.sent,
        message_type=read.message_type,
        infos=read.infos,
        drill=True,
        supersedes="x",
    )
    store.writer.store(
        IngestBatch(alerts=[ReceivedAlert("t", "", drill.on(Actual()), "x", None, 1)])
    )
    assert store.rows("SELECT identifier, status, run FROM alert") == [
        ("d.exercise.sender-drill", "Exercise", "sender-drill")
    ]


def test_events_say_on_which_occasion(store: Store) -> None:
    key = SeriesKey(
        entity=ENTITY, observed_property="water_level", dataset="urn:cityos:exercise:typhoon"
    )
    series = store.writer.series("t", key, "m", Exercise("typhoon"))
    store.store((series, NOW, 1.0))
    assert store.rows("SELECT status, run, dataset FROM event") == [
        ("Exercise", "typhoon", "urn:cityos:exercise:typhoon")
    ]


def test_a_series_on_another_occasion_is_another_handle(store: Store) -> None:
    key = SeriesKey(entity=ENTITY, observed_property="water_level", dataset="d")
    real = store.writer.series("t", key, "m", Actual())
    drill = store.writer.series("t", key, "m", Exercise("typhoon"))
    assert real is not drill
    store.store((drill, NOW, 1.0), (real, NOW + timedelta(seconds=1), 1.0))
    assert store.rows("SELECT status, run FROM event ORDER BY id") == [
        ("Exercise", "typhoon"),
        ("Actual", ""),
    ]


def test_only_what_a_service_listens_to_makes_events(store: Store) -> None:
    outcome = store.store((store.series("air_temperature"), NOW, 1.0))
    assert outcome.events == 0
    assert store.rows("SELECT count(*) FROM event") == [(0,)]


def test_two_writers_on_the_same_series_do_not_lock_each_other_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_RETRIES", 1)  # a deadlock would be tried again, and unseen
    names = ("air_temperature", "relative_humidity", "wind_speed", "co2")
    failures: list[Exception] = []

    def write(seed: int) -> None:
        own = Store(store.url)
        rng = random.Random(seed)
        try:
            for step in range(30):
                rows = [
                    (own.series(name), NOW + timedelta(seconds=step * 10 + seed), 1.0)
                    for name in names
                ]
                rng.shuffle(rows)
                own.store(*rows)
        except Exception as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)
        finally:
            own.database.close()

    threads = [threading.Thread(target=write, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert store.rows("SELECT count(*) FROM observation") == [(240,)]


def test_where_another_node_was_ahead_a_value_is_kept_and_is_not_the_latest(store: Store) -> None:
    ours, both = store.series(), store.series("air_temperature")
    store.store((ours, NOW, 1.0), (both, NOW, 1.0))
    other = Store(store.url)
    other.raw_ids = iter(range(10**6, 2 * 10**6))
    other.store((other.series(), NOW + timedelta(minutes=2), 3.0))
    outcome = store.store(
        (ours, NOW + timedelta(minutes=1), 2.0), (both, NOW + timedelta(minutes=1), 2.0)
    )
    other.database.close()
    assert outcome.stored == 2
    assert [value[0] for value in outcome.moved] == [both]
    assert outcome.touched == {"t": [ours.key]}
    assert store.rows("SELECT value FROM latest ORDER BY value") == [(2.0,), (3.0,)]


def test_hours_are_rolled_up_exactly_whatever_comes_late(store: Store) -> None:
    series = store.series("air_temperature")
    hour = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    store.store(*((series, hour + timedelta(minutes=m), float(m)) for m in range(0, 180, 7)))

    def rolled() -> list[Any]:
        return store.rows(
            "SELECT bucket, count, sum, minimum, maximum FROM observation_hourly(%s, %s, %s)",
            series.id,
            hour,
            hour + timedelta(hours=4),
        )

    def counted() -> list[Any]:
        return store.rows(
            "SELECT date_trunc('hour', observed_at), count(value), sum(value), min(value),"
            " max(value) FROM observation GROUP BY 1 ORDER BY 1"
        )

    assert rolled() == counted()
    for (pending,) in store.rows("SELECT hours_to_roll_up(%s, 100)", NOW):
        with psycopg.connect(store.url) as connection:
            connection.execute("SELECT roll_up_hour(%s)", (pending,))
    assert rolled() == counted()
    store.store((series, hour + timedelta(minutes=1), -50.0))
    assert rolled() == counted()


values = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([1.0, 2.0])), min_size=1, max_size=12
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(values, min_size=1, max_size=4))
def test_every_value_is_counted_once_as_new_duplicate_or_correction(
    store: Store, batches: list[list[tuple[int, float]]]
) -> None:
    with psycopg.connect(store.url) as connection:
        connection.execute("DELETE FROM observation")
        connection.execute("DELETE FROM correction")
        connection.execute("DELETE FROM latest")
    series = store.series("air_temperature")
    series.latest_at = None
    sent = stored = 0
    for number, batch in enumerate(batches):
        outcome = store.store(
            *((series, NOW + timedelta(seconds=at), value) for at, value in batch),
            received_at=NOW + timedelta(minutes=number),
        )
        sent += len(batch)
        stored += outcome.stored
        assert outcome.stored + outcome.duplicates + outcome.corrections == len(batch)
    keys = {at for batch in batches for at, _ in batch}
    assert stored == len(keys)
    assert store.rows("SELECT count(*), count(DISTINCT observed_at) FROM observation") == [
        (len(keys), len(keys))
    ]
    assert store.rows("SELECT observed_at FROM latest") == [(NOW + timedelta(seconds=max(keys)),)]


def test_a_store_that_does_not_finish_in_time_is_said_to_be_away(store: Store) -> None:
    database = Database(store.url, application="hurried", statement_timeout_s=0.3)
    hurried = PostgresObservationWriter(database)
    key = SeriesKey(entity=ENTITY, observed_property="co2")
    series = hurried.series("t", key, "[ppm]", Actual())
    batch = IngestBatch(values=[(series, NOW, NOW, 1, 1.0, 0)])
    with psycopg.connect(store.url) as connection:
        connection.execute("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable):
            hurried.store(batch)
    assert hurried.store(batch).stored == 1
    database.close()


def test_a_server_that_is_away_is_said_within_the_deadline() -> None:
    database = Database("postgresql://nobody@127.0.0.1:9/x", application="t", timeout_s=0.5)
    writer = PostgresObservationWriter(database)
    with pytest.raises(Unavailable):
        writer.resume(uuid4())
    database.close()
