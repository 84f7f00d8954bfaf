from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import psycopg
import pytest
from structlog.testing import capture_logs

from cityos.ports import FIRST_RECEIPT
from cityos.storage import expiry
from cityos.storage.database import Database, migrate
from cityos.storage.maintenance import Maintenance, Retention

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


class Noon:
    """Noon; ``step_s`` pass with every look at the clock."""

    def __init__(self) -> None:
        self.time = NOW
        self.step_s = 0.0
        self.elapsed_s = 0.0

    def now(self) -> datetime:
        return self.time

    def monotonic_s(self) -> float:
        self.elapsed_s += self.step_s
        return self.elapsed_s


@pytest.fixture
def clock() -> Noon:
    return Noon()


@pytest.fixture
def maintenance(database_url: str, clock: Noon) -> Iterator[Maintenance]:
    database = Database(database_url, application="maintenance", max_size=1)
    yield Maintenance(database, clock, Retention(raw_message_days=30, observation_days=365))
    database.close()


def tables(connection: psycopg.Connection, parent: str) -> set[str]:
    rows = connection.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = %s::regclass",
        (parent,),
    )
    return {row[0] for row in rows}


def is_plain(connection: psycopg.Connection) -> bool:
    found = connection.execute(
        "SELECT relkind FROM pg_class WHERE oid = 'observation'::regclass"
    ).fetchone()
    return found == ("p",)


