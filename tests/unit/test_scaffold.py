"""A new plugin passes its own cases, and does not get in the way of what is there."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cityos.errors import Conflict, InvalidRequest
from cityos.plugins import scaffold
from cityos.plugins.discovery import find
from cityos.testing import cases


@pytest.fixture(autouse=True)
def forget() -> None:
    for name in [name for name in sys.modules if ".scaffolded_" in name]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("kind", "make"), [("adapter", scaffold.adapter), ("service", scaffold.service)]
)
def test_what_is_written_passes_its_own_cases(
    kind: str, make: Callable[[str, Path], Path], tmp_path: Path
) -> None:
    folder = make(f"scaffolded_{kind}", tmp_path)
    plugin = find(folder)
    found = cases.cases_of(plugin)
    assert len(found) == 2
    for case in found:
        case.run()
    assert plugin.manifest.class_name == f"Scaffolded{kind.capitalize()}"
    assert "$" not in "".join(
        file.read_text() for file in folder.rglob("*") if file.is_file()
    ).replace("$[", "")


@pytest.mark.parametrize(
    "name",
    ["", "X", "9lives", "with-dash", "a/b", "../up", "class", "receipt", "a" * 65, "é", "a"],
)
def test_a_name_that_cannot_be_an_id_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be a plugin's name"):
        scaffold.adapter(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(Conflict, match="exists already"):
        scaffold.service("taken", tmp_path)
    assert list((tmp_path / "taken").iterdir()) == []
