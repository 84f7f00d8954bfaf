"""What a process has to say to an operator stands in ``cityos status`` until it is over."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cityos.bootstrap import control
from cityos.cli import app
from cityos.cli.invocation import console
from cityos.runtime.notices import Notices, notices
from cityos.runtime.process import Mark
from cityos.runtime.records import Record
from cityos.runtime.running import Addresses, RunningCity

TEXT = "this server's clock is wrong [/b] \N{LATIN SMALL LETTER E WITH ACUTE}"


@pytest.mark.usefixtures("_logs_as_before")
def test_the_status_shows_what_is_not_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ourselves = Mark(os.getpid(), "now")
    city = RunningCity(
        supervisor=ourselves,
        addresses=Addresses(database_url="", redis_url="", mqtt_urls={}),
        http_url="http://127.0.0.1:1",
    )
    record = Record("ingest", ourselves, (signal.SIGTERM,))
    monkeypatch.setenv("CITYOS_HOME", str(tmp_path))
    monkeypatch.setattr(console, "_width", 40)
    monkeypatch.setattr(control, "running_city", lambda _home: city)
    monkeypatch.setattr(control, "_records", lambda _home: [record])
    said = Notices(tmp_path, "ingest")
    said.put("clock", "before")
    said.put("clock", TEXT)
    said.put("node", "another ingest")
    Notices(tmp_path, "feeds").put("x", "of one that does not run")
    shown = CliRunner().invoke(app, ["status"]).stdout
    assert shown.splitlines()[-2:] == [f"ingest: {TEXT}", "ingest: another ingest"]
    assert "does not run" not in shown
    said.put("clock", "")
    assert notices(tmp_path, "ingest") == ["another ingest"]
    Notices(tmp_path, "ingest")
    assert notices(tmp_path, "ingest") == [], "an earlier run's"


def test_a_disk_that_takes_nothing_costs_the_notice_alone(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no folder")
    said = Notices(tmp_path, "ingest")
    said.put("clock", TEXT)
    assert notices(tmp_path, "ingest") == []
