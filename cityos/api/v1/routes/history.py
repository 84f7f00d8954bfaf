"""Series over time: raw values page by page, or counted over intervals."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from cityos.api import cursors, documents, parameters
from cityos.api.negotiation import CSV, GEOJSON, JSON, choose
from cityos.api.strict_route import StrictRoute
from cityos.api.v1 import geojson, mapping, tables, wire
from cityos.api.v1.routes.entities import Cursor, EntityId
from cityos.api.v1.routes.latest import Dataset
from cityos.api.visit import Visit, visit_of
from cityos.domain.history import Aggregate, Order, SeriesKey
from cityos.domain.observed_property import PROPERTIES, ValueKind
from cityos.errors import InvalidRequest

router = APIRouter(route_class=StrictRoute)

_MOST: Final = 10_000
_MOST_BUCKETS: Final = 5_000
_OFFERED: Final = (JSON, CSV, GEOJSON)
_OTHER_FORMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            CSV: {"schema": {"type": "string"}},
            GEOJSON: {"schema": {"type": "object"}},
        }
    }
}
_COUNT_UNIT: Final = "{count}"


@router.get(
    "/v1/entities/{entity_id:path}/history/{observed_property}",
    operation_id="getHistory",
    tags=["values"],
    response_model=wire.History | wire.Buckets,
    responses=_OTHER_FORMS,
)
def get_history(
    request: Request,
    entity_id: EntityId,
    observed_property: Annotated[
        str, Path(description="Which property.", examples=["water_level"], max_length=100)
    ],
    since: Annotated[
        str | None,
        Query(
            description="Observed at or after this time, RFC 3339. With `interval` it is taken "
            "down to a whole interval; one day before `until` if not given.",
            examples=["2026-11-22T00:00:00Z"],
            max_length=40,
            json_schema_extra={"format": "date-time"},
        ),
    ] = None,
    until: Annotated[
        str | None,
        Query(
            description="Observed before this time, RFC 3339; now if not given.",
            examples=["2026-11-23T00:00:00+09:00"],
            max_length=40,
            json_schema_extra={"format": "date-time"},
        ),
    ] = None,
    interval: Annotated[
        str | None,
        Query(
            description="ISO 8601 duration: one value an interval instead of raw values. "
            "Intervals are counted from 1970-01-01T00:00:00Z on, and come oldest first.",
            examples=["PT1H"],
            max_length=30,
        ),
    ] = None,
    aggregate: Annotated[
        Aggregate | None,
        Query(description="What an interval answers with; the average if not given."),
    ] = None,
    order: Annotated[Order, Query(description="The order of raw values.")] = Order.NEWEST_FIRST,
    dataset: Dataset = "",
    limit: Annotated[
        int, Query(ge=1, le=_MOST, description="The most raw values in one page.")
    ] = 100,
    cursor: Cursor = None,
) -> Response:
    """Return a series over time.

    With `Accept: text/csv` it comes as a table, with `application/geo+json` as features; the
    next page is then in the `Link` header.
    """
    media_type = choose(request.headers.get("accept", ""), _OFFERED)
    visit = visit_of(request)
    series = SeriesKey(entity=entity_id, observed_property=observed_property, dataset=dataset)
    begin, end = parameters.time(since, "since"), parameters.time(until, "until")
    if interval is not None:
        if cursor is not None:
            raise InvalidRequest("intervals come in one page", parameter="cursor")
        return _buckets(
            visit, series, media_type, interval, aggregate or Aggregate.AVERAGE, begin, end
        )
    if aggregate is not None:
        raise InvalidRequest(
            "aggregate needs interval beside it, such as interval=PT1H", parameter="aggregate"
        )
    return _samples(request, visit, series, media_type, order, begin, end, cursor, limit)


def _samples(
    request: Request,
    visit: Visit,
    series: SeriesKey,
    media_type: str,
    order: Order,
    since: datetime | None,
    until: datetime | None,
    cursor: str | None,
    limit: int,
) -> Response:
    visit.made_of(series.entity, series.observed_property, series.dataset)
    after = None if cursor is None else cursors.read(cursor, cursors.TimeCursor).at
    reader, tenant = visit.city.reader, visit.tenant.id
    samples = reader.history(
        tenant, series, since=since, until=until, order=order, after=after, limit=limit + 1
    )
    found, next_page = documents.cut(
        request, samples, limit, lambda last: cursors.write(cursors.TimeCursor(last.observed_at))
    )
    unit = reader.unit(tenant, series)
    if media_type == CSV:
        table = tables.samples(found, unit=unit, places=_is_position(series))
        return documents.content(table, CSV, next_page=next_page)
    if media_type == GEOJSON:
        features = geojson.samples(reader.entity(tenant, series.entity), unit, found)
        return documents.content(features, GEOJSON, next_page=next_page)
    return documents.page(mapping.samples(found), next_page, **_head(series, unit))


def _buckets(
    visit: Visit,
    series: SeriesKey,
    media_type: str,
    interval: str,
    aggregate: Aggregate,
    since: datetime | None,
    until: datetime | None,
) -> Response:
    if until is not None:  # "until now" moves, so its answer is not one to send again
        visit.made_of(series.entity, series.observed_property, series.dataset)
    until = until or visit.city.clock.now()
    reader, tenant = visit.city.reader, visit.tenant.id
    unit = _COUNT_UNIT if aggregate is Aggregate.COUNT else reader.unit(tenant, series)
    found = reader.buckets(
        tenant,
        series,
        interval_s=parameters.interval_s(interval),
        since=since if since is not None else _day_before(until),
        until=until,
        limit=_MOST_BUCKETS,
    )
    if media_type == CSV:
        return documents.content(tables.buckets(found, aggregate, unit=unit), CSV)
    if media_type == GEOJSON:
        entity = reader.entity(tenant, series.entity)
        return documents.content(geojson.buckets(entity, unit, found, aggregate), GEOJSON)
    head = {**_head(series, unit), "interval": interval, "aggregate": aggregate.value}
    return documents.page(mapping.buckets(found, aggregate), None, **head)


def _head(series: SeriesKey, unit: str) -> dict[str, str]:
    return {
        "entity": series.entity,
        "observed_property": series.observed_property,
        "dataset": series.dataset,
        "unit": unit,
    }


def _day_before(until: datetime) -> datetime:
    try:
        return until - timedelta(days=1)
    except OverflowError as error:
        raise InvalidRequest("until lies too far back", parameter="until") from error


def _is_position(series: SeriesKey) -> bool:
    known = PROPERTIES.get(series.observed_property)
    return known is not None and known.kind is ValueKind.POSITION
