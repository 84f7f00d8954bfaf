"""The ingest process: listen -> spool (fsync) -> acknowledge -> decode, check -> store.

Three threads, each doing one thing: the receiving thread reads from the broker, makes what came
durable and acknowledges it; the decoding thread takes it from the spool, reads and checks it; the
storing thread stores all that has gathered meanwhile. The spool stands in the middle, so that the
store may be away for as long as the disk lasts; between the last two waits a batch.
"""

from __future__ import annotations

import contextlib
import gc
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import structlog

from cityos.errors import Rejected, TookTooLong, Unavailable
from cityos.ingest.feedback import Feedback
from cityos.ingest.handover import Handover, Prepared
from cityos.ingest.listener import Listener
from cityos.ingest.metrics import IngestMetrics
from cityos.ingest.mqtt_clients import Arrival
from cityos.ingest.news import News
from cityos.ingest.packets import Message
from cityos.ingest.pipeline import (
    Numbered,
    Pipeline,
    message_id,
    sequence_after,
    sequence_of,
)
from cityos.ingest.portions import first, halves_of, not_stored
from cityos.ingest.routes import Routes
from cityos.ingest.spool import Spool, SpooledBatch
from cityos.ports import RAW_ID, Clock, IngestBatch, LiveBus, ObservationWriter, StoreOutcome

_PORTION_MESSAGES: Final = 2000
_BATCH_MESSAGES: Final = 10_000
_BATCH_BYTES: Final = 32 * 1024 * 1024
_SMALL_MESSAGES: Final = 200
_SMALL_PAUSE_S: Final = 0.005
"""After a batch of fewer messages the next may gather for so long: a trickle of messages would
otherwise cost a transaction each. A larger one has gathered while its forerunner was stored."""
_IDLE_S: Final = 0.5
_SWITCH_S: Final = 0.0005
_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_SPOOL_FULL_PAUSE_S: Final = 0.5
_JOIN_S: Final = 10.0

_NOT_PACKABLE: Final = (ValueError, TypeError, OverflowError, struct.error)
"""What a value that is none of its type brings when it is given the store's form."""

_log = structlog.get_logger("ingest")


