"""What a person at the terminal is told to type works as it stands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cityos.bootstrap.welcome import cityos_command


def test_the_command_is_the_one_beside_this_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    home = Path("/srv/my city")
    assert cityos_command(home) == f"{tmp_path}/python -m cityos --home '/srv/my city'"
    (tmp_path / "cityos").touch()
    assert cityos_command(home) == f"{tmp_path}/cityos --home '/srv/my city'"
