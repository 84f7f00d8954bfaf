"""Routes that refuse query parameters they do not know.

A typing mistake must not pass for no filter at all.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from difflib import get_close_matches
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from cityos.api.errors import ParameterProblem
from cityos.errors import InvalidRequest


class UnknownParameters(InvalidRequest):
    """The query string names parameters that this address does not have."""

    def __init__(self, problems: list[ParameterProblem]) -> None:
        super().__init__("; ".join(problem.detail for problem in problems))
        self.problems = problems


class StrictRoute(APIRoute):
    """An ``APIRoute`` that names the parameters it does have."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        known = sorted(_query_parameters(self.dependant))

        async def strict(request: Request) -> Response:
            if request.scope["query_string"]:
                unknown = request.query_params.keys() - set(known)
                if unknown:
                    raise UnknownParameters([_problem(name, known) for name in sorted(unknown)])
            return await handler(request)

        return strict


def _query_parameters(dependant: Dependant) -> set[str]:
    names = {field.alias for field in dependant.query_params}
    for each in dependant.dependencies:
        names |= _query_parameters(each)
    return names


def _problem(name: str, known: list[str]) -> ParameterProblem:
    shown = name[:50]
    near = get_close_matches(shown, known, n=1)
    if near:
        hint = f"did you mean {near[0]}?"
    elif known:
        hint = f"there are: {', '.join(known)}"
    else:
        hint = "this address has no parameters"
    return ParameterProblem("query", shown, f"there is no parameter {shown!r} here; {hint}", hint)
