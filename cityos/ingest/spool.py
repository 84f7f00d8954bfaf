"""The write-ahead spool: bytes are on this disk before the broker hears that we have them.

SQLite in WAL mode with ``synchronous=FULL``: a commit is an fsync. One row holds everything that
arrived together, as the run of PUBLISH packets it came in, so that keeping a message costs no
encoding; the same decoder reads it back. Rows are removed after their messages are in the store.

The promise (P1): when ``append`` returns, the messages survive ``kill -9`` and power loss.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import structlog

from cityos.errors import Unavailable
from cityos.ingest.packets import Message, split

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
CACHE_BYTES: Final = 32 * 1024 * 1024
_STEP_BYTES: Final = 1024 * 1024
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS spool (
    only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL, next_sequence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS batch (
    first_sequence INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    mqtt5 INTEGER NOT NULL,
    packets BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS unconfirmed (
    only INTEGER PRIMARY KEY CHECK (only = 1), from_sequence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS unreadable (
    received_us INTEGER NOT NULL, mqtt5 INTEGER NOT NULL, packets BLOB NOT NULL);
"""
"""``unconfirmed``: from which number on messages were received since the store last answered, over
however many starts. ``unreadable``: rows that hold less than was counted, for a person."""

_log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True)
class SpooledBatch:
    """Messages that are on disk, numbered from ``first_sequence`` on."""

    first_sequence: int
    received_at: datetime
    messages: Sequence[Message]
    size_bytes: int

    @property
    def next_sequence(self) -> int:
        return self.first_sequence + len(self.messages)


