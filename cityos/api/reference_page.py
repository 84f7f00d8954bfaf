"""The API's reference at ``/docs``: Swagger UI from our own files, nothing from elsewhere."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, FastAPI, Response

from cityos.api import description
from cityos.api.documents import document

_VENDOR: Final = "/static/vendor/swagger-ui-dist"
_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>CityOS API</title>
<link rel="icon" href="{_VENDOR}/favicon-32x32.png">
<link rel="stylesheet" href="{_VENDOR}/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<noscript>The reference needs JavaScript; the document itself is at
<a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="{_VENDOR}/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = """// a read takes a key and needs none: without this it is drawn with a lock
const openReads = (system) => ({
  wrapComponents: {
    OperationSummary: (Summary) => ({ operationProps, ...props }) => {
      const needsNone = (operationProps.get("security") ?? []).some((way) => way.isEmpty());
      const shown = needsNone ? operationProps.delete("security") : operationProps;
      return system.React.createElement(Summary, { operationProps: shown, ...props });
    },
  },
});
window.ui = SwaggerUIBundle({
  plugins: [openReads],
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def router(app: FastAPI) -> APIRouter:
    """Return the page and the document that it shows."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    async def show_reference() -> Response:
        headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
        return Response(_PAGE, media_type="text/html", headers=headers)

    @routes.get("/docs/start.js")
    async def start_reference() -> Response:
        return Response(_START, media_type="text/javascript")

    @routes.get("/openapi.json")
    async def show_document() -> Response:
        headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache"}
        return document(description.document_of(app), headers=headers)

    return routes
