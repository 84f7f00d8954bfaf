"""``GET /`` and ``/static``: headers, settings, and what happens while the city is away."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from cityos.domain.entity import Name, Tenant
from cityos.errors import SetupFailed, Unavailable
from cityos.web.pages import PageConfig, router

YAIZU = Tenant(
    id="yaizu",
    name=Name("Yaizu", "焼津市"),
    practice=True,
    attributes={"sources": [{"title": "</script><b>", "publisher": "焼津市"}]},
)


def client(
    config: PageConfig | None = None, find: Callable[[str], Tenant] = lambda _: YAIZU
) -> TestClient:
    app = FastAPI()
    app.include_router(router(config or PageConfig(), "yaizu", find))
    return TestClient(app)


def settings_of(page: httpx2.Response) -> dict[str, Any]:
    found = re.search(r'id="settings">(.*?)</script>', page.text, re.DOTALL)
    assert found
    settings: dict[str, Any] = json.loads(found[1])
    return settings


def policy_of(page: httpx2.Response) -> dict[str, str]:
    directives = page.headers["content-security-policy"].split("; ")
    return dict(directive.partition(" ")[::2] for directive in directives)


def test_only_this_origin_is_allowed() -> None:
    policy = policy_of(client().get("/"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' data: blob:"
    assert policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in " ".join(policy.values())


def test_the_inline_import_map_is_allowed_by_its_own_digest() -> None:
    page = client().get("/")
    inline = re.search(r'<script type="importmap">(.*?)</script>', page.text, re.DOTALL)
    assert inline
    digest = base64.b64encode(hashlib.sha256(inline[1].encode()).digest()).decode()
    assert policy_of(page)["script-src"] == f"'self' 'sha256-{digest}'"


def test_a_tile_server_is_allowed_by_its_origin_alone() -> None:
    config = PageConfig(tile_url="https://tiles.example.jp:8443/x/{z}/{x}/{y}.png?key=1")
    page = client(config).get("/")
    assert policy_of(page)["connect-src"] == "'self' https://tiles.example.jp:8443"
    assert settings_of(page)["tile_url"] == config.tile_url


@pytest.mark.parametrize(
    "url",
    [
        "ftp://tiles.example.jp/{z}/{x}/{y}",
        "https://tiles.example.jp/{z}/{x}",
        "https://tiles.example.jp;script-src */{z}/{x}/{y}",
        "//tiles.example.jp/{z}/{x}/{y}",
        "https://u:p@tiles.example.jp/{z}/{x}/{y}",
    ],
)
def test_a_tile_url_that_is_none_is_refused_at_start(url: str) -> None:
    with pytest.raises(SetupFailed, match="must look like"):
        PageConfig(tile_url=url)


def test_settings_cannot_leave_their_element() -> None:
    page = client().get("/")
    assert "</script><b>" not in page.text
    assert settings_of(page)["city"]["sources"][0]["title"] == "</script><b>"


def test_the_page_knows_how_fast_a_rehearsed_river_runs() -> None:
    assert settings_of(client().get("/"))["city"]["time_lapse"] == 1
    hurried = replace(YAIZU, attributes={"time_lapse": 60.0})
    page = client(find=lambda _: hurried).get("/")
    assert settings_of(page)["city"]["time_lapse"] == 60


def test_the_page_comes_while_the_city_is_away_and_remembers_it() -> None:
    answers: list[Tenant | Exception] = [Unavailable(), YAIZU, Unavailable()]

    def find(_: str) -> Tenant:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    browser = client(find=find)
    shown = [settings_of(browser.get("/"))["city"] for _ in range(3)]
    assert [city["practice"] for city in shown] == [False, True, True]
    assert {city["id"] for city in shown} == {"yaizu"}  # whom it speaks for is never in doubt


def test_an_unchanged_page_is_not_sent_again() -> None:
    browser = client()
    etag = browser.get("/").headers["etag"]
    again = browser.get("/", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


def test_static_files_are_asked_about_each_time() -> None:
    answer = client().get("/static/js/main.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client().get("/static/../pages.py").status_code == 404
    assert client().get("/static/%2e%2e/pages.py").status_code == 404
