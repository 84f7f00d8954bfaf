"""``openapi/asyncapi.yaml``: the MQTT interface of a city, in AsyncAPI 3.0.

Made from what runs: the topics of ``cityos.domain.topic``, the closed lists of properties and
reasons, and the payload schema that the default adapter offers. The adapter is found by discovery,
for the engine knows no plugin by import.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
import yaml

from cityos.domain import topic
from cityos.domain.observed_property import PROPERTIES, ObservedProperty, ValueKind
from cityos.domain.occasion import Actual, Exercise
from cityos.domain.rejection import Reason
from cityos.errors import InvalidPlugin
from cityos.plugins.discovery import Plugins

DEFAULT_ADAPTER: Final = "cityos_json"
VERSION: Final = "1.0.0"
"""Of the interface: it grows with every change that a device or a subscriber could notice."""

_HEADER: Final = """\
# Made from the code by `make openapi`; a test compares the two. Change the code, not this file.
"""
_SCHEMAS: Final = "#/components/schemas/"
_NAME_RULE: Final = "1 to 64 of a-z, 0-9, _ and -, a letter or digit first"
_QOS: Final = 1


class Feedback(msgspec.Struct):
    """Why a message, or one reading of it, was refused. At most ten a second for one device."""

    reason: Annotated[Reason, msgspec.Meta(description="A code to branch on.")]
    detail: Annotated[str, msgspec.Meta(description="What is wrong, for people.")]
    path: Annotated[
        str,
        msgspec.Meta(
            description="Where in the payload: $ is the whole, $[3].value a part.",
            examples=["$[3].value"],
        ),
    ]
    hint: Annotated[str, msgspec.Meta(description="How to mend it; may be empty.")]
    topic: Annotated[str, msgspec.Meta(description="The topic that the message came on.")]
    received_at: datetime
    message_id: Annotated[int, msgspec.Meta(description="The city's number for the message.")]
    payload_excerpt: Annotated[str, msgspec.Meta(description="The first 200 bytes, as text.")]


def payload_schema(plugins: Plugins) -> dict[str, Any]:
    """Return the JSON Schema that the default adapter offers.

    Raises:
        InvalidPlugin: it is not installed, or its class has no ``payload_schema()``.
    """
    if DEFAULT_ADAPTER not in plugins.decoders:
        message = f"the adapter {DEFAULT_ADAPTER!r} is not installed; its payload is the default"
        raise InvalidPlugin(message)
    _, decoder = plugins.decoders[DEFAULT_ADAPTER]
    offered = getattr(decoder, "payload_schema", None)
    if offered is None:
        message = f"{DEFAULT_ADAPTER}: its class must offer payload_schema(), a JSON Schema"
        raise InvalidPlugin(message)
    schema: dict[str, Any] = offered()
    return schema


def render(payload: Mapping[str, Any]) -> str:
    """Return the document as YAML text. ``payload`` is the schema of a message with readings."""
    body = yaml.safe_dump(document(payload), sort_keys=False, allow_unicode=True, width=99)
    return f"{_HEADER}{body}"


def document(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document as plain data."""
    schemas, root = _components(payload)
    _name_properties(schemas)
    feedback, feedback_root = _components(msgspec.json.schema(Feedback))
    schemas |= feedback
    return {
        "asyncapi": "3.0.0",
        "id": "urn:cityos:specification:mqtt",
        "info": _info(),
        "defaultContentType": "application/json",
        "servers": {"city": _server()},
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": {
                "readings": _readings(root),
                "refusal": _refusal(feedback_root),
                "alert": _alert("An alert", "Act on it: this is for real."),
                "exerciseAlert": _alert(
                    "An alert of an exercise",
                    "Never act on it. Its status is Exercise, and every text in it says so.",
                ),
            },
            "schemas": schemas,
            "securitySchemes": {
                "credential": {
                    "type": "userPassword",
                    "description": "User name and password of a vendor, from the operator. The "
                    "user name is the {vendor} of the topics.",
                }
            },
        },
    }


