"""Whether this process is alive, and whether it can serve."""

from collections.abc import Sequence

from fastapi import APIRouter, Response

from cityos.api import documents
from cityos.api.readiness import Check, look
from cityos.api.strict_route import StrictRoute
from cityos.api.v1 import mapping, wire_administration


def router(checks: Sequence[Check], version: str) -> APIRouter:
    """Return the routes; they know no city and no caller."""
    routes = APIRouter(route_class=StrictRoute, tags=["state"])

    @routes.get("/v1/health", operation_id="getHealth", response_model=wire_administration.Health)
    async def get_health() -> Response:
        """Say that the process is alive. It asks nothing else; see `/v1/ready`."""
        return documents.document({"status": "ok", "version": version})

    @routes.get(
        "/v1/ready",
        operation_id="getReadiness",
        response_model=wire_administration.Readiness,
        responses={
            503: {
                "model": wire_administration.Readiness,
                "description": "A required part is away.",
            }
        },
    )
    async def get_readiness() -> Response:
        """Say whether requests can be served, and what does not answer.

        `degraded`: a part is away that requests can be served without.
        """
        found = mapping.readiness(await look(checks))
        status = 503 if found["status"] == "unavailable" else 200
        return documents.document(found, status=status, headers={"Cache-Control": "no-store"})

    return routes