def test_partitions_are_made_ahead_and_dropped_when_their_time_is_over(
    maintenance: Maintenance, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        if not is_plain(connection):
            pytest.skip("TimescaleDB makes its chunks when they are needed")
        connection.execute(
            "SELECT make_room_for_raw_messages(ARRAY[%s, %s])",
            (NOW - timedelta(days=40), NOW - timedelta(days=10)),
        )
        connection.execute(
            "SELECT make_room_for_observations(ARRAY[%s])", (NOW - timedelta(days=400),)
        )
        maintenance.round()
        raw = tables(connection, "raw_block")
        assert "raw_block_20261013" not in raw
        assert {"raw_block_20261112", "raw_block_20261122", "raw_block_20261129"} <= raw
        assert "observation_20261116" in tables(connection, "observation")
        assert not [t for t in tables(connection, "observation") if t < "observation_2026"]


def test_messages_go_when_their_days_are_over(maintenance: Maintenance, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        times = [NOW - timedelta(days=days) for days in (40, 10, 0)]
        connection.execute("SELECT make_room_for_raw_messages(%s)", (times,))
        for number, at in enumerate(times):
            connection.execute(
                "INSERT INTO raw_block VALUES (%s, %s, '{1}', '{0}', '')",
                (number, at),
            )
        maintenance.round()
        assert connection.execute("SELECT id FROM raw_message ORDER BY id").fetchall() == [
            (1,),
            (2,),
        ]


def test_old_refusals_and_deliveries_go(maintenance: Maintenance, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for number, days in enumerate((1, 100)):
            connection.execute(
                "INSERT INTO dead_letter (tenant_id, raw_id, received_at, vendor, device, topic,"
                " payload, reason, detail, path, hint)"
                " VALUES ('t', %s, %s, 'v', 'd', 'x', '', 'undecodable', '', '$', '')",
                (number, NOW - timedelta(days=days)),
            )
        maintenance.round()
        assert connection.execute("SELECT raw_id FROM dead_letter").fetchall() == [(0,)]


def test_what_a_clock_without_its_time_has_stamped_waits_until_it_is_replayed(
    maintenance: Maintenance, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        put_dead_letters(connection, 3)
        connection.execute("UPDATE dead_letter SET received_at = '2000-01-01+00'")
        replayed = "UPDATE dead_letter SET replayed_at = %s WHERE raw_id = %s"
        connection.execute(replayed, (NOW - timedelta(days=100), 1))
        connection.execute(replayed, (NOW, 2))
        maintenance.round()
        rows = connection.execute("SELECT raw_id FROM dead_letter ORDER BY 1").fetchall()
        assert rows == [(2,), (3,)]


class Retained:
    """Dead letters that are so many days old, each with its age as its number."""

    def __init__(self, url: str, maintenance: Maintenance, clock: Noon, *ages_days: int) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.maintenance, self.clock = maintenance, clock
        put_dead_letters(self.connection, max(ages_days))
        self.connection.execute(
            "DELETE FROM dead_letter WHERE raw_id <> ALL (%s)", (list(ages_days),)
        )
        self.connection.execute(
            "UPDATE dead_letter SET received_at = %s - raw_id * interval '1 day'", (NOW,)
        )

    def after_hours(self, hours: float) -> list[int]:
        """Which are left after so many hours of running."""
        for _ in range(round(hours * 12)):
            self.clock.elapsed_s += 300
            self.maintenance.round()
        rows = self.connection.execute("SELECT raw_id FROM dead_letter ORDER BY 1")
        return [row[0] for row in rows]


Keep: TypeAlias = Callable[..., Retained]


@pytest.fixture
def keep(database_url: str, maintenance: Maintenance, clock: Noon) -> Iterator[Keep]:
    kept: list[Retained] = []

    def make(*ages_days: int) -> Retained:
        kept.append(Retained(database_url, maintenance, clock, *ages_days))
        return kept[-1]

    yield make
    for one in kept:
        one.connection.close()


def test_a_clock_that_jumps_ahead_makes_nothing_old_at_once(keep: Keep, clock: Noon) -> None:
    kept = keep(80, 85, 88)
    assert kept.after_hours(1) == [80, 85, 88]
    clock.time = NOW + timedelta(days=365)
    with capture_logs() as logs:
        assert kept.after_hours(1) == [80, 85, 88]
    (said,) = [log for log in logs if log["event"] == "this server's clock is ahead"]
    assert "it says 2027-11-22, and by what has passed here it is 2026-11-22" in said["why"]
    assert kept.after_hours(2) == [80, 85]
    clock.time = NOW + timedelta(hours=4)  # it is set right, and followed back
    kept.after_hours(3)
    clock.time = NOW + timedelta(days=365)
    assert kept.after_hours(4) == [80, 85]
    assert kept.after_hours(2) == [80]


def test_the_time_that_the_store_was_away_is_no_time_to_notice(
    keep: Keep, maintenance: Maintenance, clock: Noon
) -> None:
    kept = keep(80)
    assert kept.after_hours(1) == [80]
    clock.time = NOW + timedelta(days=365)
    clock.elapsed_s += 30 * 86400
    maintenance.round()
    assert kept.after_hours(1) == [80]


def test_a_clock_that_had_lost_its_time_is_followed_back_as_slowly(
    keep: Keep, clock: Noon
) -> None:
    kept = keep(85)
    assert kept.after_hours(1) == [85]
    clock.time = datetime(2000, 1, 1, tzinfo=UTC)
    assert kept.after_hours(2) == [85]
    clock.time = NOW + timedelta(days=10)
    assert kept.after_hours(6) == [85]  # it was followed two days back
    assert kept.after_hours(3) == []


def test_a_first_start_without_the_time_does_not_hold_up_clean_ups_for_years(
    keep: Keep, clock: Noon
) -> None:
    clock.time = datetime(2000, 1, 1, tzinfo=UTC)
    kept = keep(1)
    kept.after_hours(1)
    assert kept.connection.execute("SELECT at FROM retention_clock").fetchone() == (FIRST_RECEIPT,)


def test_a_store_in_use_begins_with_its_newest_receipt_and_not_with_the_clock(
    new_database: Callable[[], str],
) -> None:
    url = new_database()
    migrate(url, revision="0004_alerts_of_ours")
    with psycopg.connect(url, autocommit=True) as made:
        made.execute(
            "INSERT INTO latest (series_id, observed_at, received_at, raw_id, value, quality)"
            " VALUES (1, %s, %s, 1, 1.0, 0)",
            (NOW, NOW - timedelta(days=3)),
        )
        migrate(url)
        found = made.execute("SELECT at FROM retention_clock").fetchall()
        assert found == [(NOW - timedelta(days=3),)]


def test_an_operator_is_shown_that_the_clock_is_ahead_until_it_is_not(
    database_url: str, clock: Noon
) -> None:
    notices: dict[str, str] = {}
    database = Database(database_url, application="maintenance", max_size=1)
    upkeep = Maintenance(database, clock, Retention(), put_notice=notices.__setitem__)
    upkeep.round()
    clock.time = NOW + timedelta(days=3)
    upkeep.round()
    assert notices["ahead"].startswith("this server's clock is ahead (it says 2026-11-25")
    clock.time = NOW
    upkeep.round()
    database.close()
    assert notices == {"ahead": ""}


def test_two_at_the_same_time_do_not_disturb_each_other(
    maintenance: Maintenance, database_url: str
) -> None:
    with psycopg.connect(database_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (0x0C17_7906,))
        maintenance.round()
    maintenance.round()


def put_dead_letters(connection: psycopg.Connection, count: int) -> None:
    connection.execute(
        "INSERT INTO dead_letter (tenant_id, raw_id, received_at, vendor, device, topic,"
        " payload, reason, detail, path, hint)"
        " SELECT 't', n, %s, 'v', 'd', 'x', '', 'undecodable', '', '$', ''"
        " FROM generate_series(1, %s) n",
        (NOW - timedelta(days=100), count),
    )


def left(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()  # noqa: S608
    assert row is not None
    return int(row[0])


def test_more_than_a_slice_goes_in_one_round(maintenance: Maintenance, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        put_dead_letters(connection, 2 * expiry.SLICE + 7)
        maintenance.round()
        assert left(connection, "dead_letter") == 0


def test_a_clean_up_ends_with_its_time_and_goes_on_in_the_next_round(
    maintenance: Maintenance, clock: Noon, database_url: str
) -> None:
    clock.step_s = 60.0
    with psycopg.connect(database_url, autocommit=True) as connection:
        put_dead_letters(connection, expiry.SLICE + 7)
        maintenance.round()
        assert left(connection, "dead_letter") == 7
        maintenance.round()
        assert left(connection, "dead_letter") == 0


def test_failed_events_and_deliveries_go_and_those_that_wait_stay(
    maintenance: Maintenance, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO tenant (id, name_en, name_ja) VALUES ('t', 'T', 'T')")
        connection.execute(
            "INSERT INTO alert (tenant_id, identifier, status, run, sender, sent, message_type,"
            " ours, source, level, document)"
            " VALUES ('t', 'a', 'Actual', '', 's', %s, 'Alert', true, '', 4, '{}')",
            (NOW - timedelta(days=500),),
        )
        for name, days in (("new", 1), ("old", 500), ("waits", None)):
            at = None if days is None else NOW - timedelta(days=days)
            connection.execute(
                "INSERT INTO event (tenant_id, kind, status, run, dataset, at, document,"
                " failed_at) VALUES ('t', 'alert', 'Actual', '', %s, %s, '{}', %s)",
                (name, NOW - timedelta(days=500), at),
            )
            connection.execute(
                "INSERT INTO outbox (tenant_id, status, run, identifier, channel, situation,"
                " delivered_at) VALUES ('t', 'Actual', '', 'a', 'mqtt', %s, %s)",
                (name, at),
            )
        maintenance.round()
        names = [("new",), ("waits",)]
        assert connection.execute("SELECT dataset FROM event ORDER BY 1").fetchall() == names
        assert connection.execute("SELECT situation FROM outbox ORDER BY 1").fetchall() == names
        assert left(connection, "alert") == 1


def test_corrections_go_with_the_days_of_values(
    maintenance: Maintenance, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for days in (364, 366):
            connection.execute(
                "INSERT INTO correction (series_id, observed_at, received_at, raw_id, value,"
                " quality, corrected_by) VALUES (1, %s, %s, %s, 1, 0, 2)",
                (NOW - timedelta(days=days), NOW, days),
            )
        maintenance.round()
        assert connection.execute("SELECT raw_id FROM correction").fetchall() == [(364,)]


def test_a_step_that_fails_is_named_and_the_others_go_on(
    maintenance: Maintenance, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        put_dead_letters(connection, 3)
        connection.execute("DROP FUNCTION make_room_for_raw_messages")
        connection.execute("DROP FUNCTION hours_to_roll_up")
        with capture_logs() as logs:
            assert maintenance.round() == 0
        assert left(connection, "dead_letter") == 0
    assert [line["step"] for line in logs] == ["room for raw messages", "hours to roll up"]


def test_a_store_that_is_away_fails_every_step_and_raises_nothing(database_url: str) -> None:
    url = psycopg.conninfo.make_conninfo(database_url, dbname="absent")
    database = Database(url, application="maintenance", max_size=1, timeout_s=0.05)
    with capture_logs() as logs:
        assert Maintenance(database, Noon(), Retention()).round() == 0
    database.close()
    steps = [line.get("step") for line in logs]
    assert "hours to roll up" in steps
    assert steps[-1] == "time that has passed"  # without it nothing is old


def test_an_hour_that_fails_does_not_hold_up_the_next(
    maintenance: Maintenance, database_url: str
) -> None:
    hours = [NOW.replace(hour=hour, minute=0) for hour in (8, 9)]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT mark_hours(%s, 1::smallint)", (hours,))
        connection.execute("ALTER FUNCTION roll_up_hour RENAME TO roll_up_good_hour")
        connection.execute(
            "CREATE FUNCTION roll_up_hour(hour timestamptz) RETURNS void LANGUAGE plpgsql AS"
            " $$ BEGIN IF extract(hour FROM hour AT TIME ZONE 'UTC') = 8 THEN"
            " RAISE EXCEPTION 'bad hour'; END IF; PERFORM roll_up_good_hour(hour); END $$"
        )
        assert maintenance.round() == 1
        assert connection.execute("SELECT bucket FROM rollup_dirty").fetchall() == [(hours[0],)]


GAUGE = "urn:ngsi-ld:WaterLevelGauge:t:1"
CITY, ENDED, GOING_ON, AGAIN = 1, 2, 3, 4


def put_runs(connection: psycopg.Connection) -> None:
    """Values of the city and of three exercises; all but one value are 40 days old."""
    old = NOW - timedelta(days=40)
    connection.execute("SELECT make_room_for_observations(ARRAY[%s::timestamptz])", (old,))
    connection.execute("INSERT INTO tenant (id, name_en, name_ja) VALUES ('t', 'T', 'T')")
    connection.execute(
        "INSERT INTO entity (tenant_id, id, type, name_en, name_ja)"
        " VALUES ('t', %s, 'WaterLevelGauge', 'G', 'G')",
        (GAUGE,),
    )
    datasets = ("", *(f"urn:cityos:exercise:{run}" for run in ("ended", "going-on", "again")))
    for number, dataset in enumerate(datasets, start=1):
        latest_at = NOW if number == GOING_ON else old
        connection.execute(
            "INSERT INTO series (tenant_id, entity_id, property, dataset, unit)"
            " VALUES ('t', %s, 'water_level', %s, 'm')",
            (GAUGE, dataset),
        )
        for table, at in (("observation", old), ("correction", old), ("latest", latest_at)):
            more = ", corrected_by" if table == "correction" else ""
            connection.execute(
                f"INSERT INTO {table} (series_id, observed_at, received_at, raw_id, value,"  # noqa: S608
                f" quality{more}) VALUES (%s, %s, %s, 1, 1, 0{', 2' if more else ''})".encode(),
                (number, old, at),
            )
        connection.execute(
            "INSERT INTO rollup_hour VALUES (%s, date_bin('1 hour', %s, 'epoch'), 1, 1, 1, 1)",
            (number, old),
        )
    connection.execute(
        "INSERT INTO observation (series_id, observed_at, received_at, raw_id, value, quality)"
        " VALUES (%s, %s, %s, 2, 2, 0)",
        (AGAIN, old + timedelta(minutes=1), NOW),
    )


def test_an_exercise_goes_30_days_after_its_end(
    maintenance: Maintenance, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        put_runs(connection)
        maintenance.round()
        for table in ("correction", "latest", "rollup_hour"):
            rows = connection.execute(
                f"SELECT series_id FROM {table} ORDER BY 1".encode()  # noqa: S608
            ).fetchall()
            assert rows == [(CITY,), (GOING_ON,), (AGAIN,)], table
        assert connection.execute(
            "SELECT series_id, value FROM observation ORDER BY 1"
        ).fetchall() == [(CITY, 1.0), (GOING_ON, 1.0), (AGAIN, 2.0)]
        assert left(connection, "series") == 4


def test_ingest_hears_that_an_exercise_is_gone(database_url: str) -> None:
    """It remembers the newest time of every series, and would take the next values for late."""
    database, heard = Database(database_url, application="maintenance", max_size=1), list[bool]()
    keeping = Maintenance(database, Noon(), Retention(), forgotten=lambda: heard.append(True))
    keeping.round()
    assert not heard, "nothing was there"
    with psycopg.connect(database_url, autocommit=True) as connection:
        put_runs(connection)
    keeping.round()
    assert heard
    database.close()


def test_an_exercise_of_many_values_goes_in_slices(
    maintenance: Maintenance, clock: Noon, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        put_runs(connection)
        connection.execute(
            "INSERT INTO observation (series_id, observed_at, received_at, raw_id, value, quality)"
            " SELECT %s, %s - n * interval '1 second', %s, 1, 1, 0"
            " FROM generate_series(1, %s) n",
            (ENDED, *[NOW - timedelta(days=40)] * 2, expiry.SLICE + 6),
        )
        clock.step_s = 3.0  # time for a single slice
        maintenance.round()
        of_it = f"observation WHERE series_id = {ENDED}"
        assert left(connection, of_it) == 7
        clock.step_s = 0.0
        maintenance.round()
        assert left(connection, of_it) == 0
        assert left(connection, f"latest WHERE series_id = {ENDED}") == 0
