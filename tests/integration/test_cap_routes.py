"""The CAP door of a city: feed and documents as another system gets them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from lxml import etree

from cityos.api import openapi
from cityos.api.cap.mapping import cap_document
from cityos.api.cap.routes import PAGE
from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Actual, Exercise
from cityos.testing import builders as a
from tests.api_town import Town, api_town

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def town(database_url: str) -> Iterator[Town]:
    with api_town(database_url) as town:
        yield town


def entries(body: bytes) -> list[str]:
    return [
        entry.findtext(f"{ATOM}id") or "" for entry in etree.fromstring(body).iter(f"{ATOM}entry")
    ]


def link(body: bytes, relation: str) -> str:
    found: Any = etree.fromstring(body).find(f"{ATOM}link[@rel='{relation}']")
    return "" if found is None else found.get("href")


def test_the_feed_leads_to_the_documents(town: Town) -> None:
    chain = [town.alerts.issue(level) for level in (AlertLevel.EVACUATE, AlertLevel.NONE)]
    feed = town.get("/v1/alerts.atom")
    assert feed.headers["content-type"] == "application/atom+xml"
    assert entries(feed.content) == [alert.identifier for alert in reversed(chain)]
    entry = next(etree.fromstring(feed.content).iter(f"{ATOM}entry"))
    href: Any = entry.find(f"{ATOM}link").get("href")  # type: ignore[union-attr]
    document = town.get(urlsplit(href).path)
    assert document.headers["content-type"] == "application/cap+xml"
    assert document.content == cap_document(chain[-1])


def test_exercises_have_to_be_asked_for(town: Town) -> None:
    real, drill = town.alerts.issue(), town.alerts.issue(occasion=Exercise("drill"))
    assert entries(town.get("/v1/alerts.atom").content) == [real.identifier]
    exercises = town.get("/v1/alerts.atom?status=Exercise").content
    assert entries(exercises) == [drill.identifier]
    assert "EXERCISE" in (etree.fromstring(exercises).findtext(f"{ATOM}title") or "")


@pytest.mark.parametrize("status", ["Test", "actual", ""])
def test_an_unknown_status_is_refused(town: Town, status: str) -> None:
    assert town.get(f"/v1/alerts.atom?status={status}").status_code == 400


def test_the_feed_is_of_this_city_alone(town: Town) -> None:
    town.alerts.hear(a.alert("jma-1"))
    ours = town.alerts.issue()
    assert entries(town.get("/v1/alerts.atom").content) == [ours.identifier]
    assert town.get("/v1/alerts/jma-1.cap").content == cap_document(a.alert("jma-1"))
    assert entries(town.get("/v1/alerts.atom", CityOS_Tenant="drill").content) == []
    theirs = town.get(f"/v1/alerts/{ours.identifier}.cap", CityOS_Tenant="drill")
    assert theirs.status_code == 404


def test_the_document_of_a_replayed_telegram_is_not_that_of_the_real_one(town: Town) -> None:
    telegram = a.bulletin("jma-1", references=(a.alert("jma-0").reference,))
    real, replayed = telegram.on(Actual()), telegram.on(Exercise("drill"))
    town.alerts.hear(replayed)
    assert town.get("/v1/alerts/jma-1.cap").status_code == 404
    town.alerts.hear(real)
    for alert in (real, replayed):
        found = town.get(f"/v1/alerts/{alert.identifier}.cap")
        assert found.content == cap_document(alert)
        assert found.headers["cache-control"] == "no-cache"


def test_what_the_caller_has_is_not_sent_again(town: Town) -> None:
    first = town.alerts.issue()
    for path in ("/v1/alerts.atom", f"/v1/alerts/{first.identifier}.cap"):
        whole = town.get(path)
        assert whole.headers["last-modified"] == "Tue, 01 Sep 2026 12:00:01 GMT"
        for known in (whole.headers["etag"], f'"x", W/{whole.headers["etag"]}', "*"):
            again = town.get(path, If_None_Match=known)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == whole.headers["etag"]
        assert town.get(path, If_None_Match='"x"').status_code == 200
        assert town.client.head(path).headers["etag"] == whole.headers["etag"]
    tag = town.get("/v1/alerts.atom").headers["etag"]
    town.alerts.issue()
    news = town.get("/v1/alerts.atom", If_None_Match=tag)
    assert len(entries(news.content)) == 2


def test_a_feed_without_alerts_is_as_old_as_the_city(town: Town) -> None:
    town.alerts.execute("UPDATE tenant SET created_at = %s", a.NOON - timedelta(days=3))
    empty = town.get("/v1/alerts.atom")
    updated = etree.fromstring(empty.content).findtext(f"{ATOM}updated")
    assert updated == "2026-08-29T12:00:00Z"
    assert empty.headers["last-modified"] == "Sat, 29 Aug 2026 12:00:00 GMT"
    town.alerts.clock.advance(3600)
    again = town.get("/v1/alerts.atom", If_None_Match=empty.headers["etag"])
    assert again.status_code == 304
    town.alerts.issue()
    news = town.get("/v1/alerts.atom", If_None_Match=empty.headers["etag"])
    assert etree.fromstring(news.content).findtext(f"{ATOM}updated") == "2026-09-01T13:00:01Z"


def test_older_alerts_are_reached_page_by_page(town: Town) -> None:
    first = town.alerts.issue()
    town.alerts.execute(  # as many copies as a page and a half needs, all of the same instant
        """
        INSERT INTO alert (tenant_id, identifier, status, run, sender, sent, message_type, ours,
                           source, level, document)
        SELECT tenant_id, identifier || ':' || n, status, run, sender, sent, message_type, ours,
               source, level, document || jsonb_build_object('identifier', identifier || ':' || n)
        FROM alert, generate_series(1, %s) n
        """,
        PAGE + 50,
    )
    url, found, pages = "/v1/alerts.atom", [], 0
    while url:
        body = town.get(url).content
        found += entries(body)
        url, pages = link(body, "next"), pages + 1
    assert pages == 2
    assert len(found) == len(set(found)) == PAGE + 51
    assert first.identifier in found


@pytest.mark.parametrize("before", ["x", "2026-09-01T12:00:00,id", ",", "2026-09-01T12:00:00Z,"])
def test_a_cursor_that_is_none_is_refused(town: Town, before: str) -> None:
    assert town.get(f"/v1/alerts.atom?before={before}").status_code == 400


@pytest.mark.parametrize(
    ("identifier", "status"), [("nothing", 404), ("a%20b", 404), ("%00", 400)]
)
def test_a_document_that_does_not_exist_is_not_found(
    town: Town, identifier: str, status: int
) -> None:
    assert town.get(f"/v1/alerts/{identifier}.cap").status_code == status


def test_links_start_where_the_world_finds_the_server(database_url: str) -> None:
    with api_town(database_url, public_url="https://city.example.jp/") as town:
        town.alerts.issue()
        feed = town.get("/v1/alerts.atom").content
    assert link(feed, "self") == "https://city.example.jp/v1/alerts.atom?status=Actual"
    assert b"https://city.example.jp/v1/alerts/urn:cityos:town:" in feed


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/v1/alerts.atom", "application/atom+xml"),
        ("/v1/alerts/{identifier}.cap", "application/cap+xml"),
    ],
)
def test_the_door_is_described(path: str, media_type: str) -> None:
    answer = openapi.document()["paths"][path]["get"]["responses"]["200"]
    assert set(answer["content"]) == {media_type}
