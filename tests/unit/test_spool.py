from __future__ import annotations

import sqlite3
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from structlog.testing import capture_logs

from cityos.errors import Unavailable
from cityos.ingest.packets import publish
from cityos.ingest.spool import Spool, SpooledBatch

NOW = datetime(2026, 11, 22, 1, 2, 3, 456789, UTC)
PLENTY = 1 << 30


def append(spool: Spool, *payloads: bytes, at: datetime = NOW) -> None:
    messages = [(b"topic", payload) for payload in payloads]
    packets = b"".join(publish(*message) for message in messages)
    spool.append(packets, messages, at, mqtt5=False)


def payloads_of(batches: list[SpooledBatch]) -> list[bytes]:
    return [payload for batch in batches for _, payload in batch.messages]


def test_what_is_appended_is_taken_in_order_under_growing_numbers(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", limit_bytes=PLENTY)
    append(spool, b"a", b"b")
    append(spool, b"c")
    taken = spool.take(at_most=10, timeout_s=0)
    assert payloads_of(taken) == [b"a", b"b", b"c"]
    assert [batch.first_sequence for batch in taken] == [1, 3]
    assert taken[0].received_at == NOW
    assert spool.take(at_most=10, timeout_s=0) == []


def test_what_was_not_stored_comes_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    first = Spool(path, limit_bytes=PLENTY)
    append(first, b"a")
    append(first, b"b", b"c", at=NOW + timedelta(seconds=1))
    first.stored(first.take(at_most=1, timeout_s=0)[0].next_sequence)
    first.trim()
    # no close: the process was killed
    second = Spool(path, limit_bytes=PLENTY)
    assert second.id == first.id
    taken = second.take(at_most=10, timeout_s=0)
    assert payloads_of(taken) == [b"b", b"c"]
    assert taken[0].first_sequence == 2
    assert taken[0].received_at == NOW + timedelta(seconds=1)


def test_a_row_that_is_stored_in_part_gives_the_rest_and_is_kept_until_all_is(
    tmp_path: Path,
) -> None:
    """A batch of which something was refused is stored in halves, and it may end there."""
    path = tmp_path / "spool.db"
    first = Spool(path, limit_bytes=PLENTY)
    append(first, *(bytes([number]) for number in range(1, 11)))
    second = Spool(path, limit_bytes=PLENTY)
    second.stored(6)
    append(second, b"later")
    taken = second.take(at_most=100, timeout_s=0)
    assert payloads_of(taken) == [b"\x06", b"\x07", b"\x08", b"\x09", b"\x0a", b"later"]
    assert [batch.first_sequence for batch in taken] == [6, 11]
    third = Spool(path, limit_bytes=PLENTY)
    third.stored(11)
    assert payloads_of(third.take(at_most=100, timeout_s=0)) == [b"later"]


def test_numbers_are_never_used_twice_even_when_all_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    first = Spool(path, limit_bytes=PLENTY)
    append(first, b"a", b"b")
    first.stored(3)
    first.close()
    second = Spool(path, limit_bytes=PLENTY)
    append(second, b"c")
    assert second.take(at_most=10, timeout_s=0)[0].first_sequence == 3


def test_a_full_spool_refuses_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", limit_bytes=100)
    append(spool, b"x" * 200)
    with pytest.raises(Unavailable, match="limit"):
        append(spool, b"y")
    spool.stored(spool.take(at_most=1, timeout_s=0)[0].next_sequence)
    append(spool, b"y")
    assert payloads_of(spool.take(at_most=1, timeout_s=0)) == [b"y"]


def test_more_than_memory_holds_is_read_from_disk_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", limit_bytes=PLENTY, cache_bytes=100_000)
    sent = [bytes([number]) * 40_000 for number in range(12)]
    for payload in sent:
        append(spool, payload)
    taken: list[bytes] = []
    while batches := spool.take(at_most=1, timeout_s=0):
        taken += payloads_of(batches)
        spool.stored(batches[-1].next_sequence)
    assert taken == sent
    assert spool.waiting_bytes == 0


def test_a_commit_is_synced_to_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", limit_bytes=PLENTY)
    full = 2
    assert spool._writer.execute("PRAGMA synchronous").fetchone() == (full,)
    assert spool._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_disk_that_refuses_is_said_and_keeps_nothing_half(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path, limit_bytes=PLENTY)
    append(spool, b"a")
    pages = spool._writer.execute("PRAGMA page_count").fetchone()[0]
    spool._writer.execute(f"PRAGMA max_page_count = {pages}")  # the disk is full
    with pytest.raises(Unavailable, match="cannot be written"):
        append(spool, b"b" * 100_000)
    spool._writer.execute("PRAGMA max_page_count = 1000000")
    append(spool, b"c")
    taken = spool.take(at_most=10, timeout_s=0)
    assert payloads_of(taken) == [b"a", b"c"]
    assert taken[-1].next_sequence == 3


def test_an_unwritable_place_is_said_when_opening() -> None:
    with pytest.raises(Unavailable, match="cannot be opened"):
        Spool(Path("/proc/no/spool.db"), limit_bytes=PLENTY)


class SpoolAgainstModel(RuleBasedStateMachine):
    """Any order of appending, taking, storing and being killed gives back what is not stored."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "spool.db"
        self.spool = Spool(self.path, limit_bytes=PLENTY, cache_bytes=5000)
        self.kept: dict[int, bytes] = {}
        self.next = 1
        self.read_from = 1
        self.counter = 0

    @rule(count=st.integers(1, 5), size=st.sampled_from([1, 50, 1000]))
    def append(self, count: int, size: int) -> None:
        payloads = []
        for _ in range(count):
            self.counter += 1
            payloads.append(self.counter.to_bytes(4, "big") * size)
            self.kept[self.next] = payloads[-1][:64]
            self.next += 1
        append(self.spool, *payloads)

    @rule(at_most=st.integers(1, 6), store=st.booleans())
    def take(self, at_most: int, store: bool) -> None:
        taken = self.spool.take(at_most=at_most, timeout_s=0)
        if not taken:
            assert self.read_from == self.next
            return
        assert taken[0].first_sequence == self.read_from
        for batch in taken:
            for number, (_, payload) in enumerate(batch.messages, batch.first_sequence):
                assert self.kept[number] == payload[:64]
        self.read_from = taken[-1].next_sequence
        if store:
            self.spool.stored(self.read_from)
            self.kept = {n: p for n, p in self.kept.items() if n >= self.read_from}

    @rule()
    def trim(self) -> None:
        self.spool.trim()

    @precondition(lambda self: self.next > 1)
    @rule()
    def killed(self) -> None:
        self.spool._reader.close()
        self.spool._writer.close()
        self.spool = Spool(self.path, limit_bytes=PLENTY, cache_bytes=5000)
        # what is stored but not trimmed may come again: the store knows it by its number
        held = sqlite3.connect(self.path)
        first = held.execute("SELECT min(first_sequence) FROM batch").fetchone()[0]
        held.close()
        self.read_from = self.next if first is None else first
        for number in range(self.read_from, self.next):
            self.kept.setdefault(number, self._payload_on_disk(number))

    def _payload_on_disk(self, number: int) -> bytes:
        reader = Spool(self.path, limit_bytes=PLENTY)
        for batch in reader.take(at_most=10**9, timeout_s=0):
            if batch.first_sequence <= number < batch.next_sequence:
                return batch.messages[number - batch.first_sequence][1][:64]
        raise AssertionError(number)

    @invariant()
    def nothing_unstored_is_missing(self) -> None:
        assert self.spool._next_sequence == self.next

    def teardown(self) -> None:
        self.spool.close()
        self.folder.cleanup()


TestSpoolAgainstModel = SpoolAgainstModel.TestCase
TestSpoolAgainstModel.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)


def test_a_spool_older_than_its_store_goes_on_above_what_is_stored(tmp_path: Path) -> None:
    """Restored from a copy, it would give numbers again that the store takes for done."""
    spool = Spool(tmp_path / "spool.db", limit_bytes=PLENTY)
    append(spool, b"a", b"b")
    append(spool, b"c")
    assert spool.resume(1000) == 999
    append(spool, b"d")
    taken = spool.take(at_most=10, timeout_s=0)
    taken += spool.take(at_most=10, timeout_s=0)
    assert payloads_of(taken) == [b"a", b"b", b"c", b"d"]
    assert [batch.first_sequence for batch in taken] == [1000, 1002, 1003]
    spool.stored(taken[1].next_sequence)
    spool.trim()
    again = Spool(tmp_path / "spool.db", limit_bytes=PLENTY)
    assert payloads_of(again.take(at_most=10, timeout_s=0)) == [b"d"]
    assert again.resume(1003) == 0
    assert again.waiting_messages == 1


def test_where_the_store_got_to_is_taken_up(tmp_path: Path) -> None:
    first = Spool(tmp_path / "spool.db", limit_bytes=PLENTY)
    assert first.resume(0) == 0
    append(first, b"a", b"b")
    append(first, b"c")
    # no close: the process was killed; of what it stored it removed nothing
    spool = Spool(tmp_path / "spool.db", limit_bytes=PLENTY)
    assert spool.resume(3) == 0
    assert spool.untaken == 1
    assert payloads_of(spool.take(at_most=10, timeout_s=0)) == [b"c"]


@pytest.mark.parametrize("waiting", [0, 3])
@pytest.mark.parametrize("starts", [1, 3])
@pytest.mark.parametrize("got_to", [3, 10, 21, 22, 25, 1000])
def test_what_comes_to_an_older_copy_before_the_store_answers_is_not_taken_for_stored(
    tmp_path: Path, waiting: int, starts: int, got_to: int
) -> None:
    """Receiving moves the numbers on, past what the store has from the same numbers before."""
    path = tmp_path / "spool.db"
    copy = Spool(path, limit_bytes=PLENTY)
    copy.resume(0)
    append(copy, b"stored")
    copy.stored(2)
    for number in range(waiting):
        append(copy, b"waiting %d" % number)
    copy.close()
    got_to += waiting
    sent = [b"new %d" % number for number in range(20)]
    for start in range(starts):  # killed again and again while the store was away
        spool = Spool(path, limit_bytes=PLENTY)
        for payload in sent[start * 20 // starts : (start + 1) * 20 // starts]:
            append(spool, payload)
    assert spool.resume(got_to) > 0
    assert spool.resume(got_to) == 0, "the store was asked once more"
    append(spool, b"later")
    taken: list[SpooledBatch] = []
    while batches := spool.take(at_most=10, timeout_s=0):
        taken += batches
    assert payloads_of(taken)[waiting:] == [*sent, b"later"]
    numbers = [batch.first_sequence for batch in taken]
    assert numbers == list(range(got_to, got_to + waiting + 21))
    spool.stored(taken[-1].next_sequence)
    assert (spool.waiting_messages, spool.waiting_bytes) == (0, 0)


def test_what_an_earlier_version_kept_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    earlier = sqlite3.connect(path)
    earlier.executescript(
        "CREATE TABLE spool (only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL,"
        " next_sequence INTEGER NOT NULL);"
        "CREATE TABLE batch (first_sequence INTEGER PRIMARY KEY, count INTEGER NOT NULL,"
        " received_us INTEGER NOT NULL, mqtt5 INTEGER NOT NULL, packets BLOB NOT NULL);"
    )
    earlier.execute("INSERT INTO spool VALUES (1, ?, 9)", (str(UUID(int=7)),))
    kept = publish(b"topic", b"a") + publish(b"topic", b"b")
    earlier.execute("INSERT INTO batch VALUES (7, 2, 0, 0, ?)", (kept,))
    earlier.commit()
    earlier.close()
    spool = Spool(path, limit_bytes=PLENTY)
    assert spool.id == UUID(int=7)
    assert spool.resume(8) == 0
    assert payloads_of(spool.take(at_most=10, timeout_s=0)) == [b"b"]


def keep_wrongly(spool: Spool, counted: int, packets: bytes) -> None:
    spool.append(packets, [(b"topic", b"?")] * counted, NOW, mqtt5=False)


def packets_of(*payloads: bytes) -> bytes:
    return b"".join(publish(b"topic", payload) for payload in payloads)


@pytest.mark.parametrize("cache_bytes", [0, PLENTY])
@pytest.mark.parametrize(
    ("counted", "packets", "found"),
    [
        (2, packets_of(b"old", b"x", b"y"), [b"old", b"x", b"y"]),
        (3, packets_of(b"x", b"y"), [b"x", b"y"]),
        (3, packets_of(b"x", b"y", b"z")[:-1], [b"x", b"y"]),
        (2, b"", []),
        (2, b"\x30\xff\xff\xff\xff\xff", []),
        (1, b"\x30\x01\xff", []),
    ],
    ids=["more", "fewer", "cut off", "nothing", "no MQTT", "no PUBLISH"],
)
def test_a_row_that_holds_more_or_fewer_than_were_counted_moves_no_number_in_silence(
    tmp_path: Path, counted: int, packets: bytes, found: list[bytes], cache_bytes: int
) -> None:
    path = tmp_path / "spool.db"
    first = Spool(path, limit_bytes=PLENTY)
    first.resume(0)
    append(first, b"before")
    keep_wrongly(first, counted, packets)
    append(first, b"after", b"it")
    append(first, b"last")
    first.close()
    spool = Spool(path, limit_bytes=PLENTY, cache_bytes=cache_bytes)
    taken: list[SpooledBatch] = []
    with capture_logs() as logs:
        taken += spool.take(at_most=1, timeout_s=0)
        append(spool, b"new")
        while len(taken) < 10 and (batches := spool.take(at_most=1, timeout_s=0)):
            taken += batches
    assert spool.untaken == 0
    assert payloads_of(taken) == [b"before", *found, b"after", b"it", b"last", b"new"]
    numbers = [n for one in taken for n in range(one.first_sequence, one.next_sequence)]
    assert numbers == list(range(1, 1 + len(numbers)))
    (line,) = logs
    assert line["log_level"] == "error"
    assert (line["counted"], line["found"]) == (counted, len(found))
    append(spool, b"newest")
    assert spool.waiting_messages == len(numbers) + 1
    again = Spool(path, limit_bytes=PLENTY)
    again.stored(2)
    with capture_logs() as logs:
        rest = again.take(at_most=100, timeout_s=0)
    assert payloads_of(rest) == [*found, b"after", b"it", b"last", b"new", b"newest"]
    assert logs == [], "it is mended in the file"
    unreadable = again._reader.execute("SELECT packets FROM unreadable").fetchall()
    assert unreadable == ([] if len(found) > counted else [(packets,)]), "kept for a person"
    again.stored(rest[-1].next_sequence)
    assert again.waiting_messages == 0


def test_of_a_row_that_is_stored_in_part_and_miscounted_rather_too_much_comes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    first = Spool(path, limit_bytes=PLENTY)
    first.resume(0)
    keep_wrongly(first, 2, packets_of(b"old", b"x", b"y"))
    append(first, b"after")
    first.close()
    spool = Spool(path, limit_bytes=PLENTY)
    spool.resume(2)
    taken = spool.take(at_most=100, timeout_s=0)
    assert payloads_of(taken) == [b"old", b"x", b"y", b"after"]
    assert [batch.first_sequence for batch in taken] == [2, 5]


def test_checking_says_whether_anything_can_be_appended(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", limit_bytes=100)
    spool.check()
    append(spool, b"x" * 200)
    with pytest.raises(Unavailable, match="limit"):
        spool.check()
    spool.stored(2)
    spool.check()


def test_what_is_remembered_of_a_long_backlog_stays_small(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", limit_bytes=PLENTY, cache_bytes=0)
    for number in range(500):
        append(spool, b"%d" % number)
    assert len(spool._sizes) == 1
    assert spool.waiting_messages == 500
    spool.stored(501)
    assert spool.waiting_bytes == 0
