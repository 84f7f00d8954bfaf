"""The documents of /v1 that only administrators and supervisors see."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from cityos.api.v1.wire import MaybeTime, Next, Time

Role: TypeAlias = Literal["reader", "official", "admin"]


class Key(TypedDict):
    """An API key without its secret."""

    id: str
    name: str
    role: Role
    created_at: Time
    revoked_at: MaybeTime


class Keys(TypedDict):
    """All keys of the city, newest first."""

    items: list[Key]
    next: Next


class NewKey(BaseModel):
    """What a new key is for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "bus app", "role": "reader"}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: Role = "reader"


class IssuedKey(Key):
    """A key with its text, which is shown this once and kept nowhere."""

    key: Annotated[str, Field(examples=["ck_…"])]


class DeadLetter(TypedDict):
    """A message, or a part of it, that was refused, and why."""

    id: str
    message: Annotated[str, Field(description="Number of the raw message.")]
    received_at: Time
    vendor: str
    device: str
    topic: str
    reason: Annotated[str, Field(examples=["out_of_range"])]
    detail: str
    path: Annotated[str, Field(description="Where in the payload; `$` is the whole.")]
    hint: Annotated[str, Field(description="How to fix it.")]
    payload: Annotated[str | None, Field(description="As text; null where it is none.")]
    payload_base64: str
    replayed_at: MaybeTime


class DeadLetters(TypedDict):
    """A page of dead letters, newest first."""

    items: list[DeadLetter]
    next: Next


class Health(TypedDict):
    """The process is alive."""

    status: Literal["ok"]
    version: str


class Check(TypedDict):
    """One part that this depends on."""

    name: str
    state: Literal["ok", "away"]
    required: bool
    detail: str


class Readiness(TypedDict):
    """Whether requests can be served."""

    status: Literal["ready", "degraded", "unavailable"]
    checks: list[Check]
