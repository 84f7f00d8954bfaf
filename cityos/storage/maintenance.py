"""Keeps the store in shape: partitions ahead, hourly roll-ups, and how long things are kept.

Every table that grows has its rule here. Each step is a transaction of its own under a short lock
timeout, so that it never makes ingest wait; a step that fails is logged and tried again in the
next round. On TimescaleDB the same functions exist; those that make partitions do nothing there.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import psycopg
import structlog

from cityos.errors import Unavailable
from cityos.ports import Clock
from cityos.storage.database import Database
from cityos.storage.queries import Query

_EVERY_S: Final = 60.0
_HOURS_A_ROUND: Final = 500
_SETTLED: Final = timedelta(minutes=5)
"""An hour is rolled up this long after its end: the usual stragglers are in by then."""
_KEEP_REFUSED: Final = timedelta(days=90)
_KEEP_DELIVERED: Final = timedelta(days=400)
"""Deliveries of alerts are looked at in the review of a season, a year later."""

_LOCK: Final = 0x0C17_7906
_TRY_LOCK: Final[Query] = "SELECT pg_try_advisory_xact_lock(%s)"
_SHORT_LOCKS: Final[Query] = "SET LOCAL lock_timeout = '2s'"
_OLD_DEAD_LETTERS: Final[Query] = "DELETE FROM dead_letter WHERE received_at < %s"
_OLD_EVENTS: Final[Query] = "DELETE FROM event WHERE failed_at < %s"
_OLD_DELIVERIES: Final[Query] = "DELETE FROM outbox WHERE delivered_at < %s"

_log = structlog.get_logger("maintenance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept; 0 days of observations means for ever."""

    raw_message_days: int = 30
    observation_days: int = 0
    partitions_ahead_days: int = 7


class Maintenance:
    """One round a minute. Several processes may run it: only one works at a time."""

    def __init__(self, database: Database, clock: Clock, retention: Retention) -> None:
        self._database = database
        self._clock = clock
        self._retention = retention
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            try:
                self.round()
            except (Unavailable, psycopg.Error):
                _log.warning("maintenance did not finish, and goes on in a minute", exc_info=True)

    def round(self) -> int:
        """Do what is due; return how many hours were rolled up.

        Raises:
            Unavailable: the store does not answer.
        """
        now, keep = self._clock.now(), self._retention
        ahead = [now + timedelta(days=day) for day in range(keep.partitions_ahead_days + 1)]
        self._step("SELECT make_room_for_raw_messages(%s)", ahead)
        self._step("SELECT make_room_for_observations(%s)", ahead)
        rolled = self._roll_up()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        self._step("SELECT index_raw_messages(%s)", midnight)
        self._step(
            "SELECT drop_raw_messages_before(%s)", now - timedelta(days=keep.raw_message_days)
        )
        if keep.observation_days:
            self._step(
                "SELECT drop_observations_before(%s)", now - timedelta(days=keep.observation_days)
            )
        self._step(_OLD_DEAD_LETTERS, now - _KEEP_REFUSED)
        self._step(_OLD_EVENTS, now - _KEEP_REFUSED)
        self._step(_OLD_DELIVERIES, now - _KEEP_DELIVERED)
        return rolled

    def _roll_up(self) -> int:
        with self._database.connection() as connection:
            due = connection.execute(
                "SELECT hours_to_roll_up(%s, %s)",
                (self._clock.now() - _SETTLED, _HOURS_A_ROUND),
            ).fetchall()
        for (hour,) in due:
            if self._stopping.is_set():
                break
            self._step("SELECT roll_up_hour(%s)", hour)
        return len(due)

    def _step(self, statement: Query, argument: object) -> None:
        with self._database.connection() as connection:
            locked = connection.execute(_TRY_LOCK, (_LOCK,)).fetchone()
            if locked is not None and locked[0]:
                connection.execute(_SHORT_LOCKS)
                connection.execute(statement, (argument,))
