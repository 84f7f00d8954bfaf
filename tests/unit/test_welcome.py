"""What a person at the terminal is told to type works as it stands."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from cityos.bootstrap.city_store import absence, standing
from cityos.bootstrap.welcome import Welcome, cityos_command, print_welcome
from cityos.domain.entity import Name, Tenant
from cityos.runtime.broker import MqttBroker

EXAMPLE = {
    "tenant": "town",
    "vendor": "acme",
    "device": "one",
    "entity": "urn:ngsi-ld:WaterLevelGauge:town:bridge",
    "longitude": 138.3,
    "latitude": 34.9,
    "property": "water_level",
    "value": 1.2,
    "unit": "m",
}


def test_the_command_is_the_one_beside_this_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    home = Path("/srv/my city")
    assert cityos_command(home) == f"{tmp_path}/python -m cityos --home '/srv/my city'"
    (tmp_path / "cityos").touch()
    assert cityos_command(home) == f"{tmp_path}/cityos --home '/srv/my city'"


def town(*, practice: bool) -> Tenant:
    return Tenant(id="town", name=Name("Town", "町"), practice=practice)


def printed(
    home: Path, *, attended: bool = True, absence: str = "", practice: bool = True
) -> list[str]:
    text = io.StringIO()
    broker = SimpleNamespace(
        host="127.0.0.1", port=1883, passwords={"acme": "hush"}, has_access_list=True
    )
    welcome = Welcome(
        url="http://127.0.0.1:8080",
        home=home,
        servers={},
        metrics={},
        broker=cast(MqttBroker, broker),
        admin_key="",
        example=EXAMPLE,
        absence=absence,
        standing="" if absence else standing(town(practice=practice)),
        practice=practice,
        attended=attended,
    )
    print_welcome(Console(file=text), welcome)
    return text.getvalue().splitlines()


def test_a_city_that_is_not_there_is_said_below_the_ready_line(tmp_path: Path) -> None:
    lines = printed(tmp_path, absence=absence("town", ["yaizu"]))
    assert lines[:2] == [
        "ready: http://127.0.0.1:8080",
        f"  note: {absence('town', ['yaizu'])}",
    ]
    assert "`cityos load FOLDER` makes it" in lines[1]
    assert lines[1].endswith("CITYOS_TENANT names one that is here: yaizu")
    assert absence("yaizu", ["yaizu"]) == ""


def test_whether_the_city_practices_is_said_below_the_ready_line(tmp_path: Path) -> None:
    assert printed(tmp_path)[1] == (
        "  city: town practices: everything that comes out of it is an exercise"
    )
    assert (
        printed(tmp_path, practice=False)[1] == "  city: town is in earnest: its alerts are real"
    )


def test_nobody_is_offered_an_invented_reading_for_a_city_in_earnest(tmp_path: Path) -> None:
    assert "mosquitto_pub -h" in "\n".join(printed(tmp_path))
    said = "\n".join(printed(tmp_path, practice=False))
    assert "mosquitto_pub" not in said
    assert "hush" not in said
    assert "/history/water_level?limit=3" in said


def test_what_a_journal_keeps_holds_no_password(tmp_path: Path) -> None:
    assert "hush" in "\n".join(printed(tmp_path))
    lines = printed(tmp_path, attended=False)
    assert "hush" not in "\n".join(lines)
    assert lines[0] == "ready: http://127.0.0.1:8080"
    assert any("key create --help" in line for line in lines)
