"""The command line over a real database."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from cityos import cli
from cityos.bootstrap import control
from cityos.cli import app
from cityos.clock import SystemClock
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import ProposalState
from cityos.errors import CityOSError, Conflict, InvalidRequest, NotFound, SetupFailed
from cityos.ports import IngestBatch, Origin, RawBlock
from cityos.runtime.broker import MqttBroker
from cityos.runtime.news import NewsLog
from cityos.runtime.service import log_path
from cityos.storage.database import Database
from cityos.storage.writer import PostgresObservationWriter
from cityos.testing.clock import ChosenClock
from tests.alert_path import AlertPath

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "deploy" / "demo" / "yaizu"
JAPAN = timezone(timedelta(hours=9))
TODAY = SystemClock().now().astimezone(JAPAN).replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY = TODAY - timedelta(days=1)
DAY = ("--since", f"{YESTERDAY:%Y-%m-%d}", "--until", f"{TODAY:%Y-%m-%d}")
HEAVY = ("alembic", "fastapi", "lxml", "paho", "psycopg", "pydantic", "redis", "sqlalchemy")


@pytest.fixture
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _logs_as_before: None) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CITYOS_HOME", str(tmp_path))


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
    "words",
    [
        ["key", "list"],
        ["ingest"],
        ["dispatch"],
        ["api"],
        ["feeds"],
        ["simulate"],
        ["record", "day.jsonl", "--since", "2026-11-22", "--until", "2026-11-23"],
    ],
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


@pytest.mark.usefixtures("_database", "_japan")
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
    made_and_revoked = r"(\d{4}-\d\d-\d\d \d\d:\d\d\+09:00 *){2}$"
    assert re.search(rf"{identifier}.*{made_and_revoked}", run("key", "list"), re.MULTILINE)


def changed_demo(folder: Path, change: Callable[[str], str]) -> str:
    """The demo's folder with another devices.csv."""
    shutil.copytree(DEMO, folder)
    devices = folder / "devices.csv"
    devices.write_text(change(devices.read_text(encoding="utf-8")), encoding="utf-8")
    return str(folder)


@pytest.mark.usefixtures("_database")
def test_an_adapter_that_is_not_installed_is_said_before_anything_is_loaded(
    tmp_path: Path,
) -> None:
    folder = changed_demo(
        tmp_path / "city", lambda text: text.replace("cityos_json", "cityos_jsn", 1)
    )
    with pytest.raises(InvalidRequest, match=r"not installed: demo/.*: cityos_jsn; there are "):
        run("load", folder)


@pytest.mark.usefixtures("_database")
def test_a_device_whose_row_is_gone_is_named_for_it_stays_registered(tmp_path: Path) -> None:
    first = run("load", str(DEMO))
    assert "new vendors: demo" in first
    folder = changed_demo(
        tmp_path / "city",
        lambda text: "".join(
            line for line in text.splitlines(keepends=True) if "fujimori-mouth" not in line
        ),
    )
    again = run("load", folder)
    assert "though devices.csv does not name them: demo/fujimori-mouth" in again
    assert "new vendors" not in again


