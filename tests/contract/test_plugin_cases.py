"""Every case of every plugin, through the one runner that a vendor uses too."""

from pathlib import Path

import pytest

from cityos.plugins.discovery import discover
from cityos.testing.cases import Case, cases_of

ROOT = Path(__file__).parents[2]
PLUGINS = discover([ROOT / "adapters", ROOT / "services"], entry_points=False)
CASES = [case for plugin in PLUGINS.found.values() for case in cases_of(plugin)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    case.run()


def test_the_project_has_plugins_of_every_kind() -> None:
    assert PLUGINS.decoders
    assert PLUGINS.feeds
    assert PLUGINS.services
