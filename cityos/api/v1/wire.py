"""The documents of /v1 as they travel: snake_case names, times RFC 3339 in UTC with ``Z``.

Typed dictionaries and not models: the type checker holds ``mapping`` to them, the generated
OpenAPI document is made of them, and a request pays for neither.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from typing_extensions import TypedDict

_GAUGE = "urn:ngsi-ld:WaterLevelGauge:yaizu:ishiwaki"

Time: TypeAlias = Annotated[
    datetime,
    Field(description="RFC 3339, UTC.", examples=["2026-11-22T01:02:03Z"]),
]
MaybeTime: TypeAlias = Time | None
AnyValue: TypeAlias = Annotated[
    Any,
    WithJsonSchema(
        {
            "description": "A number, a text, a boolean, a position, or another JSON value, as "
            "the observed property's `kind` says.",
            "examples": [1.23],
        }
    ),
]
Quality: TypeAlias = Annotated[
    list[Literal["corrected", "time_assumed", "late"]],
    Field(
        description="Empty is good. `corrected`: another value was sent for the same time before. "
        "`time_assumed`: the device sent no time, the time of receipt stands in. "
        "`late`: it was not the newest value of its series when it came."
    ),
]
Next: TypeAlias = Annotated[
    str | None,
    Field(description="Address of the next page, relative to this one; null on the last."),
]


class Name(TypedDict):
    """A name in the two languages of the city's people."""

    en: str
    ja: str


class Position(TypedDict):
    """WGS 84 degrees."""

    longitude: Annotated[float, Field(ge=-180, le=180, examples=[138.3257])]
    latitude: Annotated[float, Field(ge=-90, le=90, examples=[34.8669])]


# --- things of the city ------------------------------------------------------------------------


class Entity(TypedDict):
    """A thing of the city, with its static facts."""

    id: Annotated[str, Field(description="A URN (RFC 8141).", examples=[_GAUGE])]
    type: Annotated[str, Field(examples=["WaterLevelGauge"])]
    name: Name
    position: Position | None
    geometry: Annotated[
        dict[str, Any] | None,
        Field(description="GeoJSON (RFC 7946) where the thing is a line or an area."),
    ]
    attributes: Annotated[
        dict[str, Any],
        Field(
            description="Numbers carry their unit at the end of the name.",
            examples=[{"danger_level_m": 3.5}],
        ),
    ]
    distance_m: Annotated[
        float | None,
        Field(description="Metres from `near`, along the sphere; null without `near`."),
    ]


class Entities(TypedDict):
    """A page of entities."""

    items: list[Entity]
    next: Next


class ObservedProperty(TypedDict):
    """What a series can hold. `minimum` and `maximum` are the plausible range in `unit`."""

    name: Annotated[str, Field(examples=["water_level"])]
    label: Name
    kind: Literal["number", "text", "boolean", "position", "json"]
    unit: Annotated[str, Field(description="UCUM code.", examples=["m"])]
    minimum: float | None
    maximum: float | None
    cumulative: Annotated[bool, Field(description="A register that only grows.")]
    definition: Annotated[str, Field(description="URI that outside systems know.")]


class ObservedProperties(TypedDict):
    """All properties that can be observed here."""

    items: list[ObservedProperty]
    next: Next


# --- values ------------------------------------------------------------------------------------


class LatestValue(TypedDict):
    """The newest value of a series: the one that was observed last, not received last."""

    entity: Annotated[str, Field(examples=[_GAUGE])]
    observed_property: Annotated[str, Field(examples=["water_level"])]
    dataset: Annotated[
        str,
        Field(description="Empty for the city's own series; `urn:cityos:exercise:…` in a drill."),
    ]
    value: AnyValue
    unit: Annotated[str, Field(description="UCUM code.", examples=["m"])]
    observed_at: Time
    received_at: Time
    quality: Quality


class LatestValues(TypedDict):
    """A page of newest values."""

    items: list[LatestValue]
    next: Next


class Sample(TypedDict):
    """One value of a series."""

    observed_at: Time
    value: AnyValue
    received_at: Time
    quality: Quality


class History(TypedDict):
    """A page of the values of one series."""

    entity: Annotated[str, Field(examples=[_GAUGE])]
    observed_property: Annotated[str, Field(examples=["water_level"])]
    dataset: str
    unit: Annotated[str, Field(description="UCUM code.", examples=["m"])]
    items: list[Sample]
    next: Next


class Bucket(TypedDict):
    """One interval, counted from `start` on. Intervals without values are left out."""

    start: Time
    value: Annotated[float, Field(description="What `aggregate` says.")]
    count: Annotated[int, Field(ge=1, description="Values in the interval.")]


class Buckets(TypedDict):
    """A series over intervals."""

    entity: Annotated[str, Field(examples=[_GAUGE])]
    observed_property: Annotated[str, Field(examples=["water_level"])]
    dataset: str
    unit: Annotated[str, Field(description="UCUM code; `{count}` for counts.", examples=["m"])]
    interval: Annotated[str, Field(description="ISO 8601 duration.", examples=["PT1H"])]
    aggregate: Literal["average", "minimum", "maximum", "sum", "count"]
    items: list[Bucket]
    next: Next


# --- alerts and what comes before them ---------------------------------------------------------