def _info() -> dict[str, Any]:
    return {
        "title": "CityOS: measurements in, refusals and alerts out",
        "version": VERSION,
        "description": (
            "Devices publish readings with QoS 1. A PUBACK is the broker's; whatever the city "
            "refuses is said on the errors topic of the device, with a reason and a hint.\n"
            "The payload here is the city's own (adapter cityos_json). A device may be "
            "registered for another adapter, SenML for one; the topics stay the same.\n"
            "MQTT 5 and 3.1.1. Messages of a device must not be retained; 256 KiB at most."
        ),
        "license": {
            "name": "Apache-2.0",
            "url": "https://www.apache.org/licenses/LICENSE-2.0",
        },
    }


def _server() -> dict[str, Any]:
    return {
        "host": "{host}:{port}",
        "protocol": "mqtt",
        "protocolVersion": "5.0",
        "description": "The broker of a city; the operator says where it is. Beyond the machine "
        "itself it is reached over TLS, port 8883.",
        "variables": {
            "host": {"default": "localhost", "description": "The broker's name."},
            "port": {"default": "1883", "description": "Its port."},
        },
        "security": [{"$ref": "#/components/securitySchemes/credential"}],
    }


_PARAMETERS: Final = {
    "tenant": f"The municipality, such as yaizu: {_NAME_RULE}.",
    "vendor": f"Who speaks; the user name of the credential: {_NAME_RULE}. Not the word alerts.",
    "device": f"The device as it is registered: {_NAME_RULE}.",
    "run": f"The name of the exercise: {_NAME_RULE}.",
    "situation": "What the alert is about, of A-Z a-z 0-9 _ . -, then - and eight hexadecimal "
    "digits that tell situations apart: the same over its whole course, and no other's.",
}


def _channels() -> dict[str, Any]:
    who = ("tenant", "vendor", "device")
    names = ("{tenant}", "{vendor}", "{device}")
    observations = topic.observations(*names)
    alerts = topic.alerts("{tenant}", Actual())
    exercises = topic.alerts("{tenant}", Exercise("run")).replace("/run", "/{run}")
    return {
        "observations": _channel(observations, who, "readings", "What a device measured."),
        "rehearsedObservations": _channel(
            topic.observations(*names, run="{run}"),
            (*who, "run"),
            "readings",
            "What a device is said to have measured, in a rehearsal: everything that follows "
            "from it is an exercise.",
        ),
        "errors": _channel(
            topic.errors(*names), who, "refusal", "What the city refused of this device."
        ),
        "alerts": _channel(
            f"{alerts}/{{situation}}",
            ("tenant", "situation"),
            "alert",
            "The alert in force of a situation, retained. An empty payload: there is none.",
        ),
        "exerciseAlerts": _channel(
            f"{exercises}/{{situation}}",
            ("tenant", "run", "situation"),
            "exerciseAlert",
            "The same in an exercise. A subscriber to alerts/actual never gets these.",
        ),
    }


def _channel(
    address: str, parameters: tuple[str, ...], message: str, description: str
) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "parameters": {name: {"description": _PARAMETERS[name]} for name in parameters},
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
    }


def _operations() -> dict[str, Any]:
    """Seen from the city, as AsyncAPI 3 asks: it receives what devices send."""
    return {
        "receiveObservations": _operation(
            "receive", "observations", "readings", "A device publishes what it measured."
        ),
        "receiveRehearsedObservations": _operation(
            "receive", "rehearsedObservations", "readings", "A rehearsal plays a recorded day."
        ),
        "sendErrors": _operation(
            "send", "errors", "refusal", "The city says at once what it refused, and why."
        ),
        "sendAlerts": _operation(
            "send", "alerts", "alert", "The city alerts, after a person approved.", retain=True
        ),
        "sendExerciseAlerts": _operation(
            "send", "exerciseAlerts", "exerciseAlert", "An exercise alerts.", retain=True
        ),
    }


def _operation(
    action: str, channel: str, message: str, summary: str, *, retain: bool = False
) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
        "bindings": {"mqtt": {"qos": _QOS, "retain": retain, "bindingVersion": "0.2.0"}},
    }


