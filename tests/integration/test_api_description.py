"""The examples of the API's document run, and the answers are what it describes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from jsonschema import Draft202012Validator

from cityos.api import openapi
from cityos.clock import SystemClock
from cityos.domain.observation import Position
from cityos.domain.occasion import Exercise
from cityos.ports import DeadLetter, IngestBatch
from cityos.testing import builders as a
from tests.api_town import Town, api_town

ISHIWAKI = "urn:ngsi-ld:WaterLevelGauge:yaizu:ishiwaki"
DOCUMENT = openapi.document()


@pytest.fixture(scope="module")
def town(module_database_url: str) -> Iterator[Town]:
    now = SystemClock().now()
    with api_town(module_database_url) as town:
        town.put(
            a.gauge("ishiwaki", tenant="yaizu"),
            a.entity("urn:ngsi-ld:Bus:yaizu:1", "Bus", position=(138.3257, 34.8669)),
            a.entity("urn:ngsi-ld:EvacuationSite:yaizu:1", "EvacuationSite",
                     position=(138.3257, 34.8669), hazards=["flood"]),
        )  # fmt: skip
        town.store(ISHIWAKI, [(now - timedelta(hours=hour), 1.5) for hour in range(50)])
        moves = [(now, Position(138.3, 34.9))]
        town.store("urn:ngsi-ld:Bus:yaizu:1", moves, observed_property="position")
        letter = DeadLetter("town", 1, now, "v", "d", "t", b"x", "too_large", "w", "$", "h")
        town.writer.store(IngestBatch(dead_letters=[letter]))
        town.alerts.propose(a.assessment("flood/a"))
        drill = town.alerts.propose(a.assessment("flood/b"), occasion=Exercise("typhoon"))
        assert drill is not None
        town.alerts.approve(drill)
        town.alerts.hear(a.alert("jma-1", references=(a.alert("jma-0").reference,)))
        yield town


def example(parameter: dict[str, Any]) -> str | None:
    schema = parameter.get("schema", {})
    found = parameter.get("examples") or schema.get("examples") or []
    for choice in schema.get("anyOf", []):
        found = found or choice.get("examples", [])
    values = list(found.values()) if isinstance(found, dict) else found
    first = values[0] if values else schema.get("default")
    return first["value"] if isinstance(first, dict) else first


def reads() -> Iterator[tuple[str, str]]:
    """Every GET with all examples of its parameters, one query parameter at a time."""
    known = {"identifier": "jma-1", "proposal_id": ""}
    for path, methods in DOCUMENT["paths"].items():
        if "get" not in methods or path in ("/v1/live", "/v1/proposals/{proposal_id}"):
            continue
        parameters = methods["get"].get("parameters", [])
        filled = path
        for each in parameters:
            if each["in"] == "path":
                value = known.get(each["name"]) or example(each)
                assert value, f"{path}: {each['name']} has no example"
                filled = filled.replace(f"{{{each['name']}}}", quote(value, safe=""))
        yield path, filled
        for each in parameters:
            value = example(each)
            if each["in"] == "query" and value is not None:
                query = {each["name"]: value}
                if each["name"] == "aggregate":
                    query["interval"] = "PT1H"
                if each["name"] == "radius_m":
                    query["near"] = "138.3257,34.8669"
                yield path, f"{filled}?{urlencode(query)}"


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


@pytest.mark.parametrize(("path", "url"), list(reads()))
def test_an_example_runs_and_answers_as_described(town: Town, path: str, url: str) -> None:
    response = town.get(url, "admin")
    assert response.status_code == 200, response.text
    described = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]
    media_type = response.headers["content-type"].partition(";")[0]
    assert media_type in described
    if media_type == "application/json":
        validator(described[media_type]["schema"]).validate(response.json())


def test_lists_were_not_empty_when_they_were_validated(town: Town) -> None:
    """An empty list fits any description."""
    for path in (
        "/v1/entities", "/v1/latest", "/v1/evacuation-sites?hazard=flood", "/v1/proposals",
        "/v1/alerts", "/v1/alerts?status=Exercise", "/v1/keys", "/v1/dead-letters",
        f"/v1/entities/{ISHIWAKI}/history/water_level",
        f"/v1/entities/{ISHIWAKI}/history/water_level?interval=PT1H",
        f"/v1/entities/{ISHIWAKI}/latest",
    ):  # fmt: skip
        assert town.get(path, "admin").json()["items"], path


def test_a_problem_is_as_described(town: Town) -> None:
    schema = {"$ref": "#/components/schemas/Problem"}
    for path in ("/v1/entities?limit=0&x=1", "/v1/entities/none", "/v1/keys", "/v1/nothing"):
        validator(schema).validate(town.get(path).json())


def test_statuses_that_come_are_described(town: Town) -> None:
    get = DOCUMENT["paths"]["/v1/entities/{entity_id}"]["get"]
    assert {"200", "400", "401", "404", "429", "503"} <= set(get["responses"])
    assert town.get("/v1/entities/none").status_code == 404
