"""Messages as they came: kept in blocks, read one by one, found by the id that values name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import chain

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityos.ports import IngestBatch, Origin, RawBlock
from cityos.storage import raw_blocks
from cityos.storage.database import Database, migrate
from cityos.storage.writer import PostgresObservationWriter
from tests.series_store import NOON


class Messages:
    def __init__(self, url: str) -> None:
        self.database = Database(url, application="test", max_size=2)
        self.writer = PostgresObservationWriter(self.database)
        self.connection = psycopg.connect(url, autocommit=True)

    def origin(self, device: str) -> Origin:
        return self.writer.origin(
            Origin("t", "acme", device, f"topic/{device}", "cityos_json@1.0.0")
        )

    def keep(self, *blocks: RawBlock) -> None:
        self.writer.store(IngestBatch(raw=list(blocks)))

    def kept(self) -> list[tuple[int, str, bytes]]:
        return self.connection.execute(
            "SELECT m.id, o.device, m.payload FROM raw_message m"
            " JOIN origin o ON o.id = m.origin_id ORDER BY m.id"
        ).fetchall()

    def found(self, number: int) -> list[tuple[int, bytes]]:
        return self.connection.execute(
            "SELECT id, payload FROM raw_message_by_id(%s)", (number,)
        ).fetchall()

    def rows(self) -> int:
        row = self.connection.execute("SELECT count(*) FROM raw_block").fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def messages(database_url: str) -> Iterator[Messages]:
    made = Messages(database_url)
    yield made
    made.connection.close()
    made.database.close()


def block(first_id: int, origins: Sequence[Origin], payloads: Sequence[bytes]) -> RawBlock:
    return RawBlock(first_id, NOON, list(origins), list(payloads))


def test_messages_are_kept_with_who_sent_them(messages: Messages) -> None:
    first, second = messages.origin("g1"), messages.origin("g2")
    assert messages.origin("g1") is first
    messages.keep(block(42, [first, second, first], [b"\x00payload", b"", b"other"]))
    assert messages.kept() == [(42, "g1", b"\x00payload"), (43, "g2", b""), (44, "g1", b"other")]
    assert messages.connection.execute(
        "SELECT received_at, adapter FROM raw_message m JOIN origin o ON o.id = origin_id"
        " WHERE m.id = 43"
    ).fetchone() == (NOON, "cityos_json@1.0.0")


def test_a_day_that_retention_dropped_meanwhile_is_made_again(messages: Messages) -> None:
    origin = messages.origin("g1")
    messages.keep(block(1, [origin], [b"gone"]))
    dropped = messages.connection.execute(
        "SELECT drop_raw_messages_before(%s)", (NOON + timedelta(days=2),)
    ).fetchone()
    assert dropped is not None
    assert dropped[0] >= 1
    messages.keep(block(2, [origin], [b"kept"]))
    assert messages.kept() == [(2, "g1", b"kept")]


def test_messages_that_came_together_share_rows(messages: Messages) -> None:
    origin, count = messages.origin("g1"), 10 * raw_blocks.MOST_IN_A_ROW
    messages.keep(block(1, [origin] * count, [b"21.5"] * count))
    assert messages.rows() == 10
    assert messages.kept() == [(number, "g1", b"21.5") for number in range(1, count + 1)]


def test_a_row_of_usual_messages_stays_in_its_page(messages: Messages) -> None:
    """Out of it the server would cut it into rows of its own, each with a place in an index."""
    origin = messages.origin("g1")
    messages.keep(block(1, [origin] * 300, [b"x" * 250] * 300))
    pages = messages.connection.execute(
        "SELECT sum(pg_relation_size(c.oid)) / 8192, sum(pg_relation_size(c.reltoastrelid))"
        " FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
        " WHERE inhparent = 'raw_block'::regclass"
    ).fetchone()
    assert pages == (messages.rows(), 0)


def test_a_message_larger_than_a_page_is_kept_whole(messages: Messages) -> None:
    origin, large = messages.origin("g1"), bytes(range(256)) * 4000
    messages.keep(block(1, [origin] * 3, [b"before", large, b"after"]))
    assert [payload for _, _, payload in messages.kept()] == [b"before", large, b"after"]
    assert messages.found(2) == [(2, large)]


sizes = st.lists(st.integers(0, 9000), min_size=1, max_size=150)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(sizes, min_size=1, max_size=4))
def test_each_message_is_found_by_its_id_and_no_other(
    messages: Messages, blocks: list[list[int]]
) -> None:
    """Between the blocks an id is left out: a message that was refused has no raw message."""
    messages.connection.execute("TRUNCATE raw_block")
    origin, first, expected, made = messages.origin("g1"), 1, dict[int, bytes](), []
    for lengths in blocks:
        payloads = [b"%d" % (first + n) * 2000 for n in range(len(lengths))]
        payloads = [text[:length] for text, length in zip(payloads, lengths, strict=True)]
        made.append(block(first, [origin] * len(payloads), payloads))
        expected |= dict(enumerate(payloads, first))
        first += len(payloads) + 1
    messages.keep(*made)
    assert [(number, payload) for number, _, payload in messages.kept()] == [*expected.items()]
    assert list(chain.from_iterable(map(messages.found, range(first + 1)))) == [*expected.items()]


def test_messages_of_before_there_were_blocks_are_kept(new_database: Callable[[], str]) -> None:
    url = new_database()
    migrate(url, revision="0001_first_city")
    days = [NOON - timedelta(days=days) for days in (3, 1, 0)]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT make_room_for_raw_messages(%s)", (days,))
        for number, day in enumerate(days, 7):
            connection.execute(
                "INSERT INTO raw_message VALUES (%s, %s, %s, %s)",
                (number, day, number + 10, b"%d" % number),
            )
        migrate(url)
        assert connection.execute("SELECT * FROM raw_message ORDER BY id").fetchall() == [
            (number, day, number + 10, b"%d" % number) for number, day in enumerate(days, 7)
        ]
        assert connection.execute("SELECT payload FROM raw_message_by_id(8)").fetchall() == [
            (b"8",)
        ]
