"""The unit file: systemd takes it, and what it calls is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cityos.bootstrap import service_unit, up
from cityos.cli import app
from cityos.errors import InvalidRequest
from cityos.runtime import postgres, supervisor
from cityos.runtime.service import RunningServer
from cityos.settings import Settings

ANALYSE = shutil.which("systemd-analyze")


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cityos.toml").write_text('home = "/data/city"\n')
    result = CliRunner().invoke(app, ["service-unit", "--user", "daemon"])
    assert result.exit_code == 0, result.output
    return result.stdout


def values(unit: str) -> dict[str, str]:
    """Every setting; comments and sections left out."""
    lines = [line for line in unit.splitlines() if line and line[0] not in "#["]
    return dict(line.split("=", 1) for line in lines)


def test_what_it_starts_is_there_and_understood(unit: str, tmp_path: Path) -> None:
    program, *words = values(unit)["ExecStart"].split()

    assert Path(program).is_absolute()
    assert Path(program).exists()
    assert words == ["--home", "/data/city", "up"]
    assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0
    assert values(unit)["WorkingDirectory"] == str(tmp_path)
    assert values(unit)["RequiresMountsFor"] == f"{tmp_path} /data/city"
    assert values(unit)["ReadWritePaths"] == "/data/city"
    assert values(unit)["User"] == "daemon"


@pytest.mark.skipif(ANALYSE is None, reason="systemd is not installed here")
def test_systemd_finds_no_fault_in_it(unit: str, tmp_path: Path) -> None:
    file = tmp_path / "cityos.service"
    file.write_text(unit)
    done = subprocess.run(
        [str(ANALYSE), "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_it_waits_for_the_city_to_stop_in_order_and_for_no_network(unit: str) -> None:
    found = values(unit)
    parts = len(up._parts(Settings(), 8080, up._METRICS_PORTS))
    # all but one of a program's stop signals: what not even SIGKILL ends is nobody's to wait for
    longest_s = (
        parts * supervisor._STOP_S
        + 2 * RunningServer.stop_s
        + (len(postgres._STOP_SIGNALS) - 1) * postgres.PostgresServer.stop_s
    )
    minutes = found["TimeoutStopSec"].removesuffix("min")
    assert longest_s < int(minutes) * 60
    assert found["KillMode"] == "mixed"
    assert "online" not in found["After"]
    assert not [name for name in found if name.startswith("Memory")]


@pytest.mark.parametrize("user", ["root", "", "some one", "-x"])
def test_root_is_no_user_for_it(user: str) -> None:
    with pytest.raises(InvalidRequest, match="an ordinary user of its own"):
        unit_of(user=user)


@pytest.mark.parametrize("home", ["/data/my city", "/data/100%", '/data/"x"', "/data/$HOME"])
def test_a_path_that_systemd_would_read_otherwise_is_refused(home: str) -> None:
    with pytest.raises(InvalidRequest, match="must be without blanks"):
        unit_of(home=home)


def unit_of(*, home: str = "/data/city", user: str = "cityos") -> str:
    return service_unit.unit(Settings(home=Path(home)), user=user)
