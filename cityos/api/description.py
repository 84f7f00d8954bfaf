"""The API described (OpenAPI 3.1): what the routes say of themselves, and what all share."""

from __future__ import annotations

from typing import Any, Final, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from cityos.api import errors
from cityos.api.v1 import wire

_DESCRIPTION: Final = """\
The things of the city, what they measure, and the alerts that concern it.

- Reading needs no key. A key, sent as `Authorization: Bearer <key>`, has a larger quota; officials
  and administrators have keys with a role.
- Names are snake_case, times RFC 3339 in UTC, positions longitude first, units UCUM codes.
- Lists come in pages: follow `next` until it is null. Unknown query parameters are refused.
- Errors are RFC 9457 problem details; `type` never changes, `detail` is for people.
- Every answer to a read has an `ETag`; asking with `If-None-Match` is cheap.
- `RateLimit` headers tell what is left of the quota; 429 has `Retry-After`.
- Within /v1 fields and parameters are added, never removed or changed in meaning: ignore what you
  do not know.
"""
_TAGS: Final = [
    {"name": "entities", "description": "Things of the city and their static facts."},
    {"name": "values", "description": "What is measured: now, and over time."},
    {"name": "alerts", "description": "This city's alerts and other authorities'."},
    {"name": "evacuation sites", "description": "Where to go, by hazard and distance."},
    {"name": "live", "description": "What happens now, as it happens."},
    {"name": "proposals", "description": "Orders before a person. For officials."},
    {"name": "administration", "description": "Keys and refused messages. For administrators."},
    {"name": "state", "description": "For supervisors."},
]
HEAD: Final[dict[str, Any]] = {
    "title": "CityOS",
    "version": "1",
    "summary": "The open API of a city.",
    "description": _DESCRIPTION,
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "openapi_tags": _TAGS,
}
_TENANT_PARAMETER: Final = {
    "name": "CityOS-Tenant",
    "in": "header",
    "required": False,
    "description": "Another city of this server than its usual one.",
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
}
_PRIVATE_TAGS: Final = {"proposals", "administration"}
_STATE_TAG: Final = "state"
_DECISIONS: Final = ("/approve", "/reject", "/reassess", "/cancel")
_PROBLEMS: Final = {
    "400": "A parameter is wrong; `errors` says which, and how to fix it.",
    "401": "A valid API key is needed.",
    "403": "The API key does not allow this.",
    "404": "There is no such thing.",
    "409": "The present state forbids this.",
    "429": "The quota is used up; `Retry-After` says when to come back.",
    "503": "A part of the city does not answer; try again later.",
}


def document_of(app: FastAPI) -> dict[str, Any]:
    """Return the document of an application; made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
            license_info=app.license_info,
        )
        _complete(document)
        app.openapi_schema = document
    return app.openapi_schema


def _complete(document: dict[str, Any]) -> None:
    """Add what every operation shares: keys, the tenant, problems."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key: `ck_…`."}
    }
    schemas = components.setdefault("schemas", {})
    schemas.update(_problem_schemas())
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete_operation(path, cast("dict[str, Any]", operation))


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    tags = set(operation.get("tags", ()))
    responses = operation["responses"]
    responses.pop("422", None)
    if _STATE_TAG in tags:
        return
    private = bool(tags & _PRIVATE_TAGS) or path.endswith(_DECISIONS)
    operation["security"] = [{"key": []}] if private else [{}, {"key": []}]
    operation.setdefault("parameters", []).append(_TENANT_PARAMETER)
    statuses = ["400", "401", "429", "503"]
    if private:
        statuses.append("403")
    if "{" in path:
        statuses.append("404")
    if path.endswith((*_DECISIONS, "/{key_id}")):
        statuses.append("409")
    for status in sorted(statuses):
        responses.setdefault(
            status,
            {
                "description": _PROBLEMS[status],
                "content": {
                    errors.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}
                },
            },
        )


def _problem_schemas() -> dict[str, Any]:
    schema = TypeAdapter(wire.Problem).json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Any] = schema.pop("$defs", {})
    return {**parts, "Problem": schema}
