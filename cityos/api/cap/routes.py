"""The alerts of the city for other systems: an Atom feed, and each alert as CAP 1.2.

Only what this city issued is in the feed; what it heard from other authorities can be had as CAP
one by one, with their sender. The feed is of real alerts unless exercises are asked for.
"""

# no "from __future__ import annotations": FastAPI has to see the dependency, not its name
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from cityos.api.cap import atom, mapping
from cityos.api.strict_route import StrictRoute
from cityos.domain.alert import Alert
from cityos.domain.entity import Tenant
from cityos.errors import InvalidRequest
from cityos.ports import OrderBook

PAGE: Final = 100
_FEED_PATH: Final = "/v1/alerts.atom"
_DOCUMENT_PATH: Final = "/v1/alerts/{identifier}.cap"
_NOT_MODIFIED: Final = 304
Identifier = Annotated[str, Path(description="CAP `identifier` of the alert.", max_length=300)]
_UNKNOWN: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when a city has been there that no store has dated."""


def router(
    order_book: OrderBook, tenant_of: Callable[..., Tenant], *, public_url: str = ""
) -> APIRouter:
    """Return the routes; include them before any ``/v1/alerts/{identifier}``.

    ``tenant_of`` is a dependency that gives the tenant of a request. ``public_url`` is where the
    world finds this server; without it links start with what the request itself used.
    """
    routes = APIRouter(tags=["alerts"], route_class=StrictRoute)
    tenant_parameter = Depends(tenant_of)

    def feed(
        request: Request,
        tenant: Annotated[Tenant, tenant_parameter],
        status: Annotated[
            Literal["Actual", "Exercise"],
            Query(description="Exercises are never mixed with real alerts; ask for them."),
        ] = "Actual",
        before: Annotated[
            str, Query(description="Where the page before ended; from its link `next`.")
        ] = "",
    ) -> Response:
        """The alerts that this city issued, newest first, as an Atom feed (RFC 4287)."""
        found = order_book.alerts(
            tenant.id, status=status, ours=True, before=_cursor(before), limit=PAGE + 1
        )
        since = tenant.created_at or _UNKNOWN
        base = public_url.rstrip("/") or str(request.base_url).rstrip("/")
        here = {"status": status, "before": before} if before else {"status": status}
        document = atom.feed_document(
            atom.Feed(
                tenant=tenant.id,
                name=tenant.name,
                since=since,
                status=status,
                self_url=f"{base}{_FEED_PATH}?{urlencode(here)}",
                next_url=_next_url(base, status, found),
                document_url=lambda alert: f"{base}{_document_path(alert)}",
            ),
            found[:PAGE],
        )
        changed = found[0].sent if found else since
        return _response(request, document, atom.MEDIA_TYPE, changed)

    def document(
        request: Request, tenant: Annotated[Tenant, tenant_parameter], identifier: Identifier
    ) -> Response:
        """One alert as a CAP 1.2 document, whoever issued it."""
        alert = order_book.alert(tenant.id, identifier)
        body = mapping.cap_document(alert)
        return _response(request, body, mapping.MEDIA_TYPE, alert.sent)

    for path, endpoint, media_type in (
        (_FEED_PATH, feed, atom.MEDIA_TYPE),
        (_DOCUMENT_PATH, document, mapping.MEDIA_TYPE),
    ):
        routes.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            response_class=Response,
            responses=_answers(media_type),
            name=f"alerts_{endpoint.__name__}",
        )
        routes.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    return routes


def _answers(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"content": {media_type: {"schema": {"type": "string"}}}},
        _NOT_MODIFIED: {"description": "As it was: the entity tag given is the present one."},
    }


def _document_path(alert: Alert) -> str:
    return _DOCUMENT_PATH.format(identifier=quote(alert.identifier, safe=":"))


def _next_url(base: str, status: str, found: Sequence[Alert]) -> str:
    if len(found) <= PAGE:
        return ""
    last = found[PAGE - 1]
    before = f"{last.sent.isoformat()},{last.identifier}"
    return f"{base}{_FEED_PATH}?{urlencode({'status': status, 'before': before})}"


def _cursor(before: str) -> tuple[datetime, str] | None:
    if not before:
        return None
    time, _, identifier = before.partition(",")
    try:
        sent = datetime.fromisoformat(time)
    except ValueError:
        sent = None
    if sent is None or sent.tzinfo is None or not identifier or "\0" in identifier:
        raise InvalidRequest(
            "before must be taken from the link `next` of a page", parameter="before"
        )
    return sent, identifier


def _response(request: Request, body: bytes, media_type: str, changed: datetime) -> Response:
    """Return the document, or 304 where the caller has it already (RFC 9110, 13.1.2).

    A cache has to ask each time whether what it has still stands (RFC 9111, 5.2.2.4).
    ``If-Modified-Since`` is not looked at: it counts in seconds, and of two alerts in the same
    second the second one would never be fetched.
    """
    headers = {
        "ETag": f'"{sha256(body).hexdigest()[:32]}"',
        "Cache-Control": "no-cache",
        "Last-Modified": format_datetime(changed.astimezone(UTC), usegmt=True),
    }
    known = request.headers.get("If-None-Match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    if headers["ETag"] in tags or "*" in tags:
        return Response(status_code=_NOT_MODIFIED, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
