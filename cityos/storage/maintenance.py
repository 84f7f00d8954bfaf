"""Keeps the store in shape: partitions ahead, hourly roll-ups, and how long things are kept.

The rule of every table that grows:

- ``raw_block``: 30 days (a setting), dropped by the day.
- ``observation``: for ever, or as many days as is set, dropped by the week.
- ``correction``: as many days as ``observation``, counted from the time of the value; of one value
  the first 100 corrections are kept (``CORRECTIONS`` in ``queries``).
- ``rollup_hour``: for ever, also when the values it was made of are gone: it is what remains.
- ``rollup_dirty``: until the hour is rolled up.
- exercises (datasets ``urn:cityos:exercise:...``): 30 days after the newest value of an exercise
  was received, its values, corrections, hours and rows of ``latest`` go. A practice city has its
  values in the default dataset: they are kept like all others.
- ``dead_letter``, and events that failed: 90 days. One that a clock without its time has stamped:
  until it is replayed, and as long. An event that waits is kept until it is done.
- ``outbox``: 400 days after delivery. What is not delivered is kept until it is.
- ``alert``, ``proposal``, ``situation``: for ever, exercises too: the record of decisions.
- ``series``, ``origin``, ``latest`` (but for exercises), ``ingest_node`` and the registry: for
  ever. They are small: a row a series, a topic, a spool. They grow with the city and with the
  number of named exercises, not with the messages.

Ages are counted by ``retention_clock``: a clock that jumps ahead makes nothing old at once.

Each step stands alone and is a transaction, or several, under a short lock timeout, so that it
never makes ingest wait; one that fails is logged and tried again in the next round, and the
others go on. On TimescaleDB the same functions exist; those that make partitions do nothing
there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import psycopg
import structlog
from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.errors import Unavailable
from cityos.ports import FIRST_RECEIPT, Clock
from cityos.storage import expiry, retention_clock
from cityos.storage.database import Database
from cityos.storage.queries import Query

_EVERY_S: Final = 60.0
_HOURS_A_ROUND: Final = 500
_BUDGET_S: Final = 5.0
"""What is not cleaned up by then waits for the next round: no clean-up holds up the others."""
_SETTLED: Final = timedelta(minutes=5)
"""An hour is rolled up this long after its end: the usual stragglers are in by then."""
_KEEP_REFUSED: Final = timedelta(days=90)
_KEEP_EXERCISES: Final = timedelta(days=30)
_KEEP_DELIVERED: Final = timedelta(days=400)
"""Deliveries of alerts are looked at in the review of a season, a year later."""

_UNNOTICED: Final = timedelta(days=1)
"""A city that was switched off over a day catches up in an hour, without a word."""

_LOCK: Final = 0x0C17_7906
_TRY_LOCK: Final[Query] = "SELECT pg_try_advisory_xact_lock(%s)"
_SHORT_LOCKS: Final[Query] = "SET LOCAL lock_timeout = '2s'"

_Result = TypeVar("_Result")

_log = structlog.get_logger("maintenance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept; 0 days of observations means for ever."""

    raw_message_days: int = 30
    observation_days: int = 0
    partitions_ahead_days: int = 7