@pytest.mark.usefixtures("_database")
def test_a_city_that_goes_live_says_what_that_means(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "earnest" not in run("load", str(DEMO))
    path = AlertPath(database_url)
    try:
        path.proposed(tenant="yaizu", occasion=Exercise("practice"))
    finally:
        path.close()
    folder = Path(changed_demo(tmp_path / "city", str))
    town = folder / "city.toml"
    town.write_text(
        town.read_text(encoding="utf-8").replace("= true", "= false"), encoding="utf-8"
    )
    monkeypatch.setenv("CITYOS_TENANT", "town")
    assert run("load", str(folder)).splitlines()[1:] == [
        "yaizu is in earnest from now on: what its sensors say leads to real alerts",
        "  once it has a real value it cannot become a practice city again",
        "  no restart is needed for that; reload the pages that are open",
        (
            "  what it practiced stays the exercise 'practice'; end what is open of it:"
            " CITYOS_TENANT=yaizu cityos exercise end practice"
        ),
    ]
    monkeypatch.setenv("CITYOS_TENANT", "yaizu")
    assert "closed 1 proposals" in run("exercise", "end", "practice")
    assert "earnest" not in run("load", str(folder))

    text = town.read_text(encoding="utf-8").replace('"yaizu"', '"town"')
    town.write_text(text, encoding="utf-8")
    created = run("load", str(folder))
    assert "town is in earnest from now on: what its sensors say leads to real alerts" in created
    assert "practiced" not in created


@pytest.mark.usefixtures("_database")
def test_who_only_rehearses_is_no_new_vendor_whenever_it_is_loaded(tmp_path: Path) -> None:
    rehearses = 'gauges,one,cityos_json,WaterLevelGauge:koya,"{""rehearsal_only"": true}"\n'
    folder = changed_demo(tmp_path / "city", lambda text: text + rehearses)
    for _ in range(2):
        assert "gauges" not in run("load", folder)


@pytest.mark.usefixtures("_database")
def test_wrong_keys_are_refused_with_the_reason() -> None:
    run("load", str(DEMO))
    with pytest.raises(InvalidRequest, match="role must be one of"):
        run("key", "create", "x", "--role", "king")
    with pytest.raises(NotFound, match="there is no city 'nowhere' here"):
        run("key", "create", "x", "--tenant", "nowhere")
    with pytest.raises(NotFound, match="there is no key"):
        run("key", "revoke", "unknown")


@pytest.mark.usefixtures("_database")
def test_a_vendor_gets_its_password_and_another_one(tmp_path: Path) -> None:
    run("load", str(DEMO))
    users = run("broker", "users").splitlines()
    assert "demo-bus    says   cityos/v1/yaizu/demo-bus/+/observations" in users
    assert "ingest      hears  cityos/v1/+/+/+/observations/#" in users
    assert max(map(len, users)) <= 80
    password = run("broker", "password", "demo").strip()
    assert run("broker", "password", "demo").strip() == password
    renewed = run("broker", "password", "demo", "--new").strip()
    assert renewed not in {password, run("broker", "password", "jma").strip()}
    assert run("broker", "password", "demo").strip() == renewed
    assert renewed in (tmp_path / "secrets.json").read_text()
    with pytest.raises(NotFound, match=r"no user 'acme', there are .*a vendor needs a device"):
        run("broker", "password", "acme")


@pytest.mark.usefixtures("_database")
def test_a_vendor_may_rehearse_when_the_setting_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    run("load", str(DEMO))
    rehearsing = "topic write cityos/v1/yaizu/demo/+/observations/exercise/+"
    assert rehearsing not in run("broker", "access-list")
    monkeypatch.setenv("CITYOS_EXERCISE_VENDORS", "demo")
    listed = run("broker", "access-list").splitlines()
    assert listed.count(rehearsing) == 1
    assert rehearsing.replace("/demo/", "/demo-bus/") not in listed


@pytest.mark.usefixtures("_database")
def test_events_that_failed_are_listed_and_tried_again(database_url: str) -> None:
    run("load", str(DEMO))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO event (tenant_id, kind, status, run, dataset, at, document, failed_at,"
            " error) VALUES ('yaizu', 'observation', 'Exercise', 'practice', '', now(),"
            """ '{"entity": "urn:x", "property": "water_level"}', now(), 'evacuation: boom')"""
        )
    listed = run("events", "failed", "list")
    assert "evacuation: boom" in listed
    assert "Exercise" in listed
    said = run("events", "failed", "retry", "--id", "1", "--id", "99")
    assert "back in the queue: 1 events" in said
    assert "no failed event: 99" in said
    assert "boom" not in run("events", "failed", "list")


@pytest.mark.usefixtures("_database")
def test_an_exercise_is_listed_and_ended(database_url: str) -> None:
    run("load", str(DEMO))
    assert run("exercise", "list") == "no exercise is under way\n"
    path = AlertPath(database_url)
    try:
        path.clock.advance((SystemClock().now() - path.clock.now()).total_seconds())
        drill = Exercise("drill")
        path.approve(path.proposed(tenant="yaizu", occasion=drill), tenant="yaizu")
        path.proposed(key="flood/y", tenant="yaizu", occasion=drill)
        assert run("exercise", "list") == "drill  proposals: 1  in force: 1\n"
        said = run("exercise", "end", "drill", "--reason", "over")
        assert said == "drill: closed 1 proposals, cancelled 1 orders\n"
        newest = path.orders.proposals("yaizu", state=ProposalState.SUPERSEDED)[0]
        assert (newest.decided_by, newest.decision_note) == ("cityos exercise end", "over")
    finally:
        path.close()
    assert run("exercise", "list") == "no exercise is under way\n"
    assert "nothing waits and nothing is in force" in run("exercise", "end", "drill")
    with pytest.raises(NotFound, match="no exercise 'dril' in this city"):
        run("exercise", "end", "dril")


def keep_messages(url: str, tenant: str, *vendors: str) -> None:
    """A message of each vendor, received at the start of yesterday in Japan."""
    database = Database(url, application="test-keep", max_size=1)
    writer = PostgresObservationWriter(database)
    for number, vendor in enumerate(vendors, 1):
        where = f"cityos/v1/{tenant}/{vendor}/koya/observations"
        origin = writer.origin(Origin(tenant, vendor, "koya", where, "cityos_json@1.0.0"))
        block = RawBlock(number, YESTERDAY, [origin], [vendor.encode()])
        writer.store(IngestBatch(raw=[block]))
    database.close()


@pytest.mark.usefixtures("_database", "_japan")
def test_a_day_is_recorded_and_a_recording_is_not_lost_by_mistake(
    tmp_path: Path, database_url: str
) -> None:
    run("load", str(DEMO))
    keep_messages(database_url, "yaizu", "acme", "other")
    said = run("record", "day.jsonl", *DAY)
    assert (
        f"written: 2 messages of 2 devices to day.jsonl, received from {YESTERDAY:%Y-%m-%d}"
        f" 00:00:00+09:00 until {TODAY:%Y-%m-%d} 00:00:00+09:00\n"
    ) in said
    assert said.endswith(f"replay {tmp_path}/day.jsonl --speed 60\n")
    assert "of the asked time" not in said
    recorded = (tmp_path / "day.jsonl").read_bytes()
    assert json.loads(recorded.splitlines()[0]) == {
        "time": f"{YESTERDAY.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z",
        "topic": "cityos/v1/yaizu/acme/koya/observations",
        "payload": "acme",
    }

    with pytest.raises(Conflict, match=r"day\.jsonl is there already; .* with --force"):
        run("record", "day.jsonl", *DAY, "--vendor", "acme")
    assert (tmp_path / "day.jsonl").read_bytes() == recorded
    said = run("record", "day.jsonl", *DAY, "--vendor", "acme", "--tenant", "yaizu", "--force")
    assert "written: 1 message of 1 device" in said
    assert said.endswith("--speed 60 --tenant yaizu\n")
    assert (tmp_path / "day.jsonl").read_bytes() == recorded.splitlines(keepends=True)[0]


@pytest.mark.usefixtures("_database", "_japan")
def test_why_nothing_was_recorded_is_said(tmp_path: Path, database_url: str) -> None:
    run("load", str(DEMO))
    keep_messages(database_url, "another", "acme")
    with pytest.raises(NotFound, match="there is no city 'nowhere' here"):
        run("record", "day.jsonl", *DAY, "--tenant", "nowhere")
    with pytest.raises(NotFound, match=r"no message of vendor 'acme' in the city 'yaizu' is kept"):
        run("record", "day.jsonl", *DAY, "--vendor", "acme")
    long_ago = ("--since", "2001-01-01", "--until", "2001-01-31")
    with pytest.raises(
        NotFound,
        match=r"no message of the city 'yaizu' is kept from 2001-01-01 00:00:00\+09:00 until"
        r" 2001-01-31 00:00:00\+09:00; 30 days, 0:00:00 of the asked time lies before .* kept for"
        r" 30 days",
    ):
        run("record", "day.jsonl", *long_ago)
    with pytest.raises(InvalidRequest, match=r"write 2026-11-22T00:00Z for UTC or .*\+09:00"):
        run("record", "day.jsonl", "--since", "2026-11-22T00:00", "--until", "2026-11-23")
    assert not (tmp_path / "day.jsonl").exists()


@pytest.mark.usefixtures("_database")
def test_the_users_of_a_broker_that_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    run("load", str(DEMO))
    monkeypatch.setenv("CITYOS_MQTT_URL", "mqtt://town%2F1:secret@127.0.0.1:1")
    listed = run("broker", "access-list").splitlines()
    assert listed[0] == "user town/1"
    assert "topic read cityos/v1/+/+/+/observations/#" in listed
    assert [line for line in listed if line.startswith("user ")][1:] == [
        "user demo",
        "user demo-bus",
        "user demo-power",
        "user jma",
    ]
    with pytest.raises(InvalidRequest, match="CITYOS_MQTT_URL keeps its own passwords"):
        run("broker", "password", "demo")


@pytest.mark.usefixtures("_database")
def test_a_server_that_is_named_and_not_there_is_said_at_once(
    mqtt_broker: MqttBroker, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = mqtt_broker.url_for("ingest").replace(mqtt_broker.passwords["ingest"], "wrong")
    monkeypatch.setenv("CITYOS_MQTT_URL", wrong)
    monkeypatch.setattr("cityos.bootstrap.prepare._BROKER_S", 2.0)
    with pytest.raises(SetupFailed, match=r"CITYOS_MQTT_URL: 127\.0\.0\.1:\d+: no conn") as told:
        run("prepare", "--no-demo")
    assert "wrong" not in str(told.value)
    monkeypatch.setenv("CITYOS_DATABASE_URL", f"postgresql://x:hidden@127.0.0.1:{free_port}/x")
    with pytest.raises(SetupFailed, match=r"CITYOS_DATABASE_URL: .*Connection refused") as told:
        run("prepare", "--no-demo")
    assert "hidden" not in str(told.value)


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
def test_the_descriptions_are_written_as_they_are_compared(tmp_path: Path) -> None:
    with pytest.raises(SetupFailed, match="there is no folder openapi here"):
        run("openapi")
    written = tmp_path / "openapi"
    written.mkdir()
    with pytest.raises(Conflict, match="is not what the code says: run `make openapi`"):
        run("openapi", "--check")
    assert run("openapi").count(": written") == 2
    assert run("openapi", "--check").count("as it should be") == 2
    kept = {file.name: file.read_text() for file in (ROOT / "openapi").iterdir()}
    assert {file.name: file.read_text() for file in written.iterdir()} == kept


@pytest.mark.usefixtures("_nothing_runs", "_japan")
def test_the_supervisors_news_is_in_a_log_with_the_time_of_this_machine(tmp_path: Path) -> None:
    noon = datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)
    NewsLog(tmp_path, ChosenClock(noon)).add("mqtt runs again")
    assert run("logs", "supervisor") == "2026-11-22 21:00:01+09:00 info mqtt runs again\n"
    with pytest.raises(NotFound, match=r"no log of 'nobody' in .*; there are: supervisor$"):
        run("logs", "nobody")


@pytest.mark.usefixtures("_nothing_runs")
def test_nothing_running_is_an_exit_code_of_its_own() -> None:
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 3
    assert "nothing runs" in result.stdout


def test_a_log_is_followed_as_it_grows_and_when_it_begins_anew(tmp_path: Path) -> None:
    log = log_path(tmp_path, "ingest")
    log.parent.mkdir()
    log.write_text("older\nfirst\n")
    lines = control.log_lines(tmp_path, "ingest", lines=1, follow=True)
    assert next(lines) == "first"
    with log.open("a") as growing:
        growing.write("second\n")
    assert next(lines) == "second"
    log.write_text("rotated\n")
    assert next(lines) == "rotated"
