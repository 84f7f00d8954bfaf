"""The front of the API: what every request passes, in one layer of plain ASGI.

It says which city and whose key, counts the request against a quota, sends an answer that was
made before while it is true, and adds what every response carries: CORS, entity tag, quota and
request id. Frameworks' middleware costs 20-60 us a layer; this is on the way of every read.
"""

from __future__ import annotations

import re
import secrets
from functools import lru_cache
from ipaddress import IPv6Address, ip_network
from itertools import count
from time import perf_counter
from typing import Final, NamedTuple

import structlog
from anyio import to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from cityos.api import errors
from cityos.api.answers import Answer
from cityos.api.reply import OPEN, RawHeaders, Reply
from cityos.api.visit import REQUEST_ID_KEY, SCOPE_KEY, City, Visit
from cityos.domain.entity import Tenant
from cityos.errors import (
    AnotherCity,
    CityOSError,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from cityos.ports import Allowance, ApiKey, RateLimiter

PREFIX: Final = "/v1/"
OPEN_TO_ALL: Final = frozenset({"/v1/health", "/v1/ready"})
"""Asked by supervisors, before there is a city and however often."""

_ANONYMOUS: Final = "anonymous"
_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LONGEST_ACCEPT: Final = 200

_PREFLIGHT: Final[RawHeaders] = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"Accept, Authorization, CityOS-Tenant, If-None-Match, Last-Event-ID",
    ),
    (b"access-control-max-age", b"86400"),
    (b"content-length", b"0"),
]

_log = structlog.get_logger(__name__)


class _Asked(NamedTuple):
    """What a request says of itself, beside its path."""

    authorization: bytes
    tenant: bytes
    accept: bytes
    known_tags: bytes
    query: bytes


