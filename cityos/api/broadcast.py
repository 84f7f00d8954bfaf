"""The live stream: what happens now, to every client that listens.

    event: latest   values that are news, gathered for a quarter of a second
    event: alert    an alert, ours or another authority's; its id resumes the stream

A client has a bounded queue. One that reads too slowly loses ``latest`` events, whose place the
next ones take, and is told so once (``event: gap``); alerts are never dropped: a client that
cannot even take those is disconnected, and resumes with ``Last-Event-ID``. What is sent again
to a client that resumes is not held against it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from fastapi.sse import format_sse_event

from cityos.api.metrics import ApiMetrics
from cityos.domain.alert import Alert
from cityos.errors import TooManyRequests, Unavailable
from cityos.ports import LatestValue

GATHER_S: Final = 0.25
_MOST_QUEUED: Final = 64
_MOST_ITEMS: Final = 500
"""Values in one event; more become several events."""
_PIECE_BYTES: Final = 64 * 1024
_TRY_AGAIN_S: Final = 30
"""When to ask again for a stream that the caller's others leave no room for."""

GAP: Final = format_sse_event(
    event="gap",
    data_str='{"detail":"values or alerts were left out; read /v1/latest and /v1/alerts again"}',
)


class EventWriter(Protocol):
    """How things are written as server-sent events."""

    def latest(self, values: Sequence[LatestValue]) -> bytes: ...

    def alert(self, alert: Alert, *, replayed: bool) -> bytes:
        """``replayed``: the alert was, or may have been, sent before."""
        ...


@dataclass(slots=True, eq=False)
class Client:
    """One listener. ``statuses``: of which alerts; ``dataset``: of which series.

    ``replayed`` are the alerts that were told before it came; they are bounded by who adds them.
    """

    caller: str
    tenant: str
    dataset: str
    statuses: frozenset[str]
    queue: deque[bytes] = field(default_factory=deque)
    replayed: deque[bytes] = field(default_factory=deque)
    alerts: deque[bytes] = field(default_factory=deque)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    gap: bool = False
    gone: bool = False

    def take(self) -> bytes:
        """Return what waits, alerts first, as much as goes into one piece."""
        piece = bytearray()
        for waiting in (self.replayed, self.alerts, self.queue):
            while waiting and len(piece) < _PIECE_BYTES:
                piece += waiting.popleft()
        if not self.replayed and not self.alerts and not self.queue:
            if self.gap:
                piece += GAP
                self.gap = False
            self.ready.clear()
        return bytes(piece)


class Broadcast:
    """For one event loop; ``tell_latest`` and ``tell_alert`` may be called from any thread."""

    def __init__(self, *, most_clients: int, writer: EventWriter, metrics: ApiMetrics) -> None:
        self._writer = writer
        self._most_clients = most_clients
        self._metrics = metrics
        self._clients: set[Client] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gathered: dict[tuple[str, str], dict[tuple[str, str], LatestValue]] = {}
        self._flush_due = False
        self.closed = False

    def open(self) -> None:
        """Bind to the running event loop."""
        self._loop = asyncio.get_running_loop()
        self.closed = False

    def close(self) -> None:
        """Let every client go."""
        self.closed = True
        for client in self._clients:
            client.gone = True
            client.ready.set()

    def close_soon(self) -> None:
        """The same from a signal handler or another thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.close)

    @property
    def tenants(self) -> set[str]:
        """The cities that somebody listens to."""
        return {client.tenant for client in list(self._clients)}

    def join(
        self, tenant: str, *, caller: str, most: int, dataset: str, statuses: Iterable[str]
    ) -> Client:
        """Let a client listen, the caller's ``most``-th at the latest.

        Raises:
            TooManyRequests: the caller listens as often as it may already.
            Unavailable: there are too many listeners already.
        """
        if sum(client.caller == caller for client in self._clients) >= most:
            message = f"{most} live streams at a time are allowed here; close one of them"
            raise TooManyRequests(message, retry_after_s=_TRY_AGAIN_S)
        if len(self._clients) >= self._most_clients:
            message = f"{self._most_clients} clients listen already, which is the most"
            raise Unavailable(message)
        client = Client(caller, tenant, dataset, frozenset(statuses))
        self._clients.add(client)
        self._metrics.live_clients.set(len(self._clients))
        return client

    def leave(self, client: Client, *, evicted: bool = False) -> None:
        self._clients.discard(client)
        self._metrics.live_clients.set(len(self._clients))
        if evicted:
            self._metrics.live_evicted.inc()

    # --- from any thread ----------------------------------------------------------------------

    def tell_latest(self, tenant: str, values: Sequence[LatestValue]) -> None:
        self._call(self._gather, tenant, values)

    def tell_alert(self, tenant: str, alert: Alert, *, replayed: bool = False) -> None:
        event = self._writer.alert(alert, replayed=replayed)
        self._call(self._send_alert, tenant, event, alert.status, replayed)

    def _call(self, function: object, *arguments: object) -> None:
        if self._loop is not None and not self._loop.is_closed() and self._clients:
            self._loop.call_soon_threadsafe(function, *arguments)  # type: ignore[arg-type]

    # --- in the event loop --------------------------------------------------------------------

    def _gather(self, tenant: str, values: Sequence[LatestValue]) -> None:
        for value in values:
            series = (value.entity, value.observed_property)
            self._gathered.setdefault((tenant, value.dataset), {})[series] = value
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_later(GATHER_S, self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        gathered, self._gathered = self._gathered, {}
        for (tenant, dataset), series in gathered.items():
            listening = [
                client
                for client in self._clients
                if client.tenant == tenant and client.dataset == dataset
            ]
            if not listening:
                continue
            values = list(series.values())
            for start in range(0, len(values), _MOST_ITEMS):
                event = self._writer.latest(values[start : start + _MOST_ITEMS])
                for client in listening:
                    _queue(client, event)

    def _send_alert(
        self,
        tenant: str,
        event: bytes,
        status: str,
        replayed: bool,  # noqa: FBT001 - the event loop hands on positions only
    ) -> None:
        for client in self._clients:
            if client.tenant == tenant and status in client.statuses:
                (client.replayed if replayed else client.alerts).append(event)
                if len(client.alerts) > _MOST_QUEUED:
                    client.gone = True
                client.ready.set()


def _queue(client: Client, event: bytes) -> None:
    if len(client.queue) >= _MOST_QUEUED:
        client.queue.popleft()
        client.gap = True
    client.queue.append(event)
    client.ready.set()
