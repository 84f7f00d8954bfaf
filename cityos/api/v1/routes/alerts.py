"""Alerts: this city's, and other authorities' that concern it."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response

from cityos.api import cursors, documents
from cityos.api.cap.mapping import cap_document
from cityos.api.cap.routes import Identifier
from cityos.api.negotiation import CAP, JSON, choose
from cityos.api.strict_route import StrictRoute
from cityos.api.v1 import mapping, wire
from cityos.api.v1.routes.entities import Cursor, Limit
from cityos.api.visit import Visit, visit_of

router = APIRouter(route_class=StrictRoute)

_OFFERED: Final = (JSON, CAP)
_OTHER_FORM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {CAP: {"schema": {"type": "string"}}}}
}

Status = Annotated[
    Literal["Actual", "Exercise"] | None,
    Query(
        description="Real alerts or rehearsals; never both in one list. Not given it is Actual, "
        "or Exercise in a practice city, where nothing is real."
    ),
]


@router.get("/v1/alerts", operation_id="listAlerts", tags=["alerts"], response_model=wire.Alerts)
def list_alerts(
    request: Request,
    status: Status = None,
    run: Annotated[str | None, Query(description="Only of this rehearsal.", max_length=64)] = None,
    in_force: Annotated[  # noqa: FBT002 - a query parameter has a default
        bool, Query(description="Only those that stand now: not superseded, ended or cancelled.")
    ] = False,
    ours: Annotated[
        bool | None,
        Query(description="true: what this city issued; false: other authorities'."),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List alerts, newest first."""
    visit = visit_of(request)
    before = None
    if cursor is not None:
        last = cursors.read(cursor, cursors.AlertCursor)
        before = (last.sent, last.identifier)
    newest = visit.city.orders.alerts(
        visit.tenant.id,
        status=status or usual_status(visit),
        run=run,
        ours=ours,
        in_force_at=visit.city.clock.now() if in_force else None,
        before=before,
        limit=limit + 1,
    )
    found, next_page = documents.cut(request, newest, limit, mapping.alert_cursor)
    return documents.page([mapping.alert(each) for each in found], next_page)


def get_alert(
    request: Request,
    identifier: Identifier,
) -> Response:
    """Return one alert; with `Accept: application/cap+xml` as a CAP 1.2 document."""
    media_type = choose(request.headers.get("accept", ""), _OFFERED)
    visit = visit_of(request)
    alert = visit.city.orders.alert(visit.tenant.id, identifier)
    if media_type == CAP:
        return documents.content(cap_document(alert), CAP)
    return documents.document(mapping.alert(alert))


def add_last(to: APIRouter) -> None:
    """Add the route whose path would also fit ``/v1/alerts/{identifier}.cap``."""
    to.add_api_route(
        "/v1/alerts/{identifier}",
        get_alert,
        methods=["GET"],
        route_class_override=StrictRoute,
        operation_id="getAlert",
        tags=["alerts"],
        response_model=wire.Alert,
        responses=_OTHER_FORM,
    )


def usual_status(visit: Visit) -> Literal["Actual", "Exercise"]:
    return "Exercise" if visit.tenant.practice else "Actual"