class Ingest:
    """Joins the parts and runs the three threads.

    ``failpoint`` is called at named places where a fault test may want to end the process.
    """

    def __init__(
        self,
        *,
        listener: Listener,
        spool: Spool,
        routes: Routes,
        writer: ObservationWriter,
        live: LiveBus,
        feedback: Feedback,
        clock: Clock,
        metrics: IngestMetrics,
        failpoint: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._listener = listener
        self._spool = spool
        self._routes = routes
        self._pipeline = Pipeline(routes, writer)
        self._writer = writer
        self._news = News(live)
        self._feedback = feedback
        self._clock = clock
        self._metrics = metrics
        metrics.spool_messages.set_function(lambda: spool.waiting_messages)
        metrics.spool_bytes.set_function(lambda: spool.waiting_bytes)
        self._failpoint = failpoint
        self._told_up_to = 0
        self._stopping = threading.Event()
        self._preparing = threading.Lock()
        self._handover = Handover(_BATCH_MESSAGES, _BATCH_BYTES)
        self._threads = (
            threading.Thread(target=self._receiving, name="receive", daemon=True),
            threading.Thread(target=self._decoding, name="decode", daemon=True),
            threading.Thread(target=self._storing, name="store", daemon=True),
        )

    def start(self) -> None:
        # A batch is some ten thousand objects without a cycle among them: with the defaults the
        # collector would look through them all, again and again, for a third of the time.
        # The storing thread comes back from the server several times a batch; with the default it
        # would wait 5 ms each time for the decoding thread to let go of the interpreter.
        sys.setswitchinterval(_SWITCH_S)
        gc.freeze()
        gc.set_threshold(100_000, 20, 100)
        self._feedback.start()
        self._news.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Leave the broker, store what is stored quickly, and end. The rest is in the spool."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(_JOIN_S)
        self._listener.stop()
        self._feedback.stop()
        self._news.stop()
        self._spool.close()

    @property
    def healthy(self) -> bool:
        """Whether all threads live; a dead one means that the process must be restarted."""
        parts = (self._news.is_alive, self._feedback.is_alive)
        return all(parts) and all(thread.is_alive() for thread in self._threads)

    # --- the receiving thread ----------------------------------------------------------------

    def _receiving(self) -> None:
        while not self._stopping.is_set():
            arrivals = self._listener.wait(_IDLE_S)
            if arrivals:
                self._metrics.received.inc(sum(len(arrival.messages) for arrival in arrivals))
                self._metrics.retained.inc(sum(arrival.retained for arrival in arrivals))
                self._keep(arrivals)
            else:
                self._trim()

    def _keep(self, arrivals: Sequence[Arrival]) -> None:
        received_at = self._clock.now()
        for run in _runs(arrivals):
            try:
                self._spool_run(run, received_at)
            except Unavailable as error:
                self._hold(arrivals[arrivals.index(run[0]) :], received_at, error)
                return
            self._failpoint("after_spool")
            self._listener.acknowledge(run)

    def _spool_run(self, run: Sequence[Arrival], received_at: datetime) -> None:
        messages = _messages(run)
        if messages:
            packets = b"".join(arrival.packets for arrival in run)
            self._spool.append(packets, messages, received_at, mqtt5=run[0].mqtt5)
            self._metrics.spooled.inc(len(messages))

    def _hold(
        self, arrivals: Sequence[Arrival], received_at: datetime, error: Unavailable
    ) -> None:
        """The disk refuses: leave the broker until it takes messages again.

        What the broker would send again is left to it. What came without a promise (QoS 0) comes
        once: it is held here.
        """
        _log.error("spool refuses, the broker holds the messages", why=str(error))
        self._listener.leave("the spool refuses messages")
        once = [arrival for arrival in arrivals if len(arrival.acks) < len(arrival.messages)]
        while not self._stopping.wait(_SPOOL_FULL_PAUSE_S):
            try:
                self._spool.check()
                for run in _runs(once):
                    self._spool_run(run, received_at)
                    once = once[len(run) :]
            except Unavailable:
                continue
            _log.info("spool takes messages again")
            return

    def _trim(self) -> None:
        try:
            self._spool.trim()
        except Unavailable as error:
            _log.error("spool cannot be trimmed", why=str(error))

    # --- the decoding thread -----------------------------------------------------------------

    def _decoding(self) -> None:
        node = self._first_contact()
        while not self._stopping.is_set():
            if not self._handover.wait_for_room(_IDLE_S):
                continue
            taken = self._spool.take(at_most=_PORTION_MESSAGES, timeout_s=_IDLE_S)
            if taken:
                self._handover.put(self._prepared(taken, node))

    def _first_contact(self) -> int:
        """Wait for the store; learn our number there, and what is stored already."""
        said = False
        while not self._stopping.is_set():
            try:
                node, stored_up_to = self._writer.resume(self._spool.id)
                raised = self._spool.resume(stored_up_to)
                if raised:
                    _log.error("the spool is older than the store, its numbers go on", by=raised)
                self._routes.refresh()
            except Unavailable as error:
                self._metrics.store_up.set(0)
                if not said:
                    _log.warning("store is away, messages stay in the spool", why=str(error))
                    said = True
                self._stopping.wait(_RETRY_S[-1])
            else:
                return node
        return 0

    def _prepared(self, taken: Sequence[SpooledBatch], node: int) -> Prepared:
        groups = [
            Numbered(message_id(node, batch.first_sequence), batch.received_at, batch.messages)
            for batch in taken
        ]
        with self._preparing:
            # away: what is registered is known, and the storing thread says that it is away
            with contextlib.suppress(Unavailable):
                self._routes.refresh()
            batch = self._pipeline.prepare(groups)
            # in here too: preparing halves makes series that have a number into such as have none
            with contextlib.suppress(*_NOT_PACKABLE):  # the storing thread finds which it is
                self._writer.pack(batch, before=self._handover.values)
        return Prepared(groups, batch, sum(portion.size_bytes for portion in taken))

    # --- the storing thread ------------------------------------------------------------------

    def _storing(self) -> None:
        while not self._stopping.is_set():
            prepared = self._handover.take(_IDLE_S)
            if prepared is None:
                continue
            started_s = self._clock.monotonic_s()
            if self._store(prepared):
                self._spool.stored(prepared.batch.stored_up_to)
                self._measure(prepared, started_s)
            if prepared.messages < _SMALL_MESSAGES:
                self._stopping.wait(_SMALL_PAUSE_S)

    def _store(self, prepared: Prepared) -> bool:
        """Store, however long the store is away; False when we are stopping before it is done.

        What was too much for a slow store's deadline is asked of it in smaller parts: all of it
        would be too much every time.
        """
        rest, most, failures = prepared.groups, prepared.messages, 0
        part, batch = rest, prepared.batch
        while rest and not self._stopping.is_set():
            try:
                if failures:
                    # the connection may have been lost in the very moment of the commit, or
                    # between the halves of a batch of which something was refused
                    _, stored_up_to = self._writer.resume(self._spool.id)
                    self._tell_unseen(batch, stored_up_to)
                    rest = not_stored(rest, stored_up_to)
                if rest:
                    wanted = first(rest, most)
                    if wanted != part:
                        part, batch = wanted, self._prepare(wanted)
                    self._store_groups(part, batch)
                    rest = not_stored(rest, sequence_after(part[-1]))
            except Unavailable as error:
                if failures == 0:
                    _log.warning("store is away, messages stay in the spool", why=str(error))
                    self._metrics.store_up.set(0)
                if isinstance(error, TookTooLong):
                    most = max(1, min(most, sum(len(group.messages) for group in part)) // 2)
                self._stopping.wait(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1
                continue
            if failures:
                _log.info("store is back", waiting_messages=self._spool.waiting_messages)
            self._metrics.store_up.set(1)
            failures, most = 0, most * 2
        if rest:
            return False
        self._failpoint("after_commit")
        return True

    def _tell_unseen(self, batch: IngestBatch, stored_up_to: int) -> None:
        """Tell of what is stored though nobody heard the answer, as far as it is known now."""
        unseen = range(self._told_up_to, stored_up_to)
        outcome = StoreOutcome()
        outcome.touch(v for v in batch.values if sequence_of(v[RAW_ID]) in unseen)
        self._news.tell(outcome)
        self._feedback.tell(
            [one for one in batch.dead_letters if sequence_of(one.raw_id) in unseen]
        )
        self._told_up_to = max(self._told_up_to, stored_up_to)

    def _store_groups(self, groups: Sequence[Numbered], batch: IngestBatch) -> None:
        """Store in one transaction; where the store refuses something, find it by halving."""
        try:
            self._store_batch(batch)
        except (Rejected, *_NOT_PACKABLE) as error:
            halves = halves_of(groups)
            if halves is None:
                self._store_batch(self._pipeline.refuse(groups[0], error))
                return
            for half in halves:
                self._store_groups(half, self._prepare(half))
                self._failpoint("after_half")

    def _prepare(self, groups: Sequence[Numbered]) -> IngestBatch:
        with self._preparing:
            return self._pipeline.prepare(groups)

    def _measure(self, prepared: Prepared, started_s: float) -> None:
        self._metrics.store_seconds.observe(self._clock.monotonic_s() - started_s)
        self._metrics.batch_messages.observe(prepared.messages)
        age = self._clock.now() - prepared.groups[0].received_at
        self._metrics.receive_to_store_seconds.observe(max(0.0, age.total_seconds()))

    def _store_batch(self, batch: IngestBatch) -> None:
        outcome = self._writer.store(batch)
        self._told_up_to = batch.stored_up_to
        self._metrics.stored.inc(outcome.stored)
        self._metrics.duplicates.inc(outcome.duplicates)
        self._metrics.corrections.inc(outcome.corrections)
        self._news.tell(outcome)
        if batch.dead_letters:
            for letter in batch.dead_letters:
                self._metrics.dead_letters.labels(letter.reason).inc()
            self._feedback.tell(batch.dead_letters)


def _runs(arrivals: Sequence[Arrival]) -> list[list[Arrival]]:
    """Neighbours of one packet form together: a row of the spool holds one form."""
    runs: list[list[Arrival]] = []
    for arrival in arrivals:
        if runs and runs[-1][0].mqtt5 == arrival.mqtt5:
            runs[-1].append(arrival)
        else:
            runs.append([arrival])
    return runs


def _messages(arrivals: Sequence[Arrival]) -> Sequence[Message]:
    if len(arrivals) == 1:
        return arrivals[0].messages
    return [message for arrival in arrivals for message in arrival.messages]
