"""The API's document: kept in the repository, complete, and the same as the code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cityos.api import openapi

FILE = Path(__file__).parents[2] / "openapi" / "cityos-v1.yaml"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def test_the_file_is_what_the_code_says() -> None:
    assert FILE.exists(), "write it with `make openapi`"
    assert FILE.read_text(encoding="utf-8") == openapi.text(), "write it again: `make openapi`"


def test_the_file_is_yaml_of_openapi_3_1() -> None:
    assert yaml.safe_load(openapi.text())["openapi"].startswith("3.1")


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    names: set[str] = set()
    for where, operation in operations(document):
        assert operation.get("description"), f"{where} has no description"
        assert set(operation.get("tags", [])) <= tags, f"{where} has a tag without description"
        assert operation.get("tags"), f"{where} has no tag"
        assert operation["operationId"] not in names, f"{where}: the operationId is taken"
        names.add(operation["operationId"])


def test_every_parameter_is_described(document: dict[str, Any]) -> None:
    missing = [
        f"{where}: {parameter['name']}"
        for where, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if not parameter.get("description")
    ]
    assert missing == []


def test_every_schema_is_described_and_used(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    used = {reference.rpartition("/")[2] for reference in references(document)}
    assert used == set(schemas)
    undescribed = [
        name
        for name, schema in schemas.items()
        if not schema.get("description") and "enum" not in schema
    ]
    assert undescribed == []


def test_decisions_and_keys_need_a_key_and_reading_does_not(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        needs_key = operation.get("security", [{}]) == [{"key": []}]
        private = any(
            word in where
            for word in ("/proposals", "/exercises", "/cancel", "/keys", "/dead-letters")
        )
        assert needs_key is private, where
