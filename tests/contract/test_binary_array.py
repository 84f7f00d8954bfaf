"""Arrays that are packed by hand are what the real PostgreSQL reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg
import pytest

from cityos.storage import binary_array
from cityos.storage.binary_array import Array

TIMES = [datetime(1999, 12, 31, 23, 59, 59, 999999, UTC), datetime(2026, 11, 22, 1, 2, 3, 4, UTC)]


@pytest.mark.parametrize(
    ("cast", "array", "expected"),
    [
        ("smallint[]", binary_array.smallints([-(2**15), 0, 2**15 - 1]), [-(2**15), 0, 2**15 - 1]),
        ("integer[]", binary_array.integers([-1, 2**31 - 1]), [-1, 2**31 - 1]),
        ("bigint[]", binary_array.bigints([-(2**63), 2**63 - 1]), [-(2**63), 2**63 - 1]),
        ("timestamptz[]", binary_array.times(TIMES), TIMES),
        ("timestamptz[]", binary_array.repeated_times([*TIMES, *TIMES]), [*TIMES, *TIMES]),
        ("text[]", binary_array.texts(["雨", "", "a,b"]), ["雨", "", "a,b"]),
        ("bytea[]", binary_array.byteas([b"\x00", b""]), [b"\x00", b""]),
        ("bigint[]", binary_array.bigints([]), []),
        ("text[]", binary_array.texts([]), []),
        (
            "double precision[]",
            binary_array.joined([binary_array.floats(some) for some in ([1.5], [], [None, 2.5])]),
            [1.5, None, 2.5],
        ),
        ("double precision[]", binary_array.floats([0.1, -1e300, 3]), [0.1, -1e300, 3.0]),
        ("double precision[]", binary_array.floats([1.5, None]), [1.5, None]),
        ("jsonb[]", binary_array.documents(['{"a": "雨"}', None, "1"]), [{"a": "雨"}, None, 1]),
    ],
)
def test_the_server_reads_what_was_meant(
    database_url: str, cast: LiteralString, array: Array, expected: list[Any]
) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(f"SELECT %b::{cast}", (array,)).fetchone()  # type: ignore[arg-type]
    assert row == (expected,)
