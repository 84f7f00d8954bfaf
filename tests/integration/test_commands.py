"""The command line over a real database."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from cityos import cli
from cityos.cli import app
from cityos.errors import CityOSError, InvalidRequest, NotFound, SetupFailed

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "deploy" / "demo" / "yaizu"
HEAVY = ("alembic", "fastapi", "lxml", "paho", "psycopg", "pydantic", "redis", "sqlalchemy")


@pytest.fixture
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CITYOS_HOME", str(tmp_path))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    # a command sets up the logs of its process, which here is everybody's
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def _database(_nothing_runs: None, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYOS_DATABASE_URL", database_url)


def run(*words: str) -> str:
    """What the command prints; its error is raised."""
    result = CliRunner().invoke(app, words)
    if isinstance(result.exception, CityOSError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_help_comes_at_once_because_nothing_heavy_is_imported_for_it() -> None:
    script = f"import sys, cityos.cli; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "words", [["key", "list"], ["ingest"], ["dispatch"], ["api"], ["feeds"], ["simulate"]]
)
@pytest.mark.usefixtures("_nothing_runs")
def test_a_command_that_needs_a_running_city_says_how_to_get_one(words: list[str]) -> None:
    with pytest.raises(SetupFailed, match="start the city with `cityos up`, or name the servers"):
        run(*words)


@pytest.mark.usefixtures("_nothing_runs")
def test_errors_are_one_message_without_a_trace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["cityos", "key", "list"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: nothing runs in")
    assert "Traceback" not in said


@pytest.mark.usefixtures("_database")
def test_a_city_is_loaded_and_its_keys_are_made_listed_and_revoked() -> None:
    assert "yaizu: " in run("load", str(DEMO))
    text = run("key", "create", "bus app", "--role", "reader").strip()
    assert re.fullmatch(r"ck_\w+_\w+", text)
    identifier = text.split("_")[1]
    listed = run("key", "list")
    assert identifier in listed
    assert "bus app" in listed
    assert text.split("_")[2] not in listed
    run("key", "revoke", identifier)
    assert re.search(rf"{identifier}.*\d\d:\d\dZ +\d{{4}}-", run("key", "list"))


@pytest.mark.usefixtures("_database")
def test_wrong_keys_are_refused_with_the_reason() -> None:
    run("load", str(DEMO))
    with pytest.raises(InvalidRequest, match="role must be one of"):
        run("key", "create", "x", "--role", "king")
    with pytest.raises(NotFound, match="there is no city 'nowhere' here"):
        run("key", "create", "x", "--tenant", "nowhere")
    with pytest.raises(NotFound, match="there is no key"):
        run("key", "revoke", "unknown")


@pytest.mark.usefixtures("_nothing_runs")
def test_the_statements_of_a_migration_can_be_read_without_a_database() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cityos", "migrate", "--sql"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "CREATE TABLE observation" in done.stdout


@pytest.mark.usefixtures("_nothing_runs")
def test_a_new_adapter_and_a_new_service_are_written_where_the_checkout_is(
    tmp_path: Path,
) -> None:
    for kind in ("adapter", "service"):
        (tmp_path / f"{kind}s").mkdir()
        assert f"made {tmp_path}/{kind}s/acme" in run(kind, "new", "acme").replace("\n", "")
        assert (tmp_path / f"{kind}s" / "acme" / f"{kind}.toml").exists()


def test_the_descriptions_of_the_interfaces_are_what_the_code_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    assert run("openapi", "--check").count("as it should be") == 2


@pytest.mark.usefixtures("_nothing_runs")
def test_nothing_running_is_an_exit_code_of_its_own() -> None:
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 3
    assert "nothing runs" in result.stdout
