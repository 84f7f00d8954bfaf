"""The one table from error to HTTP status, and how an error looks: RFC 9457 problem details.

``type`` names the kind of problem for programs and never changes; ``detail`` is for the person
who can fix it. No exception text that we did not write ourselves, no SQL and no secret leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec

from cityos.errors import (
    AnotherCity,
    CityOSError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    Rejected,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

MEDIA_TYPE: Final = "application/problem+json"
_TYPE: Final = "urn:cityos:problem:"
_RETRY_AFTER_S: Final = 5

STATUS: Final[dict[type[CityOSError], tuple[HTTPStatus, str, str]]] = {
    InvalidRequest: (HTTPStatus.BAD_REQUEST, "invalid-request", "The request breaks a rule"),
    Rejected: (HTTPStatus.BAD_REQUEST, "rejected", "The content cannot be kept as it is"),
    Unauthenticated: (HTTPStatus.UNAUTHORIZED, "unauthenticated", "A valid API key is needed"),
    Forbidden: (HTTPStatus.FORBIDDEN, "forbidden", "The API key does not allow this"),
    AnotherCity: (HTTPStatus.FORBIDDEN, "another-city", "The API key is another city's"),
    NotFound: (HTTPStatus.NOT_FOUND, "not-found", "There is no such thing"),
    Conflict: (HTTPStatus.CONFLICT, "conflict", "The present state forbids this"),
    TooManyRequests: (
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-requests",
        "The quota is used up",
    ),
    Unavailable: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "A part of the city does not answer; try again later",
    ),
}
"""An error's own class or its nearest ancestor decides. What is not here is a fault of ours."""

_BY_STATUS: Final[dict[int, tuple[str, str]]] = {
    HTTPStatus.BAD_REQUEST: ("invalid-request", "The request breaks a rule"),
    HTTPStatus.NOT_FOUND: ("not-found", "There is no such thing"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method-not-allowed", "This address has no such method"),
    HTTPStatus.NOT_ACCEPTABLE: ("not-acceptable", "No representation fits the Accept header"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("too-large", "The request body is too large"),
}


@dataclass(frozen=True, slots=True)
class ParameterProblem:
    """What is wrong with one part of a request: where, what, and how to fix it.

    ``where`` is ``query``, ``path``, ``header`` or ``body``.
    """

    where: str
    parameter: str
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem before it knows which request it belongs to."""

    status: int
    kind: str
    title: str
    detail: str
    errors: Sequence[ParameterProblem] = ()
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, *, instance: str, request_id: str) -> bytes:
        """Return the document. ``instance`` is the path of the request."""
        document: dict[str, Any] = {
            "type": _TYPE + self.kind,
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = self.errors
        return msgspec.json.encode(document)


class NotAcceptable(InvalidRequest):
    """None of the representations that exist is one that the caller accepts."""


def problem_of(error: CityOSError, *, where: str = "query") -> Problem:
    """Return how an error that we raised on purpose looks from outside.

    ``where`` is the part of the request that its parameters are in.
    """
    if isinstance(error, NotAcceptable):
        return of_status(HTTPStatus.NOT_ACCEPTABLE, str(error))
    for ancestor in type(error).__mro__:
        if ancestor in STATUS:
            status, kind, title = STATUS[ancestor]
            return Problem(
                status,
                kind,
                title,
                str(error),
                _parameters(error, where),
                _headers(error, status),
            )
    return unexpected()


def of_status(status: int, detail: str = "", headers: dict[str, str] | None = None) -> Problem:
    """Return the problem that a bare HTTP status stands for."""
    phrase = HTTPStatus(status).phrase
    kind, title = _BY_STATUS.get(status, (phrase.lower().replace(" ", "-"), phrase))
    return Problem(status, kind, title, detail or title, headers=headers or {})


def invalid(errors: Sequence[ParameterProblem]) -> Problem:
    """Return the problem of a request of which several parts may be wrong."""
    status, kind, title = STATUS[InvalidRequest]
    named = ", ".join(dict.fromkeys(error.parameter for error in errors))
    return Problem(status, kind, title, f"wrong: {named}" if named else title, errors)


def unexpected() -> Problem:
    """Return the problem of a fault of ours: the log has the rest, under the request id."""
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal-error",
        "Something went wrong on our side",
        "The fault was recorded. Please give the request_id when you report it.",
    )


def _parameters(error: CityOSError, where: str) -> Sequence[ParameterProblem]:
    if isinstance(error, InvalidRequest) and error.parameter:
        return (ParameterProblem(where, error.parameter, str(error)),)
    return ()


def _headers(error: CityOSError, status: HTTPStatus) -> dict[str, str]:
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after_s)}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        return {"Retry-After": str(_RETRY_AFTER_S)}
    if status is HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="cityos"'}
    return {}
