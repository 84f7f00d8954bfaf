"""Things of the city: gauges, shelters, buses, buildings, areas."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from cityos.api import cursors, documents, parameters
from cityos.api.negotiation import GEOJSON, JSON, choose
from cityos.api.strict_route import StrictRoute
from cityos.api.v1 import geojson, mapping, wire
from cityos.api.visit import visit_of
from cityos.domain.alert_level import HAZARDS
from cityos.domain.observed_property import PROPERTIES
from cityos.errors import InvalidRequest
from cityos.ports import EntityQuery, FoundEntity

router = APIRouter(route_class=StrictRoute)

MOST: Final = 1000
_OFFERED: Final = (JSON, GEOJSON)
_OTHER_FORM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {GEOJSON: {"schema": {"type": "object"}}}}
}
_OTHERWISE_M: Final = 5000.0

EntityId = Annotated[
    str,
    Path(
        description="URN of the entity.",
        examples=["urn:ngsi-ld:WaterLevelGauge:yaizu:ishiwaki"],
        max_length=300,
    ),
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="The most items in one page.")]
Cursor = Annotated[
    str | None, Query(description="From `next` of the page before.", max_length=1024)
]
Bbox = Annotated[
    str | None,
    Query(
        description="`west,south,east,north` in degrees; west > east crosses the antimeridian. "
        "Things that have a geometry and no position are not found.",
        examples=["138.25,34.80,138.40,34.95"],
        max_length=200,
    ),
]
NearPoint = Annotated[
    str | None,
    Query(
        description="`longitude,latitude`; the nearest come first, each with `distance_m`.",
        examples=["138.3257,34.8669"],
        max_length=100,
    ),
]
Radius = Annotated[
    float | None, Query(gt=0, description="Metres around `near`; 5,000 if not given.")
]


@router.get(
    "/v1/entities",
    operation_id="listEntities",
    tags=["entities"],
    response_model=wire.Entities,
    responses=_OTHER_FORM,
)
def list_entities(
    request: Request,
    type: Annotated[  # noqa: A002 - the parameter's public name
        str | None,
        Query(description="Only of this type.", examples=["WaterLevelGauge"], max_length=100),
    ] = None,
    bbox: Bbox = None,
    near: NearPoint = None,
    radius_m: Radius = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the things of the city, by id, or nearest first with `near`.

    With `Accept: application/geo+json` they come as GeoJSON.
    """
    query = EntityQuery(
        type=type,
        bbox=parameters.bbox(bbox),
        near=parameters.near(near, radius_m, otherwise_m=_OTHERWISE_M),
        after=None if cursor is None else cursors.read(cursor, cursors.EntityCursor).id,
        limit=limit + 1,
    )
    return _entities(request, query)


@router.get(
    "/v1/evacuation-sites",
    operation_id="listEvacuationSites",
    tags=["evacuation sites"],
    response_model=wire.Entities,
    responses=_OTHER_FORM,
)
def list_evacuation_sites(
    request: Request,
    hazard: Annotated[
        str | None,
        Query(
            description=f"Designated for this hazard: {', '.join(HAZARDS)}.",
            examples=["flood"],
            max_length=100,
        ),
    ] = None,
    near: NearPoint = None,
    radius_m: Radius = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List designated emergency evacuation sites (指定緊急避難場所) by hazard and distance.

    A site is safe only from the hazards that it is designated for
    (災害対策基本法施行令 第20条の3), so ask with `hazard` whenever you know it.
    """
    if hazard is not None and hazard not in HAZARDS:
        message = f"hazard must be one of {', '.join(HAZARDS)}"
        raise InvalidRequest(message, parameter="hazard")
    query = EntityQuery(
        type="EvacuationSite",
        near=parameters.near(near, radius_m, otherwise_m=_OTHERWISE_M),
        attributes_contain={} if hazard is None else {"hazards": [hazard]},
        after=None if cursor is None else cursors.read(cursor, cursors.EntityCursor).id,
        limit=limit + 1,
    )
    return _entities(request, query)


@router.get(
    "/v1/observed-properties",
    operation_id="listObservedProperties",
    tags=["values"],
    response_model=wire.ObservedProperties,
)
async def list_observed_properties() -> Response:
    """List everything that can be observed here, with unit, plausible range and definition."""
    items = [mapping.observed_property(each) for each in PROPERTIES.values()]
    response = documents.page(items, None)
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def get_entity(request: Request, entity_id: EntityId) -> Response:
    """Return one thing of the city with its static facts."""
    media_type = choose(request.headers.get("accept", ""), _OFFERED)
    visit = visit_of(request)
    entity = visit.city.reader.entity(visit.tenant.id, entity_id)
    if media_type == GEOJSON:
        return documents.content(geojson.entities([FoundEntity(entity)]), GEOJSON)
    return documents.document(mapping.entity(entity))


def add_last(to: APIRouter) -> None:
    """Add the route whose path takes everything that no other route has taken.

    An id may contain slashes, so ``/v1/entities/{id}/latest`` must be looked at first.
    """
    to.add_api_route(
        "/v1/entities/{entity_id:path}",
        get_entity,
        methods=["GET"],
        route_class_override=StrictRoute,
        operation_id="getEntity",
        tags=["entities"],
        response_model=wire.Entity,
        responses=_OTHER_FORM,
    )


def _entities(request: Request, query: EntityQuery) -> Response:
    """``query`` asks for one more than the page holds, to see whether it goes on."""
    media_type = choose(request.headers.get("accept", ""), _OFFERED)
    visit = visit_of(request)
    found, next_page = documents.cut(
        request,
        visit.city.reader.find_entities(visit.tenant.id, query),
        query.limit - 1,
        lambda last: cursors.write(cursors.EntityCursor(last.entity.id)),
    )
    if media_type == GEOJSON:
        return documents.content(geojson.entities(found), GEOJSON, next_page=next_page)
    return documents.page([mapping.entity(each) for each in found], next_page)
