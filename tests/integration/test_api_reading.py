"""Reading the city over HTTP: entities, newest values, history, in every representation."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from cityos.domain.observation import Position
from cityos.testing import builders as a
from tests.api_town import Town, api_town

START = datetime(2026, 11, 20, tzinfo=UTC)
SETO = "urn:ngsi-ld:WaterLevelGauge:town:seto"
KOYA = "urn:ngsi-ld:WaterLevelGauge:town:koya"
BUS = "urn:ngsi-ld:Bus:town:1"
AREA = "urn:ngsi-ld:Area:town:a/b"
SITES = ("urn:ngsi-ld:EvacuationSite:town:near", "urn:ngsi-ld:EvacuationSite:town:far")


@pytest.fixture(scope="module")
def town(module_database_url: str) -> Iterator[Town]:
    with api_town(module_database_url) as town:
        town.put(
            a.gauge("seto"),
            a.gauge("koya"),
            a.entity(BUS, "Bus"),
            a.entity(AREA, "Area"),
            a.entity(SITES[0], "EvacuationSite", position=(138.301, 34.9), hazards=["flood"]),
            a.entity(
                SITES[1], "EvacuationSite", position=(138.31, 34.9), hazards=["flood", "tsunami"]
            ),
        )
        town.store(SETO, [(START + timedelta(minutes=10 * i), i / 10) for i in range(150)])
        town.store(KOYA, [(START, 1.5)])
        town.store(KOYA, [(START, "=1+1"), (START - timedelta(hours=1), "停電")],
                   observed_property="status_text")  # fmt: skip
        moves = [(START + timedelta(minutes=i), Position(138.3 + i / 4, 34.9)) for i in range(3)]
        town.store(BUS, moves, observed_property="position")
        yield town


def items(town: Town, path: str, **headers: str) -> list[dict[str, Any]]:
    response = town.get(path, **headers)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


# --- entities -----------------------------------------------------------------------------------


def test_entities_by_type_and_place(town: Town) -> None:
    gauges = items(town, "/v1/entities?type=WaterLevelGauge")
    assert [gauge["id"] for gauge in gauges] == [KOYA, SETO]
    assert gauges[1] == {
        "id": SETO,
        "type": "WaterLevelGauge",
        "name": {"en": "seto", "ja": "seto"},
        "position": {"longitude": 138.3, "latitude": 34.9},
        "geometry": None,
        "attributes": dict(a.gauge("seto").attributes),
        "distance_m": None,
    }
    inside = items(town, "/v1/entities?bbox=138.305,34,139,35")
    assert [each["id"] for each in inside] == [SITES[1]]


def test_pages_go_on_where_the_one_before_ended(town: Town) -> None:
    whole = [each["id"] for each in items(town, "/v1/entities")]
    pages, path = [], "/v1/entities?limit=2"
    while path:
        response = town.get(path)
        page = response.json()
        pages.append([each["id"] for each in page["items"]])
        path = page["next"]
        link = response.headers.get("link")
        assert link == (f'<{path}>; rel="next"' if path else None)
    assert [each for page in pages for each in page] == whole
    assert [len(page) for page in pages] == [2, 2, 2]


def test_one_entity_even_with_a_slash_in_its_id(town: Town) -> None:
    assert town.get(f"/v1/entities/{SETO}").json()["id"] == SETO
    assert town.get(f"/v1/entities/{quote(AREA, safe='')}").json()["id"] == AREA
    assert town.get(f"/v1/entities/{AREA}/latest").json()["items"] == []
    missing = town.get("/v1/entities/urn:ngsi-ld:Bus:town:99")
    assert missing.status_code == 404
    assert town.get("/v1/entities/urn:ngsi-ld:Bus:town:99/latest").status_code == 404


def test_evacuation_sites_by_hazard_and_distance(town: Town) -> None:
    near = items(town, "/v1/evacuation-sites?hazard=flood&near=138.3,34.9&radius_m=2000")
    assert [site["id"] for site in near] == list(SITES)
    assert near[0]["distance_m"] == pytest.approx(91.2, abs=0.2)
    tsunami = items(town, "/v1/evacuation-sites?hazard=tsunami&near=138.3,34.9")
    assert [site["id"] for site in tsunami] == [SITES[1]]
    assert items(town, "/v1/evacuation-sites?hazard=snow") == []
    assert len(items(town, "/v1/evacuation-sites?near=138.3,34.9&radius_m=500")) == 1


def test_entities_as_geojson(town: Town) -> None:
    response = town.get("/v1/entities?type=WaterLevelGauge", Accept="application/geo+json")
    assert response.headers["content-type"] == "application/geo+json"
    collection = response.json()
    assert collection["type"] == "FeatureCollection"
    feature = collection["features"][1]
    assert feature["id"] == SETO
    assert feature["geometry"] == {"type": "Point", "coordinates": [138.3, 34.9]}
    assert feature["properties"]["danger_level_m"] == 4.0


def test_observed_properties_have_units(town: Town) -> None:
    listed = {each["name"]: each for each in items(town, "/v1/observed-properties")}
    assert listed["water_level"]["unit"] == "m"
    assert listed["water_level"]["label"] == {"en": "Water level", "ja": "水位"}
    assert listed["position"]["minimum"] is None


# --- newest values ------------------------------------------------------------------------------


def test_latest_of_one_and_of_many(town: Town) -> None:
    [level] = items(town, f"/v1/entities/{SETO}/latest")
    assert level["value"] == 14.9
    assert level["observed_at"] == "2026-11-21T00:50:00Z"
    assert level["quality"] == []
    assert items(town, f"/v1/latest?entity={SETO}&property=water_level") == [level]
    assert items(town, f"/v1/latest?entity={SETO}&property=co2") == []
    assert items(town, f"/v1/latest?entity={SETO}&type=Bus") == []
    everything = items(town, "/v1/latest")
    assert [each["entity"] for each in everything] == [BUS, KOYA, KOYA, SETO]
    assert everything[0]["value"] == {"longitude": 138.8, "latitude": 34.9}
    assert [each["entity"] for each in items(town, "/v1/latest?type=Bus")] == [BUS]
    assert items(town, "/v1/latest?property=water_level&bbox=0,0,1,1") == []


def test_latest_page_by_page(town: Town) -> None:
    got, path = [], "/v1/latest?limit=1"
    while path:
        page = town.get(path).json()
        got += page["items"]
        path = page["next"]
    assert got == items(town, "/v1/latest")


# --- history ------------------------------------------------------------------------------------


def test_last_hundred_then_the_rest(town: Town) -> None:
    first = town.get(f"/v1/entities/{SETO}/history/water_level").json()
    assert [each["value"] for each in first["items"]] == [i / 10 for i in range(149, 49, -1)]
    assert (first["unit"], first["entity"]) == ("m", SETO)
    second = town.get(first["next"]).json()
    assert [each["value"] for each in second["items"]] == [i / 10 for i in range(49, -1, -1)]
    assert second["next"] is None


def test_a_time_window_oldest_first(town: Town) -> None:
    path = f"/v1/entities/{SETO}/history/water_level?order=oldest_first&limit=1000"
    window = f"{path}&since=2026-11-20T09:10:00%2B09:00&until=2026-11-20T00:30:00Z"
    assert [each["value"] for each in items(town, window)] == [0.1, 0.2]


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [("average", 0.25), ("minimum", 0.0), ("maximum", 0.5), ("sum", 1.5), ("count", 6)],
)
def test_intervals(town: Town, aggregate: str, value: float) -> None:
    path = f"/v1/entities/{SETO}/history/water_level?interval=PT1H&aggregate={aggregate}"
    page = town.get(f"{path}&since=2026-11-20T00:20:00Z&until=2026-11-20T02:00:00Z").json()
    assert page["items"][0]["start"] == "2026-11-20T00:00:00Z"
    assert page["items"][0]["value"] == pytest.approx(value)
    assert page["items"][0]["count"] == 6
    assert len(page["items"]) == 2
    assert (page["interval"], page["aggregate"]) == ("PT1H", aggregate)
    assert page["unit"] == ("{count}" if aggregate == "count" else "m")


def test_history_as_csv_leaves_numbers_alone_and_formulas_dead(town: Town) -> None:
    numbers = town.get(f"/v1/entities/{SETO}/history/water_level?limit=2", Accept="text/csv")
    assert numbers.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'rel="next"' in numbers.headers["link"]
    rows = list(csv.DictReader(io.StringIO(numbers.text)))
    assert [row["value"] for row in rows] == ["14.9", "14.8"]
    assert rows[0]["observed_at"] == "2026-11-21T00:50:00Z"
    texts = town.get(f"/v1/entities/{KOYA}/history/status_text", Accept="text/csv")
    assert [row["value"] for row in csv.DictReader(io.StringIO(texts.text))] == ["'=1+1", "停電"]
    places = town.get(f"/v1/entities/{BUS}/history/position", Accept="text/csv")
    assert next(csv.DictReader(io.StringIO(places.text)))["longitude"] == "138.8"
    counted = town.get(
        f"/v1/entities/{SETO}/history/water_level?interval=PT1H&until=2026-11-20T02:00:00Z",
        Accept="text/csv",
    )
    assert next(csv.DictReader(io.StringIO(counted.text)))["average"] == "0.25"


def test_history_as_geojson_follows_what_moves(town: Town) -> None:
    path = f"/v1/entities/{BUS}/history/position?order=oldest_first"
    features = town.get(path, Accept="application/geo+json").json()["features"]
    assert [feature["geometry"]["coordinates"][0] for feature in features] == [
        138.3,
        138.55,
        138.8,
    ]
    assert "value" not in features[0]["properties"]
    fixed = town.get(f"/v1/entities/{KOYA}/history/water_level", Accept="application/geo+json")
    [feature] = fixed.json()["features"]
    assert feature["geometry"]["coordinates"] == [138.3, 34.9]
    assert feature["properties"]["value"] == 1.5


# --- how answers travel -------------------------------------------------------------------------


def test_an_unchanged_answer_is_not_sent_again(town: Town) -> None:
    for path in (f"/v1/entities/{SETO}/latest", f"/v1/entities/{SETO}", "/v1/entities"):
        first = town.get(path)
        etag = first.headers["etag"]
        again = town.get(path, If_None_Match=f'"other", W/{etag}')
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert "content-type" not in again.headers
        assert town.get(path, If_None_Match='"other"').status_code == 200


def test_head_is_get_without_the_body(town: Town) -> None:
    for path in (f"/v1/entities/{SETO}/latest", "/v1/health", "/v1/live", "/v1/alerts.atom"):
        response = town.client.head(path)
        assert (response.status_code, response.content) == (200, b"")
    length = town.client.head(f"/v1/entities/{SETO}").headers["content-length"]
    assert length == town.get(f"/v1/entities/{SETO}").headers["content-length"]


def test_a_trailing_slash_is_answered_without_a_detour(town: Town) -> None:
    for path in ("/v1/entities/", f"/v1/entities/{SETO}/", "/v1/health/", "/docs/"):
        response = town.client.get(path, follow_redirects=False)
        assert response.status_code == 200


def test_other_origins_may_read(town: Town) -> None:
    response = town.get("/v1/entities", Origin="https://app.example")
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    preflight = town.client.options(
        "/v1/entities", headers={"Access-Control-Request-Method": "GET", "Origin": "https://x"}
    )
    assert preflight.status_code == 204
    assert "GET" in preflight.headers["access-control-allow-methods"]
    assert "POST" not in preflight.headers["access-control-allow-methods"]
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()


def test_json_has_no_charset_and_nothing_is_sniffed(town: Town) -> None:
    response = town.get("/v1/entities")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-cache"
    assert "accept" in response.headers["vary"].lower()


def test_what_nobody_can_make_is_not_acceptable(town: Town) -> None:
    response = town.get(f"/v1/entities/{SETO}", Accept="application/pdf")
    assert response.status_code == 406
    assert "application/geo+json" in response.json()["detail"]


# --- state --------------------------------------------------------------------------------------


def test_health_and_readiness(town: Town) -> None:
    assert town.get("/v1/health").json()["status"] == "ok"
    ready = town.get("/v1/ready")
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ready",
        "checks": [{"name": "database", "state": "ok", "required": True, "detail": ""}],
    }


def test_metrics_name_routes_and_never_paths(town: Town) -> None:
    town.get(f"/v1/entities/{SETO}")
    town.get("/v1/no/such/thing")
    text = town.get("/metrics").text
    assert 'route="/v1/entities/{entity_id:path}",status="200"' in text
    assert 'route="unmatched",status="404"' in text
    assert "seto" not in text


def test_the_reference_page_needs_nothing_from_elsewhere(town: Town) -> None:
    page = town.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "'unsafe-inline'" not in page.headers["content-security-policy"].split("style-src")[0]
    assert town.get("/docs/start.js").headers["content-type"].startswith("text/javascript")
    document = town.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
