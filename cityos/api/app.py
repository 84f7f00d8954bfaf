"""The API as one application, made of ports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import cast

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response as StarletteResponse
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from cityos.api import description, errors, reference_page
from cityos.api.alert_follower import AlertFollower
from cityos.api.answers import Answers
from cityos.api.broadcast import Broadcast
from cityos.api.cap.routes import router as cap_router
from cityos.api.door import Door
from cityos.api.follower import Follower
from cityos.api.metrics import ApiMetrics
from cityos.api.present import Present
from cityos.api.readiness import Check
from cityos.api.stamps import Stamps
from cityos.api.strict_route import UnknownParameters
from cityos.api.tenants import Tenants
from cityos.api.v1.events import Events
from cityos.api.v1.routes import (
    administration,
    alerts,
    entities,
    history,
    latest,
    live,
    proposals,
    state,
)
from cityos.api.validation import parameter_problems
from cityos.api.visit import REQUEST_ID_KEY, City, visit_of
from cityos.domain.entity import Tenant
from cityos.domain.proposal import Issuer
from cityos.errors import CityOSError
from cityos.ports import (
    AlertNews,
    CityReader,
    Clock,
    KeyRing,
    LiveBus,
    OrderBook,
    RateLimiter,
)

MOST_BODY_BYTES = 64 * 1024
"""No request of /v1 has more to say; uploads will have a limit of their own."""


def create_app(
    *,
    reader: CityReader,
    orders: OrderBook,
    keys: KeyRing,
    limiter: RateLimiter,
    clock: Clock,
    default_tenant: str,
    issuer_of: Callable[[str], Issuer],
    bus: LiveBus | None = None,
    alert_news: AlertNews | None = None,
    checks: Sequence[Check] = (),
    pages: Sequence[APIRouter] = (),
    registry: CollectorRegistry | None = None,
    public_url: str = "",
    most_live_clients: int = 500,
) -> CityApi:
    """Return the API of a city, ready to be served.

    ``issuer_of`` tells who signs the orders of a tenant. ``bus`` and ``alert_news`` make it
    fast; without them the store is polled. ``pages`` are routers of other doors (the first page,
    static files), which stay out of the API's document. ``registry`` is what ``/metrics`` shows.
    """
    metrics = ApiMetrics(registry or CollectorRegistry())
    present, stamps = Present(), Stamps()
    broadcast = Broadcast(most_clients=most_live_clients, writer=Events(), metrics=metrics)
    follower = Follower(
        reader=reader,
        bus=bus,
        present=present,
        stamps=stamps,
        tell=broadcast.tell_latest,
        clock=clock,
        metrics=metrics,
    )
    city = City(
        reader=reader,
        orders=orders,
        keys=keys,
        clock=clock,
        issuer_of=issuer_of,
        tenants=Tenants(reader, clock),
        present=present,
        stamps=stamps,
        answers=Answers(stamps),
        follower=follower,
        broadcast=broadcast,
        metrics=metrics,
    )
    alert_follower = AlertFollower(
        orders=orders, news=alert_news, broadcast=broadcast, clock=clock
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        broadcast.open()
        follower.start()
        alert_follower.start()
        try:
            yield
        finally:
            broadcast.close()
            follower.close()
            alert_follower.close()

    inner = _application(
        orders,
        checks=checks,
        pages=pages,
        metrics=metrics,
        public_url=public_url,
        lifespan=lifespan,
    )
    door = Door(inner, city=city, limiter=limiter, default_tenant=default_tenant)
    return CityApi(door, broadcast)


class CityApi:
    """The application as a server runs it. Its threads live as long as its lifespan."""

    def __init__(self, door: Door, broadcast: Broadcast) -> None:
        self._door = door
        self._broadcast = broadcast

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._door(scope, receive, send)

    def let_go(self) -> None:
        """End the live streams, so that the server can stop without waiting for them."""
        self._broadcast.close_soon()


def bare_application() -> FastAPI:
    """Return the routes with nothing behind them: enough to describe them, not to serve."""
    nothing = cast("OrderBook", None)
    return _application(nothing, checks=(), pages=(), metrics=ApiMetrics(CollectorRegistry()))


def _application(
    orders: OrderBook,
    *,
    checks: Sequence[Check],
    pages: Sequence[APIRouter],
    metrics: ApiMetrics,
    public_url: str = "",
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """Return the routes, without the door in front of them."""
    app = FastAPI(
        **description.HEAD,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        max_body_size=MOST_BODY_BYTES,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.add_exception_handler(CityOSError, _on_city_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(StarletteHTTPException, _on_status)
    app.add_exception_handler(Exception, _on_unexpected)
    routes: list[BaseRoute] = app.router.routes
    for each in (latest, history, entities, alerts, proposals, administration, live):
        routes += each.router.routes
    routes += state.router(checks, _version()).routes
    routes += cap_router(orders, _tenant_of, public_url=public_url).routes
    entities.add_last(app.router)
    alerts.add_last(app.router)
    routes += reference_page.router(app).routes
    app.add_api_route("/metrics", _metrics_route(metrics), include_in_schema=False)
    for page in pages:
        app.include_router(page, include_in_schema=False)
    return app


def _version() -> str:
    try:
        return version("cityos")
    except PackageNotFoundError:
        return "0+checkout"


def _tenant_of(request: Request) -> Tenant:
    return visit_of(request).tenant


def _metrics_route(metrics: ApiMetrics) -> Callable[[], Response]:
    def show_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return show_metrics


# --- errors -------------------------------------------------------------------------------------


def _respond(request: Request, problem: errors.Problem) -> StarletteResponse:
    body = problem.body(
        instance=request.scope["path"], request_id=request.scope.get(REQUEST_ID_KEY, "")
    )
    headers = {"Cache-Control": "no-store", **problem.headers}
    return StarletteResponse(body, problem.status, headers, errors.MEDIA_TYPE)


async def _on_city_error(request: Request, error: Exception) -> StarletteResponse:
    if isinstance(error, UnknownParameters):
        return _respond(request, errors.invalid(error.problems))
    if isinstance(error, CityOSError):
        where = "query" if request.method == "GET" else "body"
        return _respond(request, errors.problem_of(error, where=where))
    return _respond(request, errors.unexpected())


async def _on_invalid(request: Request, error: Exception) -> StarletteResponse:
    given = error.errors() if isinstance(error, RequestValidationError) else []
    return _respond(request, errors.invalid(parameter_problems(given)))


async def _on_status(request: Request, error: Exception) -> StarletteResponse:
    if isinstance(error, StarletteHTTPException):
        headers = dict(error.headers or {})
        return _respond(request, errors.of_status(error.status_code, headers=headers))
    return _respond(request, errors.unexpected())


async def _on_unexpected(request: Request, _error: Exception) -> StarletteResponse:
    return _respond(request, errors.unexpected())
