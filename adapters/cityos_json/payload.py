"""The JSON that devices send: one reading, or an array of up to 1,000.

The same classes decode the payload and give the schema in ``openapi/asyncapi.yaml``. A field that
is not known is refused: a misspelt ``unit`` would otherwise turn centimetres into metres.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct, field

MOST_READINGS: Final = 1000


class PositionValue(Struct, forbid_unknown_fields=True, gc=False):
    """A point in WGS 84 degrees, longitude first as in GeoJSON (RFC 7946)."""

    longitude: Annotated[float, Meta(examples=[138.33])]
    latitude: Annotated[float, Meta(examples=[34.87])]


class Reading(Struct, forbid_unknown_fields=True, gc=False):
    """One value of one property at one time."""

    observed_property: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            description="A name of the closed list, see GET /v1/observed-properties.",
            examples=["water_level"],
        ),
    ] = field(name="property")
    value: Annotated[
        float | str | bool | PositionValue,
        Meta(
            description="What the property's kind asks for: a number, a text, true or false, or "
            "a position.",
            examples=[1.23],
        ),
    ]
    unit: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None,
        Meta(
            description="UCUM code; it is converted to the property's own unit. Left out: the "
            "value is in the property's own unit.",
            examples=["m", "cm"],
        ),
    ] = None
    observed_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(
            description="When it was measured, RFC 3339 with Z or an offset. Left out: the time "
            "of receipt is taken, and the value is flagged for it.",
            examples=["2026-11-22T01:02:03Z"],
        ),
    ] = field(default=None, name="time")
    entity: Annotated[
        Annotated[str, Meta(min_length=1, max_length=256)] | None,
        Meta(
            description="What the reading is of, where the device speaks for several things: a "
            "name or URN of the device's registration.",
        ),
    ] = None
    dataset: Annotated[
        str,
        Meta(
            max_length=128,
            description="Tells apart several sensors of one property on one thing.",
        ),
    ] = ""


Readings: TypeAlias = Annotated[list[Reading], Meta(min_length=1, max_length=MOST_READINGS)]
Payload: TypeAlias = Reading | Readings

FIELDS: Final = tuple(info.encode_name for info in msgspec.structs.fields(Reading))


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a payload."""
    return msgspec.json.schema(Payload)
