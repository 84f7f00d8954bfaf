"""The CAP door over a real order book: feed and documents as another system gets them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from lxml import etree

from cityos.api.cap.mapping import cap_document
from cityos.api.cap.routes import PAGE, router
from cityos.api.errors import problem_of
from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Name, Tenant
from cityos.domain.occasion import Actual, Exercise
from cityos.errors import CityOSError
from cityos.testing import builders as a
from tests.alert_path import AlertPath

SINCE = a.NOON - timedelta(days=3)
ATOM = "{http://www.w3.org/2005/Atom}"


def client(city: AlertPath, public_url: str = "") -> TestClient:
    app = FastAPI()
    app.include_router(router(city.orders, tenant_of, public_url=public_url))

    def answer(_request: Request, error: Exception) -> Response:
        assert isinstance(error, CityOSError)
        return Response(status_code=problem_of(error).status)

    app.add_exception_handler(CityOSError, answer)
    return TestClient(app)


def tenant_of(request: Request) -> Tenant:
    name = request.headers.get("CityOS-Tenant", "town")
    return Tenant(id=name, name=Name(name, name), created_at=SINCE)


def entries(body: bytes) -> list[str]:
    return [
        entry.findtext(f"{ATOM}id") or "" for entry in etree.fromstring(body).iter(f"{ATOM}entry")
    ]


def link(body: bytes, relation: str) -> str:
    found: Any = etree.fromstring(body).find(f"{ATOM}link[@rel='{relation}']")
    return "" if found is None else found.get("href")


def test_the_feed_leads_to_the_documents(city: AlertPath) -> None:
    chain = [city.issue(level) for level in (AlertLevel.EVACUATE, AlertLevel.NONE)]
    web = client(city)
    feed = web.get("/v1/alerts.atom")
    assert feed.headers["content-type"] == "application/atom+xml"
    assert entries(feed.content) == [alert.identifier for alert in reversed(chain)]
    entry = next(etree.fromstring(feed.content).iter(f"{ATOM}entry"))
    href: Any = entry.find(f"{ATOM}link").get("href")  # type: ignore[union-attr]
    document = web.get(urlsplit(href).path)
    assert document.headers["content-type"] == "application/cap+xml"
    assert document.content == cap_document(chain[-1])


def test_exercises_have_to_be_asked_for(city: AlertPath) -> None:
    real, drill = city.issue(), city.issue(occasion=Exercise("drill"))
    web = client(city)
    assert entries(web.get("/v1/alerts.atom").content) == [real.identifier]
    exercises = web.get("/v1/alerts.atom", params={"status": "Exercise"}).content
    assert entries(exercises) == [drill.identifier]
    assert "EXERCISE" in (etree.fromstring(exercises).findtext(f"{ATOM}title") or "")


@pytest.mark.parametrize("status", ["Test", "actual", ""])
def test_an_unknown_status_is_refused(city: AlertPath, status: str) -> None:
    assert client(city).get("/v1/alerts.atom", params={"status": status}).status_code == 422


def test_the_feed_is_of_this_city_alone(city: AlertPath) -> None:
    city.hear(a.alert("jma-1"))
    ours = city.issue()
    web = client(city)
    assert entries(web.get("/v1/alerts.atom").content) == [ours.identifier]
    assert web.get("/v1/alerts/jma-1.cap").content == cap_document(a.alert("jma-1"))
    other = {"CityOS-Tenant": "village"}
    assert entries(web.get("/v1/alerts.atom", headers=other).content) == []
    assert web.get(f"/v1/alerts/{ours.identifier}.cap", headers=other).status_code == 404


def test_the_document_of_a_replayed_telegram_is_not_that_of_the_real_one(city: AlertPath) -> None:
    telegram = a.bulletin("jma-1", references=(a.alert("jma-0").reference,))
    real, replayed = telegram.on(Actual()), telegram.on(Exercise("drill"))
    city.hear(replayed)
    web = client(city)
    assert web.get("/v1/alerts/jma-1.cap").status_code == 404
    city.hear(real)
    for alert in (real, replayed):
        found = web.get(f"/v1/alerts/{alert.identifier}.cap")
        assert found.content == cap_document(alert)
        assert found.headers["cache-control"] == "no-cache"


def test_what_the_caller_has_is_not_sent_again(city: AlertPath) -> None:
    first = city.issue()
    web = client(city)
    for path in ("/v1/alerts.atom", f"/v1/alerts/{first.identifier}.cap"):
        whole = web.get(path)
        assert whole.headers["last-modified"] == "Tue, 01 Sep 2026 12:00:01 GMT"
        for known in (whole.headers["etag"], f'"x", W/{whole.headers["etag"]}', "*"):
            again = web.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == whole.headers["etag"]
        assert web.get(path, headers={"If-None-Match": '"x"'}).status_code == 200
        assert web.head(path).headers["etag"] == whole.headers["etag"]
    tag = web.get("/v1/alerts.atom").headers["etag"]
    city.issue()
    news = web.get("/v1/alerts.atom", headers={"If-None-Match": tag})
    assert len(entries(news.content)) == 2


def test_a_feed_without_alerts_is_as_old_as_the_city(city: AlertPath) -> None:
    web = client(city)
    empty = web.get("/v1/alerts.atom")
    updated = etree.fromstring(empty.content).findtext(f"{ATOM}updated")
    assert updated == "2026-08-29T12:00:00Z"
    assert empty.headers["last-modified"] == "Sat, 29 Aug 2026 12:00:00 GMT"
    city.clock.advance(3600)
    again = web.get("/v1/alerts.atom", headers={"If-None-Match": empty.headers["etag"]})
    assert again.status_code == 304
    city.issue()
    news = web.get("/v1/alerts.atom", headers={"If-None-Match": empty.headers["etag"]})
    assert etree.fromstring(news.content).findtext(f"{ATOM}updated") == "2026-09-01T13:00:01Z"


def test_older_alerts_are_reached_page_by_page(city: AlertPath) -> None:
    first = city.issue()
    city.execute(  # as many copies as a page and a half needs, all of the same instant
        """
        INSERT INTO alert (tenant_id, identifier, status, run, sender, sent, message_type, ours,
                           source, level, document)
        SELECT tenant_id, identifier || ':' || n, status, run, sender, sent, message_type, ours,
               source, level, document || jsonb_build_object('identifier', identifier || ':' || n)
        FROM alert, generate_series(1, %s) n
        """,
        PAGE + 50,
    )
    web = client(city)
    url, found, pages = "/v1/alerts.atom", [], 0
    while url:
        body = web.get(url).content
        found += entries(body)
        url, pages = link(body, "next"), pages + 1
    assert pages == 2
    assert len(found) == len(set(found)) == PAGE + 51
    assert first.identifier in found


@pytest.mark.parametrize("before", ["x", "2026-09-01T12:00:00,id", ",", "2026-09-01T12:00:00Z,"])
def test_a_cursor_that_is_none_is_refused(city: AlertPath, before: str) -> None:
    assert client(city).get("/v1/alerts.atom", params={"before": before}).status_code == 400


@pytest.mark.parametrize("identifier", ["nothing", "%00", "a%20b"])
def test_a_document_that_does_not_exist_is_not_found(city: AlertPath, identifier: str) -> None:
    assert client(city).get(f"/v1/alerts/{identifier}.cap").status_code == 404


def test_links_start_where_the_world_finds_the_server(city: AlertPath) -> None:
    city.issue()
    feed = client(city, "https://city.example.jp/").get("/v1/alerts.atom").content
    assert link(feed, "self") == "https://city.example.jp/v1/alerts.atom?status=Actual"
    assert b"https://city.example.jp/v1/alerts/urn:cityos:town:" in feed


def test_the_door_is_described(city: AlertPath) -> None:
    paths = client(city).get("/openapi.json").json()["paths"]
    assert set(paths) == {"/v1/alerts.atom", "/v1/alerts/{identifier}.cap"}
    answer = paths["/v1/alerts.atom"]["get"]["responses"]["200"]
    assert set(answer["content"]) == {"application/atom+xml"}