def _readings(schema: Mapping[str, Any]) -> dict[str, Any]:
    time = "2026-11-22T01:02:03Z"
    examples: list[tuple[str, str, Any]] = [
        (
            "oneReading",
            "A river gauge.",
            {"property": "water_level", "value": 1.23, "unit": "m", "time": time},
        ),
        (
            "severalReadings",
            "A weather station in local time, its battery in millivolts.",
            [
                {
                    "property": "air_temperature",
                    "value": 21.5,
                    "time": "2026-11-22T10:02:03+09:00",
                },
                {"property": "precipitation_10min", "value": 0.5, "unit": "mm", "time": time},
                {"property": "battery_voltage", "value": 3612, "unit": "mV", "time": time},
            ],
        ),
        (
            "movingBus",
            "A position is a value: longitude first.",
            [
                {
                    "property": "position",
                    "value": {"longitude": 138.3224, "latitude": 34.8668},
                    "time": time,
                },
                {"property": "speed", "value": 31.5, "unit": "km/h", "time": time},
            ],
        ),
        (
            "gateway",
            "A device that speaks for two car parks, by the names of its registration.",
            [
                {"property": "free_spaces", "value": 12, "entity": "lot-a", "time": time},
                {"property": "free_spaces", "value": 0, "entity": "lot-b", "time": time},
            ],
        ),
        (
            "noClock",
            "Without a time the time of receipt is taken.",
            {"property": "open", "value": False},
        ),
    ]
    return {
        "name": "readings",
        "title": "Readings",
        "summary": "One reading, or an array of up to 1,000.",
        "contentType": "application/json",
        "payload": dict(schema),
        "examples": [
            {"name": name, "summary": summary, "payload": payload}
            for name, summary, payload in examples
        ],
    }


def _refusal(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": "refusal",
        "title": "A refusal",
        "summary": "What was refused, where in the payload, and how to mend it.",
        "contentType": "application/json",
        "payload": dict(schema),
        "examples": [
            {
                "name": "unknownUnit",
                "summary": "A unit that is no UCUM code.",
                "payload": {
                    "reason": Reason.UNKNOWN_UNIT.value,
                    "detail": "unit 'meter' is none of the UCUM codes that are read here",
                    "path": "$[0]",
                    "hint": "send 'm', or one of m, cm, mm, km, [ft_i], [in_i]",
                    "topic": topic.observations("yaizu", "demo", "gauge-1"),
                    "received_at": "2026-11-22T01:02:03.456Z",
                    "message_id": 281474976710657,
                    "payload_excerpt": json.dumps(
                        {"property": "water_level", "value": 1.23, "unit": "meter"}
                    ),
                },
            }
        ],
    }


def _alert(title: str, summary: str) -> dict[str, Any]:
    return {
        "name": "alert",
        "title": title,
        "summary": summary,
        "contentType": "application/cap+xml",
        "payload": {
            "type": "string",
            "description": "A CAP 1.2 document (OASIS, July 2010) in UTF-8, or nothing.",
        },
        "externalDocs": {
            "url": "https://docs.oasis-open.org/emergency/cap/v1.2/CAP-v1.2-os.html",
        },
    }


def _components(schema: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the named parts of a JSON Schema, and the schema itself with references to them."""
    root: dict[str, Any] = _referring(copy.deepcopy(dict(schema)))
    return root.pop("$defs", {}), root


def _referring(part: Any) -> Any:  # noqa: ANN401 - JSON
    """Point the references at the components: in AsyncAPI ``#`` is the whole document."""
    if isinstance(part, dict):
        return {
            key: value.replace("#/$defs/", _SCHEMAS) if key == "$ref" else _referring(value)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_referring(item) for item in part]
    return part


def _name_properties(schemas: Mapping[str, Any]) -> None:
    """List what ``property`` may be: ingest refuses every other name."""
    field = schemas["Reading"]["properties"]["property"]
    field["enum"] = sorted(PROPERTIES)
    field["x-observed-properties"] = {
        name: _property(PROPERTIES[name]) for name in sorted(PROPERTIES)
    }


def _property(prop: ObservedProperty) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": prop.kind.value, "en": prop.label_en, "ja": prop.label_ja}
    if prop.kind is ValueKind.NUMBER:
        said |= {"unit": prop.unit, "minimum": prop.minimum, "maximum": prop.maximum}
    return said
