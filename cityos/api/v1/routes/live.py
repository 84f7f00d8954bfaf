"""The live stream as a response, and how a client that lost it goes on."""

import asyncio
from datetime import timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.types import Receive, Scope, Send

from cityos.api import cursors
from cityos.api.broadcast import GAP, Broadcast, Client
from cityos.api.strict_route import StrictRoute
from cityos.api.v1.events import Events
from cityos.api.v1.routes.alerts import usual_status
from cityos.api.v1.routes.latest import Dataset
from cityos.api.visit import Visit, visit_of

router = APIRouter(route_class=StrictRoute)

_KEEP_ALIVE_S: Final = 15.0
_STALLED_S: Final = 30.0
_RETRY_MS: Final = 3000
_MOST_REPLAYED: Final = 100
_MOST_OF_ADDRESS: Final = 10
_MOST_OF_KEY: Final = 50
"""Streams at a time of one caller, so that none takes them all."""

_OVERLAP: Final = timedelta(minutes=10)
"""An alert may reach us after one that was sent later: a resumed stream looks back this far."""

_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


@router.get(
    "/v1/live",
    operation_id="followLive",
    tags=["live"],
    response_class=Response,
    responses={
        200: {
            "description": "`latest` events with `items` as in `/v1/latest`, `alert` events with "
            "an alert and `replayed`, and `gap` when values or alerts were left out.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def follow_live(
    request: Request,
    status: Annotated[
        Literal["Actual", "Exercise"] | None,
        Query(
            description="Which alerts to hear of. Not given it is Actual, or Exercise in a "
            "practice city."
        ),
    ] = None,
    dataset: Dataset = "",
    last_event_id: Annotated[
        str | None,
        Header(description="Alerts since this event come first, marked `replayed`."),
    ] = None,
) -> Response:
    """Follow the city: server-sent events of new values and alerts, as they come.

    Duplicates of alerts are possible and can be told by their `identifier`; a lost connection is
    resumed with `Last-Event-ID`, as every `EventSource` does by itself. Of more than 100 missed
    alerts the newest 100 come, after a `gap`. An address has 10 streams at a time, a key 50.
    """
    visit = visit_of(request)
    statuses = [status or usual_status(visit)]
    after = None
    if last_event_id:
        after = cursors.read(last_event_id, cursors.AlertCursor, parameter="Last-Event-ID")
    if visit.method == "HEAD":
        return Response(media_type="text/event-stream")
    client = visit.city.broadcast.join(
        visit.tenant.id,
        caller=visit.caller,
        most=_MOST_OF_ADDRESS if visit.key is None else _MOST_OF_KEY,
        dataset=dataset,
        statuses=statuses,
    )
    missed = []
    if after is not None:
        try:
            missed = await run_in_threadpool(_missed, visit, statuses[0], after)
        except BaseException:
            visit.city.broadcast.leave(client)
            raise
    client.replayed.extendleft(reversed(missed))
    client.ready.set()
    return LiveStream(visit.city.broadcast, client)


def _missed(visit: Visit, status: str, after: cursors.AlertCursor) -> list[bytes]:
    """Return the events of alerts since the cursor, oldest first; a gap before those left out.

    The gap has no id and comes first: if the stream is lost again before it was read, the next
    resumption starts where this one did.
    """
    limit = _MOST_REPLAYED + 2  # the one that the client has, and one to know that there are more
    found = visit.city.orders.alerts(visit.tenant.id, status=status, limit=limit)
    since = after.sent - _OVERLAP
    missed = [
        alert for alert in found if alert.sent >= since and alert.identifier != after.identifier
    ]
    events = [Events.alert(alert, replayed=True) for alert in reversed(missed[:_MOST_REPLAYED])]
    return [GAP, *events] if len(missed) > _MOST_REPLAYED else events


class LiveStream(Response):
    """Sends what comes for a client until either side has enough."""

    def __init__(self, broadcast: Broadcast, client: Client) -> None:
        super().__init__()
        self._broadcast = broadcast
        self._client = client

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        evicted = False
        gone: asyncio.Future[object] = asyncio.ensure_future(_until_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await self._write(send, format_sse_event(retry=_RETRY_MS, comment="hello"))
            while not self._client.gone and not gone.done():
                piece = await self._next(gone)
                if piece:
                    await self._write(send, piece)
        except TimeoutError:
            evicted = True  # the client has not read for too long; the server closes the rest
            return
        finally:
            gone.cancel()
            self._broadcast.leave(self._client, evicted=evicted or self._overrun)
        await self._write_end(send)

    @property
    def _overrun(self) -> bool:
        return self._client.gone and not self._broadcast.closed

    async def _next(self, gone: "asyncio.Future[object]") -> bytes:
        """Return what waits, or a keep-alive when nothing came for a while."""
        ready: asyncio.Future[object] = asyncio.ensure_future(self._client.ready.wait())
        waiting: set[asyncio.Future[object]] = {ready, gone}
        done, _ = await asyncio.wait(
            waiting, timeout=_KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED
        )
        ready.cancel()
        if gone in done:
            return b""
        return self._client.take() if done else KEEPALIVE_COMMENT

    async def _write(self, send: Send, piece: bytes) -> None:
        """Raises TimeoutError when the client does not read."""
        async with asyncio.timeout(_STALLED_S):
            await send({"type": "http.response.body", "body": piece, "more_body": True})

    async def _write_end(self, send: Send) -> None:
        async with asyncio.timeout(_STALLED_S):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
