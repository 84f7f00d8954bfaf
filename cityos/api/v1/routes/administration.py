"""For administrators: API keys, and messages that were refused."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response

from cityos.api import cursors, documents
from cityos.api.strict_route import StrictRoute
from cityos.api.v1 import mapping, wire_administration
from cityos.api.v1.routes.entities import Cursor, Limit
from cityos.api.visit import visit_of
from cityos.errors import Conflict

router = APIRouter(route_class=StrictRoute)

_ADMIN: Final = "admin"


@router.get(
    "/v1/keys",
    operation_id="listKeys",
    tags=["administration"],
    response_model=wire_administration.Keys,
)
def list_keys(request: Request) -> Response:
    """List the city's API keys, without their secrets. For administrators."""
    visit = visit_of(request)
    visit.require(_ADMIN)
    found = visit.city.keys.keys(visit.tenant.id)
    return documents.page([mapping.key(each) for each in found], None)


@router.post(
    "/v1/keys",
    operation_id="createKey",
    tags=["administration"],
    response_model=wire_administration.IssuedKey,
    status_code=201,
)
def create_key(request: Request, wanted: wire_administration.NewKey) -> Response:
    """Make an API key. Its text is in this answer and can never be had again. For administrators.

    A `reader` has a quota of its own, an `official` decides on proposals, an `admin` does
    everything.
    """
    visit = visit_of(request)
    visit.require(_ADMIN)
    key, text = visit.city.keys.issue(visit.tenant.id, name=wanted.name, role=wanted.role)
    return documents.document(
        mapping.issued_key(key, text), status=201, headers={"Cache-Control": "no-store"}
    )


@router.delete(
    "/v1/keys/{key_id}",
    operation_id="revokeKey",
    tags=["administration"],
    status_code=204,
    response_class=Response,
)
def revoke_key(
    request: Request,
    key_id: Annotated[str, Path(description="Id of the key.", max_length=100)],
) -> Response:
    """Revoke a key: within 10 seconds it opens nothing any more. For administrators."""
    visit = visit_of(request)
    own = visit.require(_ADMIN)
    if own.id == key_id:
        raise Conflict("a key cannot revoke itself; use another administrator's")
    visit.city.keys.revoke(visit.tenant.id, key_id)
    return Response(status_code=204)


@router.get(
    "/v1/dead-letters",
    operation_id="listDeadLetters",
    tags=["administration"],
    response_model=wire_administration.DeadLetters,
)
def list_dead_letters(request: Request, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """List messages that were refused, newest first, and why. For administrators."""
    visit = visit_of(request)
    visit.require(_ADMIN)
    before = None if cursor is None else cursors.read(cursor, cursors.NumberCursor).number
    letters = visit.city.reader.dead_letters(visit.tenant.id, before=before, limit=limit + 1)
    found, next_page = documents.cut(
        request, letters, limit, lambda last: cursors.write(cursors.NumberCursor(last.id))
    )
    return documents.page([mapping.dead_letter(each) for each in found], next_page)