class Spool:
    """One writer appends, one reader takes and removes; each is one thread.

    ``limit_bytes`` bounds what waits on disk. What was appended lately is also kept in memory, up
    to ``cache_bytes``, so that the usual path never reads the disk.
    """

    def __init__(self, path: Path, *, limit_bytes: int, cache_bytes: int = CACHE_BYTES) -> None:
        """Open or create the spool at ``path``.

        Raises:
            Unavailable: the file cannot be written.
        """
        self._path = path
        self._limit_bytes = limit_bytes
        self._changed = threading.Condition()
        self._cache: deque[SpooledBatch] = deque()
        self._cache_bytes_limit = cache_bytes
        self._cache_bytes = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            self._reader = self._connect()
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(f"the spool {path} cannot be opened: {error}") from error
        row = self._writer.execute("SELECT id, next_sequence FROM spool").fetchone()
        self.id = UUID(row[0])
        self._next_sequence = int(row[1])
        waiting = self._writer.execute(
            "SELECT min(first_sequence), sum(length(packets)) FROM batch"
        ).fetchone()
        self._read_from = self._next_sequence if waiting[0] is None else int(waiting[0])
        self._stored_up_to = self._read_from
        self._waiting_bytes = int(waiting[1] or 0)
        self._sizes: deque[tuple[int, int]] = deque()
        """Up to which number how many bytes wait, in steps: it stays small however much waits."""
        for following, size in self._writer.execute(
            "SELECT first_sequence + count, length(packets) FROM batch ORDER BY first_sequence"
        ):
            self._count(following, size)
        self._writing = threading.Lock()
        self._dirty = False

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=10.0
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Debian's SQLite writes zeros over all that goes, a second time what came: no secrets here
        connection.execute("PRAGMA secure_delete = OFF")
        # 32 MiB between checkpoints: most rows are removed again before they are copied over
        connection.execute("PRAGMA wal_autocheckpoint = 8192")
        connection.executescript(_SCHEMA)
        connection.execute(
            "INSERT INTO spool VALUES (1, ?, 1) ON CONFLICT DO NOTHING", (str(uuid4()),)
        )
        connection.execute("INSERT OR IGNORE INTO unconfirmed SELECT 1, next_sequence FROM spool")
        return connection

    # --- the writing thread ------------------------------------------------------------------

    @property
    def full(self) -> bool:
        return self._waiting_bytes >= self._limit_bytes

    @property
    def untaken(self) -> int:
        """How many messages ``take`` has not returned yet."""
        return self._next_sequence - self._read_from

    @property
    def waiting_bytes(self) -> int:
        return self._waiting_bytes

    @property
    def waiting_messages(self) -> int:
        return self._next_sequence - self._stored_up_to

    def append(
        self, packets: bytes, messages: Sequence[Message], received_at: datetime, *, mqtt5: bool
    ) -> None:
        """Make the messages durable; ``packets`` is the run of packets that holds them.

        Raises:
            Unavailable: the disk refuses (full, read-only, gone), or ``limit_bytes`` is reached.
                Nothing was kept.
        """
        with self._writing:
            if self.full:
                raise Unavailable("the spool has reached its limit")
            first = self._next_sequence
            following = first + len(messages)
            with self._transaction() as connection:
                self._remove_stored()
                connection.execute(
                    "INSERT INTO batch VALUES (?, ?, ?, ?, ?)",
                    (first, len(messages), _microseconds(received_at), int(mqtt5), packets),
                )
                connection.execute("UPDATE spool SET next_sequence = ?", (following,))
            batch = SpooledBatch(first, received_at, messages, len(packets))
            with self._changed:
                self._next_sequence = following
                self._waiting_bytes += len(packets)
                self._count(following, len(packets))
                self._remember(batch)
                self._changed.notify()

    def check(self) -> None:
        """Raise Unavailable as long as nothing can be appended."""
        with self._writing:
            if self.full:
                raise Unavailable("the spool has reached its limit")
            with self._transaction() as connection:
                connection.execute("UPDATE spool SET next_sequence = next_sequence")

    def trim(self) -> None:
        """Remove what is stored. For quiet times; ``append`` does it along the way."""
        with self._writing:
            if self._dirty:
                with self._transaction():
                    self._remove_stored()

    def _remove_stored(self) -> None:
        if self._dirty:
            self._dirty = False
            # the first condition has it look at no more rows than it removes, and one
            self._writer.execute(
                "DELETE FROM batch WHERE first_sequence < :up_to"
                " AND first_sequence + count <= :up_to",
                {"up_to": self._stored_up_to},
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._writer
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._dirty = True
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise Unavailable(f"the spool cannot be written: {error}") from error

    def _count(self, following: int, size: int) -> None:
        if self._sizes and self._sizes[-1][1] + size <= _STEP_BYTES:
            size += self._sizes.pop()[1]
        self._sizes.append((following, size))

    def _remember(self, batch: SpooledBatch) -> None:
        expected = self._cache[-1].next_sequence if self._cache else self._read_from
        if batch.first_sequence != expected:
            return  # the reader is behind: it has older ones to read from disk first
        if self._cache_bytes + batch.size_bytes <= self._cache_bytes_limit:
            self._cache.append(batch)
            self._cache_bytes += batch.size_bytes

    # --- the storing thread ------------------------------------------------------------------

    def take(self, *, at_most: int, timeout_s: float) -> list[SpooledBatch]:
        """Return the oldest batches not taken yet, about ``at_most`` messages; wait for one.

        Empty after ``timeout_s``. Taken is not removed: see ``stored``.

        Raises:
            Unavailable: what is on disk has to be mended, and cannot be.
        """
        with self._changed:
            if not self.untaken:
                self._changed.wait(timeout_s)
            taken = self._from_cache(at_most)
            if taken or not self.untaken:
                return taken
        batches = self._from_disk(at_most)
        with self._changed:
            if batches:
                self._read_from = batches[-1].next_sequence
            while self._cache and self._cache[0].first_sequence < self._read_from:
                self._cache_bytes -= self._cache.popleft().size_bytes
        return batches

    def _from_cache(self, at_most: int) -> list[SpooledBatch]:
        taken: list[SpooledBatch] = []
        count = 0
        while self._cache and self._cache[0].first_sequence == self._read_from:
            if taken and count + len(self._cache[0].messages) > at_most:
                break
            batch = self._cache.popleft()
            self._cache_bytes -= batch.size_bytes
            self._read_from = batch.next_sequence
            count += len(batch.messages)
            taken.append(batch)
        return taken

    def _from_disk(self, at_most: int) -> list[SpooledBatch]:
        rows = self._reader.execute(
            "SELECT first_sequence, count, received_us, mqtt5, packets FROM batch"
            " WHERE first_sequence >= (SELECT coalesce(max(first_sequence), 0) FROM batch"
            "                          WHERE first_sequence <= :read_from)"
            " AND first_sequence + count > :read_from ORDER BY first_sequence LIMIT 64",
            {"read_from": self._read_from},
        )
        batches: list[SpooledBatch] = []
        total = 0
        with closing(rows):
            for first, count, received_us, mqtt5, packets in rows:
                if batches and total + count > at_most:
                    return batches
                messages = _messages(packets, mqtt5=bool(mqtt5))
                if len(messages) != count:
                    break
                # a row may be stored in part: what was refused in it was looked for by halving
                done = max(0, self._read_from - first)
                received_at = _EPOCH + received_us * _MICROSECOND
                batches.append(
                    SpooledBatch(first + done, received_at, messages[done:], len(packets))
                )
                total += count
            else:
                return batches
        if not batches:
            self._mend(first, count, found=len(messages))
            return self._from_disk(at_most)
        return batches  # the row that is miscounted comes next

    def _mend(self, first: int, count: int, *, found: int) -> None:
        """Give a row that holds more or fewer messages than were counted as many numbers.

        Nothing after it was taken yet, so that its numbers may still change. Of a row that is
        stored in part all comes again: which part that was, the numbers no longer say.
        """
        _log.error(
            "the spool holds another number of messages than was counted when they came: all that"
            " can be read is taken, those after it get other numbers",
            first_sequence=first,
            counted=count,
            found=found,
            rest="none" if found > count else "kept in the spool's table unreadable",
        )
        with self._writing:
            start = max(first, self._read_from)
            by = start + found - first - count
            with self._transaction() as connection:
                if found < count:
                    connection.execute(
                        "INSERT INTO unreadable SELECT received_us, mqtt5, packets FROM batch"
                        " WHERE first_sequence = ?",
                        (first,),
                    )
                if found:
                    connection.execute(
                        "UPDATE batch SET first_sequence = ?, count = ? WHERE first_sequence = ?",
                        (start, found, first),
                    )
                else:
                    connection.execute("DELETE FROM batch WHERE first_sequence = ?", (first,))
                self._renumber(connection, first + count, by)
            self._renumbered(first + count, by)

    @staticmethod
    def _renumber(connection: sqlite3.Connection, first: int, by: int) -> None:
        """Move the numbers from ``first`` on in the file; ``_renumbered`` follows, in memory."""
        # in two steps: a new number may still be that of another row
        connection.execute(
            "UPDATE batch SET first_sequence = -(first_sequence + ?) WHERE first_sequence >= ?",
            (by, first),
        )
        connection.execute(
            "UPDATE batch SET first_sequence = -first_sequence WHERE first_sequence < 0"
        )
        connection.execute("UPDATE spool SET next_sequence = next_sequence + ?", (by,))

    def _renumbered(self, first: int, by: int) -> None:
        with self._changed:
            self._next_sequence += by
            self._sizes = deque(
                (number + by if number >= first else number, size) for number, size in self._sizes
            )
            self._cache.clear()  # it is read from disk again, under its new numbers
            self._cache_bytes = 0

    def resume(self, up_to_sequence: int) -> int:
        """Go on where the store got to; return by how much the numbers here had to be raised.

        More than 0 only where this is an older copy than the store, restored after a loss: the
        numbers to come were given before, and what carries them would pass for stored. So would
        what was received before the store answered: it is measured by the number before that.

        Raises:
            Unavailable: the numbers cannot be written.
        """
        with self._writing:
            shift = 0
            with self._transaction() as connection:
                row = connection.execute("SELECT from_sequence FROM unconfirmed").fetchone()
                if up_to_sequence > (self._next_sequence if row is None else int(row[0])):
                    shift = max(0, up_to_sequence - self._stored_up_to)
                    self._renumber(connection, 0, shift)
                connection.execute("DELETE FROM unconfirmed")
            if shift:
                self._renumbered(0, shift)
                self._read_from += shift
            self.stored(up_to_sequence)
            return shift

    def stored(self, up_to_sequence: int) -> None:
        """Say that every message before ``up_to_sequence`` is in the store."""
        with self._changed:
            self._stored_up_to = max(self._stored_up_to, up_to_sequence)
            self._read_from = max(self._read_from, up_to_sequence)
            while self._sizes and self._sizes[0][0] <= up_to_sequence:
                self._waiting_bytes -= self._sizes.popleft()[1]
            self._dirty = True

    def close(self) -> None:
        with suppress(Unavailable):  # what is stored is known to the store as well
            self.trim()
        self._reader.close()
        self._writer.close()


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _messages(packets: bytes, *, mqtt5: bool) -> Sequence[Message]:
    try:
        return split(packets, mqtt5=mqtt5).messages
    except (ValueError, IndexError):  # not MQTT
        return ()
