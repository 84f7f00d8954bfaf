"""What the API refuses: who may do what, whose data it is, how much, and what makes no sense."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityos.errors import Unavailable
from cityos.identity.quotas import Quota
from cityos.ports import DeadLetter, IngestBatch
from cityos.storage.reader import PostgresCityReader
from cityos.testing import builders as a
from tests.api_town import ROLES, Town, api_town

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SETO = a.gauge("seto").id
CANARY = "canary-8d1f"


@pytest.fixture(scope="module")
def town(module_database_url: str) -> Iterator[Town]:
    with api_town(module_database_url) as town:
        town.put(a.gauge("seto"))
        town.store(SETO, [(NOW, 1.0)])
        yield town


def problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["status"] == status
    assert found["type"].startswith("urn:cityos:problem:")
    assert found["request_id"] == response.headers["x-request-id"]
    assert found["title"]
    assert found["detail"]
    return found


# --- who may do what ----------------------------------------------------------------------------

OPEN = (
    "/v1/entities",
    f"/v1/entities/{SETO}",
    f"/v1/entities/{SETO}/latest",
    f"/v1/entities/{SETO}/history/water_level",
    "/v1/latest",
    "/v1/observed-properties",
    "/v1/evacuation-sites",
    "/v1/alerts",
    "/v1/alerts.atom",
    "/v1/health",
    "/v1/ready",
    "/metrics",
)
DECIDE = {"official", "admin"}
ADMIN = {"admin"}
MATRIX: list[tuple[str, str, set[str], dict[str, str] | None, int]] = [
    ("GET", "/v1/proposals", DECIDE, None, 200),
    ("GET", "/v1/proposals/none", DECIDE, None, 404),
    ("POST", "/v1/proposals/none/approve", DECIDE, {}, 404),
    ("POST", "/v1/proposals/none/reject", DECIDE, {"note": "n"}, 404),
    ("POST", "/v1/proposals/none/reassess", DECIDE, {"reason": "r"}, 404),
    ("POST", "/v1/alerts/none/cancel", DECIDE, {"reason": "r"}, 404),
    ("POST", "/v1/exercises/none/end", DECIDE, {}, 404),
    ("GET", "/v1/keys", ADMIN, None, 200),
    ("POST", "/v1/keys", ADMIN, {"name": "n", "role": "reader"}, 201),
    ("DELETE", "/v1/keys/none", ADMIN, None, 404),
    ("GET", "/v1/dead-letters", ADMIN, None, 200),
]


@pytest.mark.parametrize("role", ["", *ROLES])
def test_everybody_may_read_what_is_open(town: Town, role: str) -> None:
    for path in OPEN:
        assert town.get(path, role).status_code == 200, path


@pytest.mark.parametrize("role", ["", *ROLES])
@pytest.mark.parametrize(("method", "path", "allowed", "body", "status"), MATRIX)
def test_routes_and_roles(
    town: Town,
    role: str,
    method: str,
    path: str,
    allowed: set[str],
    body: dict[str, str] | None,
    status: int,
) -> None:
    response = town.client.request(method, path, headers=town.headers(role, {}), json=body)
    expected = 401 if not role else status if role in allowed else 403
    assert response.status_code == expected, response.text
    assert response.headers["cache-control"] == "no-store"


def test_the_matrix_knows_every_route(town: Town) -> None:
    """A route that is added must be put into one of the two lists."""
    paths = town.get("/openapi.json").json()["paths"]
    described = {
        (
            method.upper(),
            path.replace("{entity_id}", SETO).replace("{observed_property}", "water_level"),
        )
        for path, operations in paths.items()
        for method in operations
    }
    known = {("GET", path) for path in OPEN}
    known |= {(method, path) for method, path, *_ in MATRIX}
    known |= {("GET", "/v1/live"), ("GET", "/v1/alerts/{identifier}")}
    known |= {("GET", "/v1/alerts/{identifier}.cap")}
    written = {
        (method, re.sub(r"\{(proposal_id|key_id|run)\}|\{identifier\}(?=/)", "none", path))
        for method, path in described
    }
    assert written <= known


def test_a_bad_key_is_refused_even_where_none_is_needed(town: Town) -> None:
    for header in ("Bearer ck_nonsense", "Bearer", "Basic YTpi", "nonsense"):
        response = town.client.get("/v1/entities", headers={"Authorization": header})
        problem(response, 401)
        assert response.headers["www-authenticate"].startswith("Bearer")


def test_keys_are_made_shown_once_and_revoked(town: Town) -> None:
    wanted = {"name": "bus app", "role": "official"}
    made = town.client.post("/v1/keys", headers=town.headers("admin", {}), json=wanted).json()
    text = made.pop("key")
    assert text.startswith(f"ck_{made['id']}_")
    town.keys["fresh"] = text
    assert town.get("/v1/proposals", "fresh").status_code == 200
    listed = town.get("/v1/keys", "admin")
    assert made in listed.json()["items"]
    assert text not in listed.text
    revoked = town.client.delete(f"/v1/keys/{made['id']}", headers=town.headers("admin", {}))
    assert (revoked.status_code, revoked.content) == (204, b"")
    problem(town.get("/v1/proposals", "fresh"), 401)
    own = next(k["id"] for k in listed.json()["items"] if k["name"] == "the admin")
    problem(town.client.delete(f"/v1/keys/{own}", headers=town.headers("admin", {})), 409)


# --- whose data it is ---------------------------------------------------------------------------


def test_no_city_sees_another_citys_data(town: Town) -> None:
    theirs = a.entity(f"urn:ngsi-ld:Bus:drill:{CANARY}", "Bus", position=(138.3, 34.9), n=CANARY)
    town.put(theirs, tenant="drill")
    town.store(theirs.id, [(NOW, CANARY)], observed_property="status_text", tenant="drill")
    letter = DeadLetter(
        "drill", 99, NOW, CANARY, CANARY, CANARY, CANARY.encode(), "too_large", CANARY, "$", CANARY
    )
    town.writer.store(IngestBatch(dead_letters=[letter]))
    town.alerts.propose(a.assessment(CANARY, headline=a.name(CANARY)), tenant="drill")
    town.alerts.hear(a.alert(CANARY), tenant="drill")
    town.ring.issue("drill", name=CANARY, role="reader")
    paths = (
        "/v1/entities", f"/v1/entities/{quote(theirs.id)}", "/v1/latest",
        f"/v1/entities/{quote(theirs.id)}/latest", "/v1/alerts", "/v1/alerts.atom",
        f"/v1/entities/{quote(theirs.id)}/history/status_text", f"/v1/alerts/{CANARY}",
        f"/v1/alerts/{CANARY}.cap", f"/v1/latest?entity={quote(theirs.id)}", "/v1/proposals",
        "/v1/keys", "/v1/dead-letters", "/v1/evacuation-sites", "/v1/entities?near=138.3,34.9",
        "/v1/entities?bbox=-180,-90,180,90", "/v1/latest?bbox=-180,-90,180,90", "/metrics",
    )  # fmt: skip
    for path in paths:
        shown = town.get(path, "admin")
        # a problem repeats the path that was asked for, and nothing else of theirs
        body = shown.text.replace(f'"instance":"{path}"', "").replace(theirs.id, "")
        if shown.status_code == 404:
            body = body.replace(CANARY, "")
        assert CANARY not in body, path
    # and it is there for whoever asks for that city
    assert CANARY in town.get("/v1/latest", CityOS_Tenant="drill").text
    assert CANARY in town.get("/v1/entities", CityOS_Tenant="drill").text


def test_a_key_opens_its_own_city_only(town: Town) -> None:
    theirs = town.ring.issue("drill", name="theirs", role="admin")[1]
    town.keys["theirs"] = theirs
    refused = problem(town.get("/v1/keys", "theirs", CityOS_Tenant="town"), 403)
    assert refused["type"] == "urn:cityos:problem:another-city"
    problem(town.get("/v1/entities", "admin", CityOS_Tenant="drill"), 403)
    assert town.get("/v1/keys", "theirs").status_code == 200  # its own city needs no header
    assert "the admin" not in town.get("/v1/keys", "theirs").text


def test_answers_kept_for_one_city_are_not_given_to_another(town: Town) -> None:
    path = f"/v1/latest?entity={SETO}"
    for _ in range(3):
        assert len(town.get(path).json()["items"]) == 1
        assert town.get(path, CityOS_Tenant="drill").json()["items"] == []


@pytest.mark.parametrize("name", ["nowhere", "UPPER", "a b", "../x", "x" * 65])
def test_a_city_that_is_not_here(town: Town, name: str) -> None:
    problem(town.get("/v1/entities", CityOS_Tenant=name), 404)


# --- how much -----------------------------------------------------------------------------------


def test_quotas_are_told_and_kept(database_url: str) -> None:
    quotas = {"anonymous": Quota(5, 60), "reader": Quota(50, 60)}
    with api_town(database_url, quotas=quotas) as town:
        first = town.get("/v1/entities")
        assert first.headers["ratelimit-limit"] == "5"
        assert first.headers["ratelimit-remaining"] == "4"
        assert first.headers["ratelimit-policy"] == '"anonymous";q=5;w=60'
        assert first.headers["ratelimit"] == '"anonymous";r=4;t=12'
        for _ in range(4):
            assert town.get("/v1/entities").status_code == 200
        refused = town.get("/v1/entities")
        assert "12 s" in problem(refused, 429)["detail"]
        assert refused.headers["retry-after"] == "12"
        assert refused.headers["ratelimit-remaining"] == "0"
        assert town.get("/v1/entities", "reader").headers["ratelimit-remaining"] == "49"
        for path in ("/v1/health", "/v1/ready", "/metrics"):
            assert town.get(path).status_code == 200
        # whoever guesses keys is stopped, and those who read are not
        forged = {"Authorization": "Bearer ck_nonsense"}
        guesses = [town.client.get("/v1/entities", headers=forged).status_code for _ in range(6)]
        assert guesses == [401] * 4 + [429] * 2
        assert town.get("/v1/entities", "reader").status_code == 200


def test_bodies_have_an_end(town: Town) -> None:
    large = {"name": "x" * 100_000}
    response = town.client.post("/v1/keys", headers=town.headers("admin", {}), json=large)
    problem(response, 413)


# --- what makes no sense ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "parameter", "hint"),
    [
        ("/v1/entities?limti=1", "limti", "did you mean limit?"),
        ("/v1/entities?zzz=1", "zzz", "bbox, cursor, limit, near, radius_m, type"),
        ("/v1/observed-properties?a=1", "a", "no parameters"),
        (f"/v1/entities/{SETO}?a=1", "a", "no parameters"),
        ("/v1/alerts/urn:cityos:town:1?a=1", "a", "no parameters"),
        ("/v1/entities?limit=0", "limit", "at least 1"),
        ("/v1/entities?limit=1001", "limit", "at most 1000"),
        ("/v1/entities?limit=x", "limit", "whole number"),
        ("/v1/entities?bbox=1,2,3", "bbox", "west,south,east,north"),
        ("/v1/entities?bbox=1,2,3,nan", "bbox", "four numbers"),
        ("/v1/entities?bbox=0,9,1,8", "bbox", "south above"),
        ("/v1/entities?near=34.9,138.3", "near", "longitude comes first"),
        ("/v1/entities?radius_m=5", "radius_m", "needs near"),
        ("/v1/entities?near=1,2&radius_m=-1", "radius_m", "more than 0"),
        ("/v1/entities?cursor=nonsense", "cursor", "as it is"),
        ("/v1/evacuation-sites?hazard=fire", "hazard", "large_fire"),
        ("/v1/alerts?status=Test", "status", "'Actual' or 'Exercise'"),
        (f"/v1/entities/{SETO}/history/water_level?since=yesterday", "since", "such as 2026"),
        (f"/v1/entities/{SETO}/history/water_level?since=2026-11-22T00:00:00", "since", "Z for"),
        (
            f"/v1/entities/{SETO}/history/water_level?until=2026-11-22T09:00:00+09:00",
            "until",
            "%2B",
        ),
        (f"/v1/entities/{SETO}/history/water_level?interval=1h", "interval", "PT1H"),
        (f"/v1/entities/{SETO}/history/water_level?aggregate=sum", "aggregate", "needs interval"),
        (f"/v1/entities/{SETO}/history/water_level?interval=PT1S", "interval", "at least"),
        (f"/v1/entities/{SETO}/history/water_level?interval=PT1H&cursor=x", "cursor", "one page"),
    ],
)
def test_a_refusal_says_what_where_and_how(
    town: Town, path: str, parameter: str, hint: str
) -> None:
    found = problem(town.get(path), 400)
    [error] = found["errors"]
    assert error["parameter"] == parameter
    assert error["where"] == "query"
    assert hint in f"{error['detail']} {error['hint']}"


def test_all_that_is_wrong_is_said_at_once(town: Town) -> None:
    found = problem(town.get("/v1/entities?limit=0&type=" + "x" * 101), 400)
    assert {error["parameter"] for error in found["errors"]} == {"limit", "type"}


@pytest.mark.parametrize(
    "content",
    [b"", b"not json", b"[]", b"{}", b'{"name": ""}', b'{"name": "n", "rule": "reader"}',
     b'{"name": "n", "role": "root"}', b'{"name": "a\\u0000b"}', b'{"name": "\\ud800"}',
     b'{"name": 5}', b"\xff\xfe"],
)  # fmt: skip
def test_bodies_that_make_no_sense(town: Town, content: bytes) -> None:
    headers = {**town.headers("admin", {}), "Content-Type": "application/json"}
    found = problem(town.client.post("/v1/keys", headers=headers, content=content), 400)
    said = json.dumps([found["detail"], *(found.get("errors") or [])])
    for of_a_library in ("rror", "Input", "valid", "unable", "decode"):
        assert of_a_library not in said
    for error in found.get("errors") or []:
        assert error["where"] == "body"
        assert not error["parameter"].isdigit()
        assert error["hint"] != "see /docs"


def test_methods_and_addresses_that_are_not_there(town: Town) -> None:
    wrong = town.client.put("/v1/entities")
    problem(wrong, 405)
    assert wrong.headers["allow"] == "GET"
    problem(town.get("/v1/nothing/here"), 404)
    problem(town.get("/v2/entities"), 404)


def test_a_fault_of_ours_tells_nothing_but_a_number(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"SELECT secret {CANARY}")

    monkeypatch.setattr(PostgresCityReader, "find_entities", broken)
    response = town.get("/v1/entities")
    found = problem(response, 500)
    assert CANARY not in response.text
    assert "SELECT" not in response.text
    assert found["request_id"]


def test_a_part_that_is_away_is_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(PostgresCityReader, "find_entities", away)
    response = town.get("/v1/entities")
    problem(response, 503)
    assert response.headers["retry-after"] == "5"


PATHS = st.sampled_from(
    [
        "/v1/entities",
        "/v1/latest",
        "/v1/evacuation-sites",
        "/v1/alerts",
        "/v1/alerts.atom",
        f"/v1/entities/{SETO}/history/water_level",
        f"/v1/entities/{SETO}/latest",
        "/v1/observed-properties",
        "/v1/proposals",
        "/v1/dead-letters",
    ]
)
NAMES = st.sampled_from(
    ["type", "bbox", "near", "radius_m", "limit", "cursor", "entity", "property", "dataset",
     "since", "until", "interval", "aggregate", "order", "hazard", "status", "run", "in_force",
     "ours", "before", "state", "x"]
)  # fmt: skip
PLAUSIBLE = st.sampled_from(
    ["1", "0", "-1", "1e999", "nan", "99999999999999999999", "138.3,34.9", "-180,-90,180,90",
     "2026-11-22T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "PT1H",
     "P366D", "PT1S", "average", "oldest_first", "flood", "true", "Actual", "urn:x:y", "%", "'",
     "\x00", "\ud800", "İ", "WyJ0IiwiMjAyNi0xMS0yMlQwMTo1MDowOS45MDkxNzlaIl0", "W10", "WyJlIiwxXQ",
     "WyJuIiw5OTk5OTk5OTk5OTk5OTk5OTk5XQ", "WyJlIiwiXHUwMDAwIl0"]
)  # fmt: skip


@given(
    path=PATHS,
    query=st.lists(st.tuples(NAMES, st.one_of(PLAUSIBLE, st.text(max_size=30))), max_size=4),
    accept=st.sampled_from(
        ["", "text/csv", "application/geo+json", "*/*;q=x", ",;,", "text/html"]
    ),
)
@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_query_string_is_a_fault_of_ours(
    town: Town, path: str, query: list[tuple[str, str]], accept: str
) -> None:
    written = "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in query)
    response = town.get(f"{path}?{written}", "admin", Accept=accept)
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        problem(response, response.status_code)
    elif "json" in response.headers["content-type"]:
        json.loads(response.content)


@given(st.binary(max_size=40), st.sampled_from(["", "/latest", "/history/water_level", ".cap"]))
@settings(max_examples=150, deadline=None)
def test_no_path_is_a_fault_of_ours(town: Town, raw: bytes, rest: str) -> None:
    for base in ("/v1/entities/", "/v1/alerts/"):
        response = town.get(f"{base}{quote(raw)}{rest}")
        assert response.status_code < 500, response.text
