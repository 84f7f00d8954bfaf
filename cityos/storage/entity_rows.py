"""Entities as rows: the query for any filter, and the way back to the domain.

Distances are on the sphere of the Earth's mean radius (IUGG R1, 6,371,008.8 m), which is within
0.5 % of the ellipsoid everywhere: enough to find the nearest shelter, not to survey a border.
"""

# ruff: noqa: S608 - every part of a statement is a LiteralString, which mypy checks
from __future__ import annotations

from math import asin, cos, degrees, pi, radians, sin
from typing import Any, Final, LiteralString

from psycopg.types.json import Jsonb

from cityos.domain.entity import REHEARSAL_ONLY, Entity, Name
from cityos.domain.history import BoundingBox, Near
from cityos.domain.observation import Position
from cityos.ports import EntityQuery, FoundEntity

_EARTH_RADIUS_M: Final = 6_371_008.8

_COLUMNS: Final[LiteralString] = (
    "e.id, e.type, e.name_en, e.name_ja, e.longitude, e.latitude, e.geometry, e.attributes"
)
ONE: Final[LiteralString] = f"SELECT {_COLUMNS} FROM entity e WHERE e.tenant_id = %s AND e.id = %s"
_DISTANCE: Final[LiteralString] = """
2 * 6371008.8 * asin(least(1.0, sqrt(
    power(sin(radians(e.latitude - %(latitude)s) / 2), 2)
    + cos(radians(%(latitude)s)) * cos(radians(e.latitude))
      * power(sin(radians(e.longitude - %(longitude)s) / 2), 2))))
"""


def query(tenant: str, wanted: EntityQuery) -> tuple[LiteralString, dict[str, Any]]:
    """Return the statement and its parameters that find what is wanted."""
    # things of a replayed day are found by their id; in the lists of the city they are no part
    conditions: list[LiteralString] = [
        "e.tenant_id = %(tenant)s",
        "NOT e.attributes @> %(rehearsed)s",
    ]
    parameters: dict[str, Any] = {
        "tenant": tenant,
        "limit": wanted.limit,
        "rehearsed": Jsonb({REHEARSAL_ONLY: True}),
    }
    if wanted.type is not None:
        conditions.append("e.type = %(type)s")
        parameters["type"] = wanted.type
    if wanted.attributes_contain:
        conditions.append("e.attributes @> %(attributes)s")
        parameters["attributes"] = Jsonb(dict(wanted.attributes_contain))
    if wanted.bbox is not None:
        conditions.append(inside(wanted.bbox, "box", parameters))
    if wanted.after is not None:
        parameters["after"] = wanted.after
    if wanted.near is not None:
        return _nearest(wanted.near, conditions, parameters)
    if wanted.after is not None:
        conditions.append("e.id > %(after)s")
    where = " AND ".join(conditions)
    return (
        f"SELECT {_COLUMNS} FROM entity e WHERE {where} ORDER BY e.id LIMIT %(limit)s",
        parameters,
    )


def _nearest(
    near: Near, conditions: list[LiteralString], parameters: dict[str, Any]
) -> tuple[LiteralString, dict[str, Any]]:
    parameters |= {
        "longitude": near.longitude,
        "latitude": near.latitude,
        "radius": near.radius_m,
    }
    conditions.append(inside(around(near), "circle", parameters))
    where = " AND ".join(conditions)
    page: LiteralString = ""
    if "after" in parameters:
        page = f"""AND (distance_m, id) > (
            (SELECT {_DISTANCE} FROM entity e
             WHERE e.tenant_id = %(tenant)s AND e.id = %(after)s), %(after)s)"""
    statement: LiteralString = f"""
        SELECT * FROM (SELECT {_COLUMNS}, {_DISTANCE} AS distance_m FROM entity e WHERE {where}) x
        WHERE distance_m <= %(radius)s {page}
        ORDER BY distance_m, id LIMIT %(limit)s"""
    return statement, parameters


def inside(box: BoundingBox, prefix: LiteralString, parameters: dict[str, Any]) -> LiteralString:
    """Return the condition on ``e`` and add its parameters.

    ``west > east`` is a box over the antimeridian (RFC 7946, 5.2).
    """
    parameters |= {
        f"{prefix}_west": box.west,
        f"{prefix}_south": box.south,
        f"{prefix}_east": box.east,
        f"{prefix}_north": box.north,
    }
    joined: LiteralString = "AND" if box.west <= box.east else "OR"
    return (
        f"(e.latitude BETWEEN %({prefix}_south)s AND %({prefix}_north)s"
        f" AND (e.longitude >= %({prefix}_west)s {joined} e.longitude <= %({prefix}_east)s))"
    )


def around(near: Near) -> BoundingBox:
    """Return the smallest box that holds the circle: what the index can narrow down."""
    angle = near.radius_m / _EARTH_RADIUS_M
    half_height = degrees(angle)
    south, north = near.latitude - half_height, near.latitude + half_height
    if south <= -90 or north >= 90 or angle >= pi / 2:  # noqa: PLR2004 - the poles
        return BoundingBox(-180.0, max(south, -90.0), 180.0, min(north, 90.0))
    half_width = degrees(asin(min(1.0, sin(angle) / cos(radians(near.latitude)))))
    west, east = near.longitude - half_width, near.longitude + half_width
    if east - west >= 360:  # noqa: PLR2004 - all the way round
        return BoundingBox(-180.0, south, 180.0, north)
    # a hair of slack, so that rounding never drops what is exactly on the edge
    return BoundingBox(_wrapped(west - 1e-9), south - 1e-9, _wrapped(east + 1e-9), north + 1e-9)


def _wrapped(longitude: float) -> float:
    return (longitude + 180.0) % 360.0 - 180.0


def found(row: tuple[Any, ...]) -> FoundEntity:
    """Return a row of ``query``."""
    distance_m = row[8] if len(row) > 8 else None  # noqa: PLR2004 - the column after the entity's
    return FoundEntity(entity(row), distance_m)


def entity(row: tuple[Any, ...]) -> Entity:
    """Return a row of ``ONE``."""
    identifier, kind, name_en, name_ja, longitude, latitude, geometry, attributes = row[:8]
    return Entity(
        id=identifier,
        type=kind,
        name=Name(name_en, name_ja),
        position=None if longitude is None else Position(longitude, latitude),
        geometry=geometry,
        attributes=attributes,
    )
