"""What pydantic found wrong with a request, in our words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cityos.api.errors import ParameterProblem

_NOT_AN_OBJECT: Final = (
    "the body is not a JSON object",
    "send a JSON object with Content-Type: application/json",
)
_SAID: Final = {
    "missing": ("it is missing", "it is needed"),
    "extra_forbidden": ("it is not known here", "leave it out"),
    "int_parsing": ("it is not a whole number", "give a whole number"),
    "int_parsing_size": ("it is too large", "give a smaller number"),
    "int_from_float": ("it is not a whole number", "give a whole number"),
    "int_type": ("it is not a whole number", "give a whole number"),
    "float_parsing": ("it is not a number", "give a number"),
    "float_type": ("it is not a number", "give a number"),
    "finite_number": ("it is not a finite number", "give a number"),
    "bool_parsing": ("it is neither true nor false", "give true or false"),
    "bool_type": ("it is neither true nor false", "give true or false"),
    "string_type": ("it is not a text", "give a text"),
    "string_unicode": ("it is not a text in UTF-8", "give a text in UTF-8"),
    "string_too_long": ("it is too long", "make it shorter"),
    "string_too_short": ("it is empty", "it must not be empty"),
    "json_invalid": ("the body is not JSON", "send a JSON document"),
    "model_attributes_type": _NOT_AN_OBJECT,
    "dict_type": _NOT_AN_OBJECT,
}
"""What is wrong, and how to mend it, by pydantic's type of error."""
_CHOICES: Final = frozenset(("enum", "literal_error"))
_LIMITS: Final = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def parameter_problems(found: Sequence[Mapping[str, Any]]) -> list[ParameterProblem]:
    """Return one problem for each finding. What the caller sent is not repeated."""
    return [_problem(each) for each in found]


def _problem(found: Mapping[str, Any]) -> ParameterProblem:
    where, *path = [str(part) for part in found.get("loc", ())] or ["query"]
    kind = str(found.get("type", ""))
    if kind == "json_invalid":
        path = []  # of bytes, which names nothing
    return ParameterProblem(where, ".".join(path) or where, *_said(kind, found.get("ctx") or {}))


def _said(kind: str, limits: Mapping[str, Any]) -> tuple[str, str]:
    if kind in _CHOICES:
        expected = limits.get("expected", "the documented values")
        return "it is none of what there is", f"give one of {expected}"
    told = [f"{words} {limits[key]}" for key, words in _LIMITS.items() if key in limits]
    if told:
        return "it is out of range", f"give {' and '.join(told)}"
    return _SAID.get(kind, ("it cannot be read", "see /docs"))
