"""One log, two readers: machines get UTC, a person the time of this machine."""

from __future__ import annotations

import json
import re

import pytest
import structlog

from cityos.runtime import log_format


@pytest.mark.usefixtures("_logs_as_before", "_japan")
def test_the_time_is_utc_for_machines_and_this_machines_for_a_person(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_format.configure(form="json", level="info")
    structlog.get_logger("x").info("said")
    log_format.configure(form="console", level="info")
    structlog.get_logger("x").info("said")
    machines, persons = capsys.readouterr().err.splitlines()
    assert json.loads(machines)["timestamp"].endswith("Z")
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+0900 ", persons)
