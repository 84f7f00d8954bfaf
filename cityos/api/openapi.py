"""The file ``openapi/cityos-v1.yaml``: generated from the routes, compared by a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cityos.api import description
from cityos.api.app import bare_application


def document() -> dict[str, Any]:
    """Return the OpenAPI document of /v1."""
    return description.document_of(bare_application())


def text() -> str:
    return yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=99)


def write(path: Path) -> None:
    """Write the document as YAML, in the order in which the routes are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(), encoding="utf-8")