class AlertArea(TypedDict):
    """Where an alert holds."""

    name: Name
    entity: Annotated[str | None, Field(description="URN of the area in this city.")]
    geocodes: Annotated[
        dict[str, list[str]],
        Field(description="Codes by scheme.", examples=[{"municipality": ["22212"]}]),
    ]
    polygons: Annotated[
        list[list[list[float]]],
        Field(description="Rings of [longitude, latitude], first point repeated at the end."),
    ]


class AlertInfo(TypedDict):
    """What, how bad, and what to do."""

    event: Name
    hazard: Annotated[str, Field(examples=["flood"])]
    level: Annotated[
        int, Field(ge=0, le=5, description="警戒レベル 1-5; 0 where there is none, or was lifted.")
    ]
    urgency: Annotated[str, Field(description="CAP 1.2 `urgency`.")]
    severity: Annotated[str, Field(description="CAP 1.2 `severity`.")]
    certainty: Annotated[str, Field(description="CAP 1.2 `certainty`.")]
    headline: Name
    description: Name
    instruction: Name
    areas: list[AlertArea]
    effective: MaybeTime
    expires: MaybeTime
    parameters: dict[str, str]


class Reference(TypedDict):
    """An earlier message of the same chain."""

    sender: str
    identifier: str
    sent: Time


class Alert(TypedDict):
    """An alert in the words of CAP 1.2. `status` Exercise: never act on it."""

    identifier: str
    status: Literal["Actual", "Exercise"]
    run: Annotated[str | None, Field(description="Which rehearsal an Exercise belongs to.")]
    message_type: Literal["Alert", "Update", "Cancel"]
    sender: str
    sender_name: Name
    sent: Time
    level: Annotated[int, Field(ge=0, le=5, description="The highest level of its `infos`.")]
    infos: list[AlertInfo]
    references: list[Reference]
    note: str
    source: str


class Alerts(TypedDict):
    """A page of alerts, newest first."""

    items: list[Alert]
    next: Next


class Evidence(TypedDict):
    """One input of a decision: a reading against its threshold, or another alert."""

    kind: Literal["observation", "alert"]
    source: Annotated[str, Field(description="The entity, or the identifier of the alert.")]
    level: Annotated[int, Field(ge=0, le=5)]
    summary: Name
    at: Time
    observed_property: str | None
    value: float | None
    threshold: float | None
    unit: str | None


class Assessment(TypedDict):
    """What a service says of a situation. Level 0 proposes to stand down."""

    situation: str
    hazard: Annotated[str, Field(examples=["flood"])]
    level: Annotated[int, Field(ge=0, le=5)]
    area: AlertArea
    headline: Name
    reason: Name
    evidence: list[Evidence]
    rule_version: str
    at: Time


class Reassessment(TypedDict):
    """Who took a decision back, when and why: its situation was assessed again."""

    at: Time
    by: str
    reason: str


class Proposal(TypedDict):
    """An order that a service proposes and a person decides."""

    id: str
    service: str
    status: Literal["Actual", "Exercise"]
    run: str | None
    revision: int
    state: Literal["pending", "approved", "rejected", "superseded"]
    assessment: Assessment
    created_at: Time
    decided_at: MaybeTime
    decided_by: str | None
    decision_note: str | None
    alert_identifier: Annotated[
        str | None, Field(description="The alert that an approval has issued.")
    ]
    reassessment: Reassessment | None


class Proposals(TypedDict):
    """Proposals, newest first."""

    items: list[Proposal]
    next: Next


class Decision(BaseModel):
    """What the official wants kept with the decision."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"note": "確認済"}]})

    note: Annotated[
        str, Field(max_length=2000, pattern=r"^[^\u0000]*$", description="Kept for the record.")
    ] = ""


_Reason: TypeAlias = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\u0000]*$"
    ),
    Field(description="Kept for the record, and not published."),
]


class Cancellation(BaseModel):
    """Why an official ends an order."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "水位計の故障による誤発令"}]}
    )

    reason: _Reason


class Reconsideration(BaseModel):
    """Why an official takes a decision back."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "誤って却下したため"}]}
    )

    reason: _Reason


class ExerciseClosing(BaseModel):
    """Why an exercise ends."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "訓練終了"}]}
    )

    reason: Annotated[
        str, Field(max_length=2000, pattern=r"^[^\u0000]*$", description="Kept for the record.")
    ] = ""


class ExerciseEnd(TypedDict):
    """What the end of an exercise has closed; nothing where it had ended already."""

    run: str
    superseded: Annotated[int, Field(ge=0, description="Proposals that waited for a decision.")]
    alerts: Annotated[list[Alert], Field(description="The Cancels of the orders in force.")]


# --- problems ---------------------------------------------------------------------------------


class ProblemParameter(TypedDict):
    """What is wrong with one part of the request, and how to fix it."""

    where: Literal["query", "path", "header", "body"]
    parameter: str
    detail: str
    hint: str


class _ProblemBase(TypedDict):
    type: Annotated[str, Field(examples=["urn:cityos:problem:invalid-request"])]
    title: str
    status: int
    detail: Annotated[str, Field(description="For the person who can fix it.")]
    instance: Annotated[str, Field(description="The path of the request.")]
    request_id: Annotated[str, Field(description="Give this when you report a problem.")]


class Problem(_ProblemBase, total=False):
    """RFC 9457 problem details."""

    errors: list[ProblemParameter]
