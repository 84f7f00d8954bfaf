"""What pydantic found wrong with a request, in our words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cityos.api.errors import ParameterProblem

_HINTS: Final = {
    "missing": "it is needed",
    "int_parsing": "give a whole number",
    "float_parsing": "give a number",
    "bool_parsing": "give true or false",
    "string_too_long": "make it shorter",
    "string_too_short": "it must not be empty",
    "extra_forbidden": "leave it out",
    "json_invalid": "send a JSON document",
    "model_attributes_type": "send a JSON object with Content-Type: application/json",
    "dict_type": "send a JSON object with Content-Type: application/json",
}


def parameter_problems(found: Sequence[Mapping[str, Any]]) -> list[ParameterProblem]:
    """Return one problem for each finding. What the caller sent is not repeated."""
    return [_problem(each) for each in found]


def _problem(found: Mapping[str, Any]) -> ParameterProblem:
    where, *path = [str(part) for part in found.get("loc", ())] or ["query"]
    parameter = ".".join(path) or where
    kind = str(found.get("type", ""))
    return ParameterProblem(where, parameter, str(found.get("msg", "")), _hint(kind, found))


def _hint(kind: str, found: Mapping[str, Any]) -> str:
    limits = found.get("ctx") or {}
    if kind in {"enum", "literal_error"}:
        return f"give one of {limits.get('expected', 'the documented values')}"
    if kind in {"less_than_equal", "greater_than_equal", "less_than", "greater_than"}:
        signs = {"le": "at most", "ge": "at least", "lt": "less than", "gt": "more than"}
        return "; ".join(f"give {signs[key]} {limits[key]}" for key in signs if key in limits)
    return _HINTS.get(kind, "see /docs")
