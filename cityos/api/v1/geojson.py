"""Entities and series as GeoJSON (RFC 7946). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cityos.api.v1 import mapping
from cityos.domain.entity import Entity
from cityos.domain.history import Aggregate, Bucket, Sample
from cityos.domain.observation import Position
from cityos.ports import FoundEntity


def entities(found: Sequence[FoundEntity]) -> dict[str, Any]:
    return collection(
        [
            _feature(
                _geometry(each.entity),
                {
                    "type": each.entity.type,
                    "name": mapping.name(each.entity.name),
                    "distance_m": each.distance_m,
                    **each.entity.attributes,
                },
                each.entity.id,
            )
            for each in found
        ]
    )


def samples(entity: Entity, unit: str, found: Sequence[Sample]) -> dict[str, Any]:
    """Return one feature a value: where it was measured, or where it says that the thing was."""
    place = _geometry(entity)
    features = []
    for sample, document in zip(found, mapping.samples(found), strict=True):
        moved = isinstance(sample.value, Position)
        geometry = _point(sample.value) if isinstance(sample.value, Position) else place
        properties = {
            key: item for key, item in document.items() if not (moved and key == "value")
        }
        features.append(_feature(geometry, {"entity": entity.id, **properties, "unit": unit}))
    return collection(features)


def buckets(
    entity: Entity, unit: str, found: Sequence[Bucket], aggregate: Aggregate
) -> dict[str, Any]:
    place = _geometry(entity)
    return collection(
        [
            _feature(place, {"entity": entity.id, **document, "unit": unit})
            for document in mapping.buckets(found, aggregate)
        ]
    )


def collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": features}


def _feature(
    geometry: Mapping[str, Any] | None, properties: Mapping[str, Any], identifier: str = ""
) -> dict[str, Any]:
    feature = {"type": "Feature", "geometry": geometry, "properties": properties}
    return {"id": identifier, **feature} if identifier else feature


def _geometry(entity: Entity) -> Mapping[str, Any] | None:
    if entity.geometry is not None:
        return entity.geometry
    return None if entity.position is None else _point(entity.position)


def _point(position: Position) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [position.longitude, position.latitude]}
