"""Looks who else ingests into the same store, and says so: each hears every message of the broker.

Nobody waits for another: a stand-by would have to leave its messages with the broker or on its
disk for as long as the other lives, and the values of both are the same. What it costs is said.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

import structlog

from cityos.errors import Unavailable
from cityos.ingest.clock_watch import ClockWatch
from cityos.ingest.metrics import IngestMetrics
from cityos.ports import IngestNodes, OtherNode

_EVERY_S: Final = 10.0
_AWAY_S: Final = 2.0
_JOIN_S: Final = 5.0
_COST: Final = (
    "on one broker each raw message is stored twice, and a reading without a time of its own and"
    " a refusal count twice; all other values do not; stop one of the two"
)
_COPIED: Final = (
    "messages get lost: each takes what the other has stored for its own; stop one of the two, and"
    " give it a spool of its own"
)

_log = structlog.get_logger("ingest")


class Neighbours:
    """A thread beside the others; ``put`` as in ``ClockWatch``."""

    def __init__(
        self,
        nodes: IngestNodes,
        spool: UUID,
        *,
        clock_watch: ClockWatch,
        metrics: IngestMetrics,
        put: Callable[[str, str], None],
    ) -> None:
        self._nodes = nodes
        self._spool = spool
        self._clock_watch = clock_watch
        self._metrics = metrics
        self._put = put
        self._known: Mapping[UUID, OtherNode] = {}
        self._twin_seen = False
        self._compared = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="neighbours", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(_JOIN_S)
        self._nodes.close()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopping.wait(wait_s):
            wait_s = _EVERY_S
            try:
                self.look()
            except Unavailable:  # the storing thread says that the store is away
                wait_s = _AWAY_S
            except Exception:  # noqa: BLE001 - who only looks must not end what is looked at
                _log.exception("who else ingests could not be found out")

    def look(self) -> None:
        """Say who has come and who has gone since the last look. Raises Unavailable."""
        if not self._compared:
            newest = self._nodes.newest_receipt()
            if newest is not None:
                self._clock_watch.is_past(newest)
            self._compared = True
        found = {other.spool: other for other in self._nodes.others(self._spool)}
        twin = found.get(self._spool)
        if twin and not self._twin_seen:
            # the server may not have noticed yet that our forerunner was killed
            del found[self._spool]
        self._twin_seen = twin is not None
        if found.keys() != self._known.keys():
            self._say(found)
        self._metrics.other_nodes.set(len(found))
        self._known = found

    def _say(self, found: Mapping[UUID, OtherNode]) -> None:
        for spool in found.keys() - self._known.keys():
            other = found[spool]
            where = f" at {other.address}" if other.address else ""
            _log.error(
                "another ingest works with a copy of this spool"
                if other.same_spool
                else "another ingest stores into the same database",
                why=_COPIED if other.same_spool else _COST,
                spool=str(spool),
                since=other.since.isoformat(timespec="seconds"),
                address=other.address,
            )
            self._put(
                f"node {spool}",
                f"another ingest{where} stores into the same database since"
                f" {other.since:%Y-%m-%dT%H:%M:%SZ}, spool {spool}:"
                f" {_COPIED if other.same_spool else _COST}",
            )
        for spool in self._known.keys() - found.keys():
            _log.info("the other ingest is gone", spool=str(spool))
            self._put(f"node {spool}", "")
