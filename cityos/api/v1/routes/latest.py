"""Newest values. Of one thing they come from memory, of many from the store."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from cityos.api import cursors, documents, parameters
from cityos.api.strict_route import StrictRoute
from cityos.api.v1 import mapping, wire
from cityos.api.v1.routes.entities import Bbox, Cursor, EntityId, Limit
from cityos.api.visit import Visit, visit_of
from cityos.ports import LatestValue

router = APIRouter(route_class=StrictRoute)

_MOST_OF_ONE: Final = 1000

Dataset = Annotated[
    str,
    Query(
        description="Empty: the city's own series. A rehearsal's are in "
        "`urn:cityos:exercise:{run}`.",
        max_length=200,
    ),
]
Property = Annotated[
    str | None,
    Query(description="Only of this observed property.", examples=["water_level"], max_length=100),
]


@router.get(
    "/v1/latest",
    operation_id="listLatest",
    tags=["values"],
    response_model=wire.LatestValues,
)
async def list_latest(
    request: Request,
    entity: Annotated[
        str | None, Query(description="Only of this entity.", max_length=300)
    ] = None,
    property: Property = None,  # noqa: A002 - the parameter's public name
    type: Annotated[  # noqa: A002 - the parameter's public name
        str | None,
        Query(description="Only of entities of this type.", examples=["Bus"], max_length=100),
    ] = None,
    bbox: Bbox = None,
    dataset: Dataset = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the newest value of every series: the one that was *observed* last."""
    visit = visit_of(request)
    box = parameters.bbox(bbox)
    after = None if cursor is None else cursors.read(cursor, cursors.LatestCursor)
    if entity is not None:
        visit.made_of(entity)
        if type is None and box is None and after is None:
            known = _known(visit, entity, dataset)
            items = [each for each in known if property in (None, each.observed_property)]
            if known and len(items) <= limit:
                return documents.page([mapping.latest_item(each) for each in items], None)
    else:
        visit.made_of()

    def read() -> Sequence[LatestValue]:
        return visit.city.reader.latest(
            visit.tenant.id,
            entity=entity,
            entity_type=type,
            observed_property=property,
            dataset=dataset,
            bbox=box,
            after=None if after is None else (after.entity, after.observed_property),
            limit=limit + 1,
        )

    values = await run_in_threadpool(read)
    found, next_page = documents.cut(request, values, limit, _cursor)
    return documents.page([mapping.latest_item(each) for each in found], next_page)


@router.get(
    "/v1/entities/{entity_id:path}/latest",
    operation_id="getLatestOfEntity",
    tags=["values"],
    response_model=wire.LatestValues,
)
async def get_latest_of_entity(
    request: Request,
    entity_id: EntityId,
    property: Property = None,  # noqa: A002 - the parameter's public name
    dataset: Dataset = "",
) -> Response:
    """List the newest values of one thing, by observed property."""
    visit = visit_of(request)
    visit.made_of(entity_id)
    known = _known(visit, entity_id, dataset)
    if not known:
        known = await run_in_threadpool(_read_one, visit, entity_id, dataset)
    items = [each for each in known if property in (None, each.observed_property)]
    return documents.page([mapping.latest_item(each) for each in items], None)


def _known(visit: Visit, entity: str, dataset: str) -> list[LatestValue]:
    """Return what memory has of the entity; nothing when it cannot be believed."""
    present = visit.city.present
    if visit.city.clock.monotonic_s() >= present.believable_until_s:
        return []
    return list(present.of_entity(visit.tenant.id, entity, dataset=dataset))


def _read_one(visit: Visit, entity: str, dataset: str) -> list[LatestValue]:
    """Raises NotFound when there is no such entity."""
    reader = visit.city.reader
    found = reader.latest(visit.tenant.id, entity=entity, dataset=dataset, limit=_MOST_OF_ONE)
    if not found:
        reader.entity(visit.tenant.id, entity)
    return list(found)


def _cursor(last: LatestValue) -> str:
    return cursors.write(cursors.LatestCursor(last.entity, last.observed_property))
