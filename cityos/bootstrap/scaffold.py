"""``cityos adapter new`` and ``cityos service new``: the folder of a plugin, ready to run."""

from __future__ import annotations

from pathlib import Path

from cityos.errors import SetupFailed
from cityos.plugins import scaffold
from cityos.plugins.discovery import default_roots


def adapter(name: str) -> str:
    """Raises InvalidRequest; Conflict when there is something of that name."""
    folder = scaffold.adapter(name, _root("adapters"))
    return f"made {folder}: change decoder.py and cases/, then run `make test`"


def service(name: str) -> str:
    """Raises InvalidRequest; Conflict when there is something of that name."""
    folder = scaffold.service(name, _root("services"))
    return f"made {folder}: change service.py and cases/, then run `make test`"


def _root(kind: str) -> Path:
    """The folder of the working directory, as long as it is a checkout; else the installed one."""
    here = Path.cwd() / kind
    if here.is_dir():
        return here
    for root in default_roots():
        if root.name == kind:
            return root
    message = f"there is no folder {kind} here: run this in a checkout of the project"
    raise SetupFailed(message)
