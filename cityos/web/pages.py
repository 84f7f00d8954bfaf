"""The first page at ``/`` and the files it is made of.

The page is plain ES modules: nothing is bundled, and nothing is loaded from another origin, so it
works in a town hall without internet. It reads the same open API as everybody else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.types import Scope

from cityos.domain.entity import Tenant
from cityos.errors import CityOSError, SetupFailed

_HERE: Final = Path(__file__).parent
_STATIC: Final = _HERE / "static"

IMPORT_MAP: Final = {
    "imports": {
        "maplibre-gl": "/static/vendor/maplibre-gl/dist/maplibre-gl.mjs",
        "uplot": "/static/vendor/uplot/dist/uPlot.esm.js",
    }
}

_TILE_PLACEHOLDERS: Final = ("{z}", "{x}", "{y}")
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageConfig:
    """What an operator can set about the page.

    ``tile_url`` is a raster tile template with ``{z}``, ``{x}`` and ``{y}``; empty: the map is
    drawn from the city's own entities alone. ``tile_attribution`` is what their owner asks to
    have shown. A reading older than ``stale_after_s`` is shown as out of date.

    Raises:
        SetupFailed: ``tile_url`` is not an http(s) template of that form.
    """

    tile_url: str = ""
    tile_attribution: str = ""
    stale_after_s: int = 1800

    def __post_init__(self) -> None:
        if self.tile_url:
            _tile_origin(self.tile_url)


def router(config: PageConfig, tenant_id: str, find: Callable[[str], Tenant]) -> APIRouter:
    """Return ``GET /`` and, under ``/static``, the modules, styles and vendor files.

    The page speaks for the city ``tenant_id`` alone. ``find`` is asked for it at each request;
    while it cannot answer (any ``CityOSError``), the page still comes, with the answer of last
    time.
    """
    import_map = json.dumps(IMPORT_MAP, indent=2)
    page = _Page(config, tenant_id, find, import_map)
    headers = {
        "Content-Security-Policy": content_security_policy(config, import_map),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Permissions-Policy": "geolocation=(self), camera=(), microphone=()",
        "Cache-Control": "no-cache",
    }
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def first_page(request: Request) -> Response:
        body = page.render()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        own = {**headers, "ETag": etag}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=own)
        return Response(body, media_type="text/html", headers=own)

    routes.mount("/static", _StaticFiles(directory=_STATIC))
    return routes


def content_security_policy(config: PageConfig, import_map: str) -> str:
    """Return the policy (CSP Level 3): this origin, and the tile server's if one is set.

    The import map has to be inline, so it is allowed by its hash. Map icons are drawn on a canvas
    and handed on as ``blob:`` and ``data:`` images.
    """
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    tiles = f" {_tile_origin(config.tile_url)}" if config.tile_url else ""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            "style-src 'self'",
            f"img-src 'self' data: blob:{tiles}",
            f"connect-src 'self'{tiles}",
            "worker-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


class _Page:
    """The template with the operator's settings and the city's name, sources and occasion."""

    def __init__(
        self,
        config: PageConfig,
        tenant_id: str,
        find: Callable[[str], Tenant],
        import_map: str,
    ) -> None:
        environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
        )
        self._template = environment.get_template("first_page.html")
        self._config = config
        self._tenant_id = tenant_id
        self._find = find
        self._import_map = import_map
        self._city: Mapping[str, Any] = {
            "name": {"en": "", "ja": ""},
            "practice": False,
            "sources": [],
            "time_lapse": 1,
        }

    def render(self) -> bytes:
        with suppress(CityOSError):  # a page that says "no connection" serves better than none
            self._city = _facts(self._find(self._tenant_id))
        settings = {
            "city": {"id": self._tenant_id, **self._city},
            "stale_after_s": self._config.stale_after_s,
            "tile_attribution": self._config.tile_attribution,
            "tile_url": self._config.tile_url,
        }
        page = self._template.render(import_map=self._import_map, settings=settings)
        return page.encode()


def _facts(tenant: Tenant) -> Mapping[str, Any]:
    return {
        "name": {"en": tenant.name.en, "ja": tenant.name.ja},
        "practice": tenant.practice,
        "sources": tenant.attributes.get("sources", []),
        "time_lapse": tenant.attributes.get("time_lapse", 1),
    }


def _tile_origin(tile_url: str) -> str:
    parts = urlsplit(tile_url)
    origin = f"{parts.scheme}://{parts.netloc}"
    # The origin goes into a response header: only what an origin can hold may get there.
    if not _ORIGIN.fullmatch(origin) or any(p not in tile_url for p in _TILE_PLACEHOLDERS):
        message = (
            f"the tile URL {tile_url!r} must look like "
            "https://tiles.example.jp/{z}/{x}/{y}.png"
        )
        raise SetupFailed(message)
    return origin


class _StaticFiles(StaticFiles):
    """Files that a browser asks about again each time: an upgrade must not mix two versions."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
