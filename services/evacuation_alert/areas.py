"""For which area a gauge speaks, and what an alert says of that area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cityos.domain.alert import AlertArea
from cityos.domain.alert_level import HAZARDS, Hazard
from cityos.domain.entity import Entity, Name
from cityos.plugins.contract import CityView
from services.evacuation_alert.zones import SHORE, WHOLE, ZONES, zone_name

MUNICIPALITY: Final = "Municipality"
_SHORTEST_RING: Final = 4  # RFC 7946, section 3.1.6: three corners, and the first one again

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """An area for which a level can be proposed.

    ``municipality`` is the entity where the area is a whole municipality, or its ``zone``:
    bulletins speak for it.
    """

    urn: str
    area: AlertArea
    municipality: Entity | None = None
    zone: str = WHOLE

    def key(self, hazard: Hazard) -> str:
        """The key of the situation: one for each hazard and area."""
        return "/".join(filter(None, (hazard.code, self.urn, self.zone)))


def read_key(key: str) -> tuple[Hazard, str, str] | None:
    """Return hazard, area's URN and zone of a situation's key; None for anything else."""
    code, slash, urn = key.partition("/")
    hazard = HAZARDS.get(code)
    if hazard is None or not slash:
        return None
    for zone in ZONES:
        if urn.endswith(f"/{zone}"):
            return hazard, urn.removesuffix(f"/{zone}"), zone
    return hazard, urn, WHOLE


def area_urn(gauge: Entity) -> str:
    """The URN of the area for which the gauge stands: its ``area``, or the gauge itself."""
    area = gauge.attributes.get("area")
    return area if isinstance(area, str) and area else gauge.id


def place_of_gauge(gauge: Entity, city: CityView) -> Place:
    """Return the area of the gauge.

    An area that is not registered keeps its URN, so that the situation goes on when it is
    registered later, and is called by the gauge.
    """
    urn = area_urn(gauge)
    entity = city.entity(urn) if urn != gauge.id else None
    if entity is not None:
        return place_of_entity(entity)
    codes = _codes(gauge)
    return Place(urn, AlertArea(name=gauge_area_name(gauge), geocodes=codes, entity=urn))


def place_of_entity(entity: Entity, zone: str = WHOLE) -> Place:
    """Return the area that the entity is, or a zone of it.

    The shore is not drawn: the municipality's shape would call out everybody.
    """
    area = AlertArea(
        name=zone_name(zone, named(entity)),
        geocodes=_codes(entity),
        polygons=() if zone == SHORE else rings(entity.geometry),
        entity=entity.id,
    )
    return Place(entity.id, area, entity if entity.type == MUNICIPALITY else None, zone)


def named(entity: Entity) -> Name:
    """The entity's name; a language that is missing is filled from the other, then by the id."""
    name = entity.name
    return Name(name.en or name.ja or entity.id, name.ja or name.en or entity.id)


def river_of(gauge: Entity) -> Name:
    """The river at which a gauge stands; empty in a language in which its name says it already."""
    english, japanese = (_text(gauge, f"river_{language}") for language in ("en", "ja"))
    name, river = named(gauge), Name(english or japanese, japanese or english)
    return Name(
        "" if river.en in name.en else river.en,
        "" if river.ja in name.ja else river.ja,
    )


def gauge_area_name(gauge: Entity) -> Name:
    """What the surroundings of a gauge are called: its river at its name."""
    name, river = named(gauge), river_of(gauge)
    return Name(
        f"{river.en} at {name.en}" if river.en else f"Around {name.en}",
        f"{river.ja} {name.ja}付近" if river.ja else f"{name.ja}付近",
    )


def rings(geometry: Mapping[str, Any] | None) -> tuple[Ring, ...]:
    """Return the outer rings of a Polygon or MultiPolygon (RFC 7946, 3.1.6), closed.

    CAP 1.2 (3.2.4 ``polygon``) knows no holes: they are left out, which covers more, not less.
    Anything that is no such geometry gives nothing: an area without a shape can still be named.
    """
    if geometry is None:
        return ()
    coordinates = geometry.get("coordinates")
    polygons: object = ()
    match geometry.get("type"):
        case "Polygon":
            polygons = [coordinates]
        case "MultiPolygon":
            polygons = coordinates
    if not isinstance(polygons, list | tuple):
        return ()
    found = (_outer(polygon) for polygon in polygons)
    return tuple(ring for ring in found if ring)


def _outer(polygon: object) -> Ring:
    try:
        ring = tuple((float(point[0]), float(point[1])) for point in polygon[0])  # type: ignore[index]
    except (TypeError, ValueError, IndexError, KeyError):
        return ()
    if ring and ring[0] != ring[-1]:
        ring = (*ring, ring[0])
    return ring if len(ring) >= _SHORTEST_RING else ()


def codes_of(entity: Entity, attribute: str) -> tuple[str, ...]:
    """Return an attribute that holds a code or a list of codes, as text."""
    value = entity.attributes.get(attribute)
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(str(item) for item in values if isinstance(item, str | int) and str(item))


def _codes(entity: Entity) -> dict[str, tuple[str, ...]]:
    found = {
        "municipality": codes_of(entity, "municipality_code"),
        "jma_area": codes_of(entity, "jma_area_codes"),
    }
    return {scheme: codes for scheme, codes in found.items() if codes}


def _text(entity: Entity, attribute: str) -> str:
    value = entity.attributes.get(attribute)
    return value if isinstance(value, str) else ""
