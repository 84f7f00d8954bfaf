"""``cityos openapi``: the machine-readable descriptions of the interfaces, from the code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cityos.api import openapi
from cityos.errors import Conflict, SetupFailed
from cityos.messaging import asyncapi
from cityos.plugins.discovery import discover

FOLDER: Final = Path("openapi")
_DOCUMENTS: Final[Mapping[str, Callable[[], str]]] = {
    "cityos-v1.yaml": openapi.text,
    "asyncapi.yaml": lambda: asyncapi.render(asyncapi.payload_schema(discover())),
}


def write(folder: Path = FOLDER, *, check: bool) -> list[str]:
    """Write the files, or with ``check`` compare them; return what to tell.

    Raises:
        SetupFailed: ``folder`` is not there: this is no checkout.
        Conflict: with ``check``, a file is not what the code says.
    """
    if not folder.is_dir():
        message = f"there is no folder {folder} here: run this in a checkout of the project"
        raise SetupFailed(message)
    told = []
    for name, text_of in _DOCUMENTS.items():
        file, text = folder / name, text_of()
        if file.exists() and file.read_text(encoding="utf-8") == text:
            told.append(f"{file}: as it should be")
            continue
        if check:
            message = f"{file} is not what the code says: run `make openapi`"
            raise Conflict(message)
        file.write_text(text, encoding="utf-8")
        told.append(f"{file}: written")
    return told
