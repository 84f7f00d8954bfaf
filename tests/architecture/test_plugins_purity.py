"""A plugin reaches nothing outside: no file, no network, no clock, no process, no other plugin."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cityos.plugins import scaffold

ROOT = Path(__file__).parents[2]
PURE = {
    # of the standard library: what computes, and opens nothing
    *("__future__", "abc", "base64", "binascii", "bisect", "collections", "dataclasses"),
    *("datetime", "decimal", "enum", "fractions", "functools", "hashlib", "itertools", "json"),
    *("math", "operator", "re", "statistics", "string", "struct", "typing", "unicodedata", "zlib"),
    # what an agency's or a vendor's format is read with
    *("cbor2", "lxml.etree", "msgspec"),
    # the city, as far as a plugin may know it
    *("cityos.domain", "cityos.errors", "cityos.plugins.contract"),
}
OUTSIDE = re.compile(
    r"__import__|breakpoint|compile|eval|exec|input|open|print"
    r"|.+\.(now|today|utcnow)"
    r"|time\.(sleep|(time|monotonic|perf_counter|process_time)(_ns)?)"
    r"|etree\.(ElementTree|iterparse|parse|XSLT)"  # these read files and addresses
)


def impurities(root: Path) -> list[str]:
    """Return what the plugins under ``root`` reach for and must not, each with its place."""
    return [
        f"{module.relative_to(root)}:{line}: {what}"
        for kind in ("adapters", "services")
        for module in sorted((root / kind).rglob("*.py"))
        for line, what in reached(module, {*PURE, own(module.relative_to(root))})
    ]


def own(module: Path) -> str:
    """Return the package of the plugin that the module is a part of."""
    return ".".join(module.parts[:2])


def reached(module: Path, allowed: set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in imported(node):
                if not any(f"{name}.".startswith(f"{each}.") for each in allowed):
                    yield node.lineno, name
        elif isinstance(node, ast.Name | ast.Attribute) and OUTSIDE.fullmatch(ast.unparse(node)):
            yield node.lineno, ast.unparse(node)


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.Import):
        return names
    return [f"{'.' * node.level}{node.module or ''}.{name}" for name in names]


def test_no_plugin_reaches_outside() -> None:
    assert impurities(ROOT) == []


def test_a_new_plugin_does_not_either(tmp_path: Path) -> None:
    for kind, make in (("adapters", scaffold.adapter), ("services", scaffold.service)):
        (tmp_path / kind).mkdir()
        make("made", tmp_path / kind)
    assert impurities(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import os.path", "os.path"),
        ("import time as t", "time"),
        ("from time import monotonic", "time.monotonic"),
        ("from pathlib import Path", "pathlib.Path"),
        ("import httpx2, socket", "httpx2"),
        ("import lxml.html", "lxml.html"),
        ("def read():\n    import subprocess", "subprocess"),
        ("from cityos import storage", "cityos.storage"),
        ("from cityos.domainish import x", "cityos.domainish.x"),
        ("from cityos.plugins.discovery import find", "cityos.plugins.discovery.find"),
        ("from adapters.senml import pack", "adapters.senml.pack"),
        ("from . import pack", "..pack"),
        ("open('levels.csv').read()", "open"),
        ("read = open", "open"),
        ("exec('import os')", "exec"),
        ("time.sleep(1)", "time.sleep"),
        ("time.time()", "time.time"),
        ("time.monotonic_ns()", "time.monotonic_ns"),
        ("from datetime import datetime\ndatetime.now()", "datetime.now"),
        ("import datetime\nat = datetime.datetime.now", "datetime.datetime.now"),
        ("from datetime import date as day\nday.today()", "day.today"),
        ("from lxml import etree\netree.parse('levels.xml')", "etree.parse"),
    ],
)
def test_what_reaches_outside_is_found(tmp_path: Path, code: str, what: str) -> None:
    module = tmp_path / "adapters" / "made" / "decoder.py"
    module.parent.mkdir(parents=True)
    module.write_text(f"from adapters.made import levels\n{code}\n", encoding="utf-8")
    assert re.fullmatch(
        rf"adapters/made/decoder.py:\d: {re.escape(what)}", impurities(tmp_path)[0]
    )