class Door:
    """The application as the server runs it: ``inner`` is asked what is not known already."""

    def __init__(
        self, inner: ASGIApp, *, city: City, limiter: RateLimiter, default_tenant: str
    ) -> None:
        self.city = city
        self._inner = inner
        self._limiter = limiter
        self._default_tenant = default_tenant
        self._id_prefix = secrets.token_hex(5)
        self._ids = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        begun_s = perf_counter()
        _without_trailing_slash(scope)
        path = scope["path"]
        request_id = f"{self._id_prefix}-{next(self._ids):08x}"
        scope[REQUEST_ID_KEY] = request_id
        reply = Reply(scope, send, request_id)
        route = "at the door"
        try:
            answer = None
            if path.startswith(PREFIX) and path not in OPEN_TO_ALL:
                reply.headers = OPEN
                if reply.method == "OPTIONS":
                    await reply.send_all(204, _PREFLIGHT, b"")
                    return
                answer = await self._enter(scope, reply)
            if answer is None:
                route = await self._ask_inner(scope, receive, reply)
            else:
                route = answer.route
        except CityOSError as error:
            where = "query" if reply.method in {"GET", "HEAD"} else "body"
            await reply.problem(errors.problem_of(error, where=where))
        if not reply.streamed:
            seconds = perf_counter() - begun_s
            self.city.metrics.took(reply.method, route, reply.status, seconds)

    # --- before the route ---------------------------------------------------------------------

    async def _enter(self, scope: Scope, reply: Reply) -> Answer | None:
        """Let a request in, or send the answer that is known already and return it.

        Raises InvalidRequest, Unauthenticated, AnotherCity, NotFound, TooManyRequests,
        Unavailable.
        """
        asked = _read(scope)
        city, path = self.city, scope["path"]
        if "\0" in path or b"%00" in asked.query:
            raise InvalidRequest("the address must not contain a NUL character")
        now_s = city.clock.monotonic_s()
        key = await self._key(asked.authorization, scope)
        reply.allowance = allowance = self._count(key, scope)
        if allowance.retry_after_s:
            raise _too_many(allowance)
        tenant = await self._tenant(asked.tenant, key, now_s)
        if reply.method in {"GET", "HEAD"} and len(asked.accept) <= _LONGEST_ACCEPT:
            reply.known_tags = asked.known_tags
            reply.question = (tenant.id, path, asked.query, asked.accept)
            answer = city.answers.find(reply.question, now_s)
            if answer is not None:
                city.metrics.answers_reused.inc()
                await reply.send_again(answer)
                return answer
        reply.visit = scope[SCOPE_KEY] = Visit(
            city=city,
            tenant=tenant,
            key=key,
            address=_address(scope),
            method=reply.method,
            request_id=reply.request_id,
        )
        return None

    async def _key(self, authorization: bytes, scope: Scope) -> ApiKey | None:
        if not authorization:
            return None
        scheme, _, presented = authorization.decode("latin-1").partition(" ")
        presented = presented.strip()
        if scheme.lower() != "bearer":
            self.city.metrics.refused.labels("scheme").inc()
            raise Unauthenticated("the Authorization header must be: Bearer <API key>")
        key = self.city.keys.recall(presented)
        if key is not None:
            return key
        # trying keys has a quota of its own: it must not be spent by reading, nor the other way
        allowance = self._limiter.take(_ANONYMOUS, f"keys from {_address(scope)}")
        if allowance.retry_after_s:
            raise _too_many(allowance)
        try:
            return await to_thread.run_sync(self.city.keys.authenticate, presented)
        except Unauthenticated:
            self.city.metrics.refused.labels("key").inc()
            raise

    def _count(self, key: ApiKey | None, scope: Scope) -> Allowance:
        if key is None:
            return self._limiter.take(_ANONYMOUS, _address(scope))
        return self._limiter.take(key.role, key.id)

    async def _tenant(self, header: bytes, key: ApiKey | None, now_s: float) -> Tenant:
        name = header.decode("latin-1")
        if not name:
            name = self._default_tenant if key is None else key.tenant
        elif not _TENANT.fullmatch(name):
            raise NotFound("CityOS-Tenant must be the id of a city, such as yaizu")
        if key is not None and key.tenant != name:
            raise AnotherCity("this API key belongs to another city")
        tenants = self.city.tenants
        found = tenants.recall(name, now_s)
        return found if found is not None else await to_thread.run_sync(tenants.find, name)

    # --- behind the door ----------------------------------------------------------------------

    async def _ask_inner(self, scope: Scope, receive: Receive, reply: Reply) -> str:
        """Have the request answered, and return the template of its route."""
        if reply.method == "HEAD":  # a copy, for the server has to know that it was HEAD
            scope = {**scope, "method": "GET"}
        try:
            await self._inner(scope, receive, reply)
        except Exception:  # noqa: BLE001 - the last one to hear of it: log it and answer
            _log.exception(
                "a request failed",
                request_id=reply.request_id,
                method=reply.method,
                route=_route_of(scope),
            )
            if not reply.begun:
                await reply.problem(errors.unexpected())
        route = _route_of(scope)
        visit = reply.visit
        if visit is not None and visit.thing and reply.answer and reply.question:
            body, headers, etag = reply.answer
            answer = Answer(
                body, tuple(headers), etag, route, visit.thing, visit.stamp, visit.until_s
            )
            self.city.answers.keep(reply.question, answer)
        return route


def _read(scope: Scope) -> _Asked:
    authorization = tenant = accept = known_tags = b""
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value
        elif name == b"cityos-tenant":
            tenant = value
        elif name == b"accept":
            accept = value
        elif name == b"if-none-match":
            known_tags = value
    return _Asked(authorization, tenant, accept, known_tags, scope["query_string"])


def _without_trailing_slash(scope: Scope) -> None:
    path = scope["path"]
    if len(path) > 1 and path[-1] == "/":
        scope["path"] = path.rstrip("/") or "/"
        scope["raw_path"] = scope.get("raw_path", b"").rstrip(b"/") or b"/"


def _route_of(scope: Scope) -> str:
    """Return the template of the route that was found; there is a closed set of them."""
    return getattr(scope.get("route"), "path", None) or "unmatched"


def _too_many(allowance: Allowance) -> TooManyRequests:
    message = (
        f"{allowance.limit} requests in {allowance.window_s} s are allowed here; come back in "
        f"{allowance.retry_after_s} s, or ask the city for an API key"
    )
    return TooManyRequests(message, retry_after_s=allowance.retry_after_s)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return _network(client[0]) if client else "unknown"


@lru_cache(maxsize=4096)
def _network(host: str) -> str:
    """An IPv6 customer has a /64 at least, and can come from every address in it."""
    if ":" not in host:
        return host
    try:
        return str(ip_network((IPv6Address(host.partition("%")[0]), 64), strict=False))
    except ValueError:
        return host
