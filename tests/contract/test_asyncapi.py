"""``openapi/asyncapi.yaml`` is what the code says, is AsyncAPI 3.0, and its examples work."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from cityos.domain import topic
from cityos.domain.observed_property import PROPERTIES
from cityos.domain.occasion import Actual, Exercise
from cityos.domain.rejection import Reason
from cityos.errors import InvalidPlugin
from cityos.ingest.checks import checked_value
from cityos.ingest.feedback import feedback_message
from cityos.ingest.pipeline import LARGEST_PAYLOAD_BYTES
from cityos.messaging import asyncapi
from cityos.plugins.discovery import Plugins, discover, find
from cityos.ports import DeadLetter
from cityos.testing import builders as b
from cityos.testing import case_files
from cityos.testing.cases import cases_of

ROOT = Path(__file__).parents[2]
FILE = ROOT / "openapi" / "asyncapi.yaml"
PLUGINS = discover([ROOT / "adapters"], entry_points=False)
DOCUMENT: dict[str, Any] = asyncapi.document(asyncapi.payload_schema(PLUGINS))
MESSAGES = DOCUMENT["components"]["messages"]


def walk(part: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    yield key, part
    if isinstance(part, dict | list):
        for name, item in part.items() if isinstance(part, dict) else enumerate(part):
            yield from walk(item, str(name))


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def validator(message: str) -> Draft202012Validator:
    schema = {**MESSAGES[message]["payload"], "components": DOCUMENT["components"]}
    return Draft202012Validator(schema, format_checker=FormatChecker())


def test_the_committed_file_is_what_the_code_says() -> None:
    generated = asyncapi.render(asyncapi.payload_schema(PLUGINS))
    assert FILE.read_text(encoding="utf-8") == generated, "run `make openapi`"
    assert yaml.safe_load(generated) == DOCUMENT


# --- structure ----------------------------------------------------------------------------------


def test_it_has_what_asyncapi_3_requires() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= server.keys()
        placeholders = set(re.findall(r"{(\w+)}", server["host"]))
        assert placeholders == server["variables"].keys()
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert {"channel", "messages"} <= operation.keys()


def test_every_reference_leads_somewhere() -> None:
    references = [value for key, value in walk(DOCUMENT) if key == "$ref"]
    assert len(references) > 15
    for reference in references:
        assert isinstance(resolve(reference), dict), reference


def test_operations_use_messages_of_their_own_channel() -> None:
    for operation in DOCUMENT["operations"].values():
        channel = operation["channel"]["$ref"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/")


def test_parameters_are_those_of_the_address() -> None:
    for channel in DOCUMENT["channels"].values():
        names = re.findall(r"{(\w+)}", channel["address"])
        assert set(names) == channel["parameters"].keys()
        assert len(names) == len(set(names))


def test_addresses_are_the_topics_of_the_city() -> None:
    level = topic.situation("flood_watch", "flood/x")
    filled = {
        name: channel["address"].format(
            tenant="yaizu", vendor="demo", device="g1", run="r1", situation=level
        )
        for name, channel in DOCUMENT["channels"].items()
    }
    assert filled == {
        "observations": topic.observations("yaizu", "demo", "g1"),
        "rehearsedObservations": topic.observations("yaizu", "demo", "g1", "r1"),
        "errors": topic.errors("yaizu", "demo", "g1"),
        "alerts": topic.alert("yaizu", Actual(), "flood_watch", "flood/x"),
        "exerciseAlerts": topic.alert("yaizu", Exercise("r1"), "flood_watch", "flood/x"),
    }
    assert topic.read(filled["observations"]).run == ""
    assert topic.read(filled["rehearsedObservations"]).run == "r1"


def test_the_payload_limit_is_the_one_of_ingest() -> None:
    assert f"{LARGEST_PAYLOAD_BYTES // 1024} KiB at most" in DOCUMENT["info"]["description"]


# --- payloads -----------------------------------------------------------------------------------


def test_schemas_are_json_schemas() -> None:
    for message in ("readings", "refusal"):
        Draft202012Validator.check_schema(MESSAGES[message]["payload"])
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_property_of_the_closed_list_is_named_with_its_unit() -> None:
    field = DOCUMENT["components"]["schemas"]["Reading"]["properties"]["property"]
    assert set(field["enum"]) == set(PROPERTIES) == set(field["x-observed-properties"])
    assert field["x-observed-properties"]["water_level"] == {
        "kind": "number",
        "en": "Water level",
        "ja": "水位",
        "unit": "m",
        "minimum": -20,
        "maximum": 100,
    }
    assert "unit" not in field["x-observed-properties"]["position"]


@pytest.mark.parametrize("example", MESSAGES["readings"]["examples"], ids=lambda e: e["name"])
def test_examples_of_readings_are_read_by_the_real_adapter(example: dict[str, Any]) -> None:
    _, decoder = PLUGINS.decoders[asyncapi.DEFAULT_ADAPTER]
    payload = example["payload"]
    observations = list(decoder.decode(json.dumps(payload).encode(), b.receipt()))
    assert len(observations) == (len(payload) if isinstance(payload, list) else 1)
    for observation in observations:
        checked_value(observation, PROPERTIES[observation.observed_property])
    validator("readings").validate(payload)


def test_the_schema_lets_pass_what_the_decoder_reads() -> None:
    good = [
        case_files.payload(case.folder)
        for case in cases_of(find(ROOT / "adapters" / asyncapi.DEFAULT_ADAPTER))
        if (case.folder / case_files.EXPECTED).exists()
    ]
    assert len(good) > 5
    for payload in good:
        validator("readings").validate(json.loads(payload))


@pytest.mark.parametrize(
    "payload",
    [
        [],
        1.2,
        {"property": "water_level"},
        {"value": 1},
        {"property": "water_lvl", "value": 1},
        {"property": "water_level", "value": None},
        {"property": "water_level", "value": [1]},
        {"property": "water_level", "value": 1, "unti": "cm"},
        {"property": "water_level", "value": 1, "time": 5},
        {"property": "position", "value": {"longitude": 1}},
        [{"property": "water_level", "value": 1}] * 1001,
    ],
)
def test_the_schema_refuses_what_is_refused(payload: object) -> None:
    assert not validator("readings").is_valid(payload)


def test_a_refusal_looks_as_described() -> None:
    letter = DeadLetter(
        tenant="yaizu",
        raw_id=1 << 48 | 7,
        received_at=datetime(2026, 11, 22, 1, 2, 3, 456000, UTC),
        vendor="demo",
        device="g1",
        topic=topic.observations("yaizu", "demo", "g1"),
        payload=b'{"property": "water_level", \xff',
        reason=Reason.UNDECODABLE,
        detail="a text is not UTF-8",
        path="$",
        hint="",
    )
    sent = json.loads(feedback_message(letter))
    described = DOCUMENT["components"]["schemas"]["Feedback"]
    assert sent.keys() == described["properties"].keys()
    validator("refusal").validate(sent)


def test_the_example_of_a_refusal_is_one() -> None:
    for example in MESSAGES["refusal"]["examples"]:
        validator("refusal").validate(example["payload"])


def test_without_the_default_adapter_it_says_so() -> None:
    with pytest.raises(InvalidPlugin, match="'cityos_json' is not installed"):
        asyncapi.payload_schema(Plugins({}))
