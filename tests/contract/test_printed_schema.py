"""`cityos migrate --sql` prints statements that make the very schema that `migrate` makes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final, LiteralString

import psycopg
import pytest
from psycopg import Connection

from cityos.errors import InvalidRequest
from cityos.storage import database
from tests.series_store import NOON, has_timescale, series_store

REVISIONS: Final = sorted(
    path.stem for path in (database._MIGRATIONS / "versions").glob("[0-9]*.py")
)
FIRST: Final = REVISIONS[0]
_FUNCTIONS: Final[LiteralString] = """
SELECT proname, pg_get_functiondef(p.oid) FROM pg_proc p
JOIN pg_language l ON l.oid = p.prolang
WHERE pronamespace = 'public'::regnamespace AND l.lanname IN ('sql', 'plpgsql') ORDER BY 1, 2
"""
_COLUMNS: Final[LiteralString] = """
SELECT table_name, column_name, data_type, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, ordinal_position
"""
_INDEXES: Final[LiteralString] = """
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1
"""
_EXTENSION: Final = "CREATE EXTENSION IF NOT EXISTS timescaledb;"
_PRETENDED: Final[LiteralString] = """
SET timescaledb.license = 'apache';
CREATE TABLE hypertable (name text, dimension text, chunk interval);
CREATE TYPE dimension AS (name text, chunk interval);
CREATE FUNCTION by_range(text, interval) RETURNS dimension LANGUAGE sql AS 'SELECT $1, $2';
CREATE FUNCTION create_hypertable(text, dimension, create_default_indexes boolean) RETURNS void
LANGUAGE sql AS 'INSERT INTO hypertable VALUES ($1, ($2).name, ($2).chunk)';
CREATE FUNCTION drop_chunks(text, older_than timestamptz) RETURNS SETOF text
LANGUAGE sql AS 'SELECT $1';
"""


def printed(capsys: pytest.CaptureFixture[str], *, timescale: bool, revision: str = "head") -> str:
    capsys.readouterr()
    database.migrate("postgresql://", sql_only=True, timescale=timescale, revision=revision)
    return capsys.readouterr().out


def test_the_step_that_is_printed_keeps_what_a_store_has(
    new_database: Callable[[], str], capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    with psycopg.connect(database_url) as migrated:
        expected, timescale = schema(migrated), has_timescale(migrated)
    url = new_database()
    database.migrate(url, revision=FIRST)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT make_room_for_raw_messages(ARRAY[%s])", (NOON,))
        connection.execute("INSERT INTO raw_message VALUES (7, %s, 1, 'x')", (NOON,))
        step = printed(capsys, timescale=timescale, revision=f"{FIRST}:head")
        connection.execute(step.encode())
        kept = connection.execute("SELECT id, payload FROM raw_message").fetchall()
        assert kept == [(7, b"x")]
        connection.execute("SELECT drop_raw_messages_before('infinity')")
        assert schema(connection) == expected


def test_a_schema_that_there_never_was_is_said() -> None:
    with pytest.raises(InvalidRequest, match="no way to the schema '0000:head'"):
        database.migrate("postgresql://", sql_only=True, revision="0000:head")


def schema(connection: Connection) -> list[list[tuple[Any, ...]]]:
    return [connection.execute(query).fetchall() for query in (_FUNCTIONS, _COLUMNS, _INDEXES)]


def test_what_is_printed_makes_the_schema_of_a_migration(
    database_url: str,
    new_database: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with psycopg.connect(database_url) as migrated:
        expected, timescale = schema(migrated), has_timescale(migrated)
    with psycopg.connect(new_database(), autocommit=True) as connection:
        connection.execute(printed(capsys, timescale=timescale).encode())
        assert schema(connection) == expected
        assert has_timescale(connection) == timescale


def test_a_plain_store_that_was_printed_works_and_stays_plain(
    new_database: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(printed(capsys, timescale=False).encode())
    database.migrate(url)  # nothing is left to do
    with series_store(url) as store:
        series = store.series()
        store.store((series, NOON, 1.0), (series, NOON - timedelta(hours=9), 2.0))
        store.maintain(observation_days=1)
        assert store.hourly(series) == store.recounted(series)
        assert len(store.hourly(series)) == 2
        assert not has_timescale(store.connection)


def test_a_store_for_timescale_is_printed_as_one_script(
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = printed(capsys, timescale=True)
    assert script.startswith("BEGIN;")
    assert script.endswith("COMMIT;\n\n")
    assert [script.count(word) for word in ("BEGIN;", "COMMIT;", _EXTENSION)] == [1, 1, 1]
    assert re.findall(r"-- Running upgrade (\S*) -> (\S+)", script) == list(
        pairwise(["", *REVISIONS])
    )
    assert "PARTITION" not in script


def test_what_is_printed_for_timescale_makes_hypertables_of_what_grows(
    database_url: str, new_database: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """On a server without TimescaleDB, that is; one that has it is asked above."""
    with psycopg.connect(database_url) as migrated:
        if has_timescale(migrated):
            pytest.skip("this server has TimescaleDB, which need not be pretended")
    script = printed(capsys, timescale=True).replace(_EXTENSION, _PRETENDED)
    with psycopg.connect(new_database(), autocommit=True) as connection:
        connection.execute(script.encode())
        made = connection.execute(
            "SELECT name, dimension, chunk FROM hypertable"
            " JOIN pg_class ON relname = name AND relkind = 'r' ORDER BY name"
        ).fetchall()
        assert made == [
            ("observation", "observed_at", timedelta(days=7)),
            ("raw_block", "received_at", timedelta(days=1)),
        ]
        at = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        assert at == [(REVISIONS[-1],)]
