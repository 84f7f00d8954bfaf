"""Plugins that tests write for themselves."""

from __future__ import annotations

from pathlib import Path

_MANIFEST = """\
id = "{id}"
kind = "{kind}"
entry = "plugin:Plugin"
version = "1.0.0"
quality = "bronze"
owner = "test"
licence = "MIT"
{keys}
title = {{en = "Test", ja = "試験"}}
specification = {{title = "Manual", version = "1", url = "urn:x:manual"}}
"""


def write_plugin(folder: Path, code: str, *, kind: str, keys: str) -> None:
    """Write a plugin whose class is ``Plugin``; ``keys`` are those of its kind's manifest."""
    folder.mkdir(parents=True)
    manifest = "service.toml" if kind == "service" else "adapter.toml"
    text = _MANIFEST.format(id=folder.name, kind=kind, keys=keys)
    (folder / manifest).write_text(text, encoding="utf-8")
    (folder / "__init__.py").touch()
    (folder / "plugin.py").write_text(code, encoding="utf-8")