class Maintenance:
    """One round a minute. Several processes may run it: only one works at a time.

    ``forgotten`` is called after values of ended exercises were deleted. ``put_notice`` shows a
    text under a subject to an operator, and with an empty one takes it away.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        retention: Retention,
        forgotten: Callable[[], None] = lambda: None,
        put_notice: Callable[[str, str], None] = lambda _subject, _text: None,
    ) -> None:
        self._forgotten = forgotten
        self._put_notice = put_notice
        self._database = database
        self._clock = clock
        self._retention = retention
        self._counted_to_s = clock.monotonic_s()
        self._is_ahead = False
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
            except Exception:  # noqa: BLE001 - the thread must outlive whatever goes wrong
                _log.error("maintenance did not finish, and goes on in a minute", exc_info=True)

    def round(self) -> int:
        """Do what is due; return how many hours were rolled up.

        A step that the store refuses or does not answer is logged by its name, and the others go
        on: nothing is raised for it.
        """
        now = self._clock.now()
        days = range(self._retention.partitions_ahead_days + 1)
        ahead = [now + timedelta(days=day) for day in days]
        self._call("room for raw messages", "SELECT make_room_for_raw_messages(%s)", ahead)
        self._call("room for observations", "SELECT make_room_for_observations(%s)", ahead)
        rolled = self._roll_up()
        passed = self._passed(now)
        if passed is not None:
            self._remove_what_is_old(passed)
        return rolled

    def _passed(self, now: datetime) -> datetime | None:
        """The time that ages are counted to; None when the store does not say."""
        started_s = self._clock.monotonic_s()
        elapsed = timedelta(seconds=started_s - self._counted_to_s)
        passed = self._step(
            "time that has passed",
            lambda connection: retention_clock.passed(connection, now, elapsed),
        )
        if passed is None:
            return None
        self._counted_to_s = started_s
        is_ahead = now - passed > _UNNOTICED
        if is_ahead and not self._is_ahead:
            text = (
                f"it says {now:%Y-%m-%d}, and by what has passed here it is {passed:%Y-%m-%d}: it"
                " was set, or the city was down; what is old is deleted by a day more an hour"
            )
            _log.warning("this server's clock is ahead", why=text)
            self._put_notice("ahead", f"this server's clock is ahead ({text})")
        elif self._is_ahead and not is_ahead:
            self._put_notice("ahead", "")
        self._is_ahead = is_ahead
        return passed

    def _remove_what_is_old(self, now: datetime) -> None:
        keep = self._retention
        raw_before = now - timedelta(days=keep.raw_message_days)
        self._call("old raw messages", "SELECT drop_raw_messages_before(%s)", raw_before)
        if keep.observation_days:
            before = now - timedelta(days=keep.observation_days)
            self._call("old observations", "SELECT drop_observations_before(%s)", before)
            self._clean_up("old corrections", expiry.CORRECTIONS, before)
        self._clean_up("old dead letters", expiry.DEAD_LETTERS, now - _KEEP_REFUSED)
        self._clean_up("failed events", expiry.FAILED_EVENTS, now - _KEEP_REFUSED)
        self._clean_up("old deliveries", expiry.DELIVERIES, now - _KEEP_DELIVERED)
        self._clean_up_exercises(now - _KEEP_EXERCISES)

    def _roll_up(self) -> int:
        settled = self._clock.now() - _SETTLED
        due = self._step("hours to roll up", partial(_due_hours, settled))
        rolled, in_time = 0, self._budget()
        for hour in due or ():
            if self._call("roll-up of an hour", "SELECT roll_up_hour(%s)", hour):
                rolled += 1
            elif not in_time():
                break  # a store that is away costs a time-out each
            if self._stopping.is_set():
                break
        return rolled

    def _clean_up(self, name: str, statement: Query, before: datetime) -> None:
        in_time = self._budget()
        while self._step(name, partial(_delete_slice, statement, before)) and in_time():
            pass

    def _clean_up_exercises(self, before: datetime) -> None:
        name = "ended exercises"
        in_time = self._budget()
        ended = self._step(name, lambda connection: expiry.ended_exercises(connection, before))
        for series in ended or ():
            more: bool | None = True
            while more:
                if not in_time():
                    return
                more = self._step(
                    name, partial(expiry.exercise_slice, series=series, before=before)
                )
                self._forgotten()

    def _budget(self) -> Callable[[], bool]:
        """Whether there is time left, counted from now."""
        end = self._clock.monotonic_s() + _BUDGET_S
        return lambda: self._clock.monotonic_s() < end and not self._stopping.is_set()

    def _call(self, name: str, statement: Query, argument: object) -> bool:
        """Run one statement as a step; return whether it was done."""
        return bool(
            self._step(name, lambda connection: connection.execute(statement, (argument,)))
        )

    def _step(self, name: str, work: Callable[[Connection[TupleRow]], _Result]) -> _Result | None:
        """Do the work in a transaction of its own; None when it failed or another is at it."""
        try:
            with self._database.connection() as connection:
                locked = connection.execute(_TRY_LOCK, (_LOCK,)).fetchone()
                if locked is None or not locked[0]:
                    return None
                connection.execute(_SHORT_LOCKS)
                return work(connection)
        except (psycopg.Error, Unavailable):
            _log.warning(
                "a step of maintenance failed, and is tried again in a minute",
                step=name,
                exc_info=True,
            )
            return None


def _due_hours(settled: datetime, connection: Connection[TupleRow]) -> list[datetime]:
    rows = connection.execute("SELECT hours_to_roll_up(%s, %s)", (settled, _HOURS_A_ROUND))
    return [row[0] for row in rows.fetchall()]


def _delete_slice(statement: Query, before: datetime, connection: Connection[TupleRow]) -> bool:
    """Delete a slice; return whether there may be more."""
    parameters = {"before": before, "slice": expiry.SLICE, "first": FIRST_RECEIPT}
    deleted = connection.execute(statement, parameters).rowcount
    return deleted == expiry.SLICE
