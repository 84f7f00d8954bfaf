"""What a full or broken disk does to the supervisor: much is lost, but the city goes on."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.console import Console

from cityos.bootstrap.up import up
from cityos.clock import SystemClock
from cityos.errors import SetupFailed, Unavailable
from cityos.runtime import running
from cityos.runtime.account import Account
from cityos.runtime.bounded_log import BoundedLog
from cityos.runtime.news import SUPERVISOR, NewsLog
from cityos.runtime.process import Child, Command, is_alive, run
from cityos.runtime.records import Records
from cityos.runtime.secret_file import SecretFile
from cityos.runtime.service import log_path
from cityos.runtime.stack import Stack, StackPlan
from cityos.runtime.supervisor import Part, Supervisor
from cityos.settings import Settings
from cityos.storage.database import Database, migrate
from tests.waiting import wait_until

SLEEP = Part(name="part", argv=["sleep", "60"], says_ready=False)
FULL = OSError(28, "No space left on device")


class Servers(Stack):
    """Servers of which one is dead until ``restart`` has done what the test wants of it."""

    def __init__(self, home: Path, restart: Callable[[], None]) -> None:
        plan = StackPlan(home=home, database_url="x", mqtt_url="x", redis_url="x")
        super().__init__(plan, secrets=SecretFile(home / "secrets.json"))
        self._restart = restart
        self.is_dead = False

    def dead(self) -> list[str]:
        return ["postgres"] if self.is_dead else []

    def restart(self, name: str) -> None:
        assert name == "postgres"
        self._restart()
        self.is_dead = False


class City:
    """A supervisor over ``sleep`` and a server that is not real."""

    def __init__(
        self,
        home: Path,
        *parts: Part,
        folder: Path = Path("/"),
        restart: Callable[[], None] = list,
    ) -> None:
        self.said: list[str] = []
        self.disk_is_full = False
        self.servers = Servers(home, restart)
        self.supervisor = Supervisor(
            home=home,
            folder=folder,
            stack=self.servers,
            parts=parts or (SLEEP,),
            clock=SystemClock(),
            say=self._say,
        )

    def look_until(self, done: Callable[[], bool], within_s: float = 10.0) -> None:
        deadline = time.monotonic() + within_s
        while not done():
            assert time.monotonic() < deadline, self.said
            self.supervisor._look()
            time.sleep(0.02)

    def child(self) -> Child | None:
        return self.supervisor._watched[0].child

    def _say(self, news: str) -> None:
        if self.disk_is_full:
            raise FULL
        self.said.append(news)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    running.open_home(tmp_path, others_may_pass=False)
    return tmp_path


def command(home: Path, *argv: str, name: str = "part") -> Command:
    return Command(
        name=name,
        argv=argv,
        folder=home,
        account=Account("self"),
        log=home / "log" / f"{name}.log",
    )


def test_news_that_cannot_be_said_is_lost_and_the_part_comes_back_nevertheless(home: Path) -> None:
    city = City(home)
    assert city.supervisor.start(within_s=5)
    first = city.child()
    assert first is not None
    city.disk_is_full = True
    first.kill()
    city.look_until(lambda: city.child() not in {first, None})
    assert not city.said
    city.supervisor.stop()


def test_a_process_that_cannot_be_recorded_runs_and_is_recorded_later(home: Path) -> None:
    city, away = City(home), home / "away"
    (home / "run").rename(away)
    assert city.supervisor.start(within_s=5)
    away.rename(home / "run")
    city.look_until(lambda: len(list(Records(home).living())) == 1)
    city.supervisor.stop()
    assert not list((home / "run").glob("*.json"))


def test_a_part_that_cannot_be_started_is_tried_again(home: Path) -> None:
    folder = home / "folder"
    folder.mkdir()
    city = City(home, folder=folder)
    assert city.supervisor.start(within_s=5)
    first = city.child()
    assert first is not None
    folder.rmdir()
    first.kill()
    city.look_until(lambda: len(city.said) == 2)
    assert "part does not start" in city.said[1]
    assert "starting it again in 1 s" in city.said[1]
    folder.mkdir()
    city.look_until(lambda: city.child() is not None)
    city.supervisor.stop()


def test_a_child_that_cannot_be_looked_after_is_not_left_running(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def noted(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        return started[-1]

    def too_many_files(_pid: int) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("cityos.runtime.process.subprocess.Popen", noted)
    monkeypatch.setattr("cityos.runtime.process.mark_of", too_many_files)
    with pytest.raises(OSError, match="Too many open files"):
        Child(command(home, "sleep", "60"))
    assert [process.poll() for process in started] == [-9]


def test_a_server_whose_files_cannot_be_written_is_tried_again(home: Path) -> None:
    tries: list[float] = []

    def restart() -> None:
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise FULL

    city = City(home, restart=restart)
    assert city.supervisor.start(within_s=5)
    city.servers.is_dead = True
    city.look_until(lambda: "postgres runs again" in city.said)
    assert any("No space left on device" in said for said in city.said)
    assert tries[1] - tries[0] >= 0.5
    city.supervisor.stop()


def test_the_log_goes_on_whatever_its_listener_does(home: Path) -> None:
    def hear(_line: bytes) -> None:
        raise FULL

    child = Child(
        command(home, "sh", "-c", "for n in 1 2 3; do echo $n; sleep 0.1; done"), hear=hear
    )
    wait_until(lambda: child.exit_code() is not None)
    assert child.stop(1) == 0
    assert child.last_words() == "1\n2\n3"


def test_a_log_that_cannot_be_written_is_read_and_written_again_when_it_can(home: Path) -> None:
    log = home / "log" / "part.log"
    log.mkdir()  # as bad as a full disk: nothing can be written there
    lines = "import time\nfor n in range(400): print(n, 'x' * 1000, flush=True); time.sleep(0.002)"
    child = Child(command(home, sys.executable, "-c", lines))
    time.sleep(0.3)
    log.rmdir()
    wait_until(lambda: child.exit_code() is not None)
    assert child.stop(1) == 0
    assert child.last_words(1).startswith("399 ")


def test_what_a_program_said_can_be_lost_without_harm(home: Path) -> None:
    said = run(
        ["echo", "yes"], account=Account("self"), folder=home, timeout_s=5, log=home / "log"
    )
    assert said == b"yes\n"


# --- the first start ----------------------------------------------------------------------------


def test_a_first_start_without_room_says_so_and_not_how_it_failed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_settings: Settings) -> None:
        raise OSError(28, "No space left on device", str(home / "secrets.json"))

    monkeypatch.setattr("cityos.bootstrap.up.connect.secrets", full)
    with pytest.raises(SetupFailed, match=r"No space left on .*secrets\.json\); make room there"):
        up(Settings(home=home), Console(file=io.StringIO()), after_ready=list)


def test_a_database_without_room_is_named_as_that(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any, **_options: Any) -> None:
        raise psycopg.errors.DiskFull("could not extend file")

    monkeypatch.setattr("alembic.command.upgrade", full)
    with pytest.raises(SetupFailed, match="the database's disk is full"):
        migrate(database_url)
    database = Database(database_url, application="test-full-disk", max_size=1)
    with pytest.raises(Unavailable, match="the database's disk is full"), database.connection():
        full()
    database.close()


def test_the_supervisors_news_waits_for_no_disk(home: Path) -> None:
    log = log_path(home, SUPERVISOR)
    log.mkdir()  # as bad as a full disk: nothing can be written there
    news = NewsLog(home, SystemClock())
    news.add("lost")
    log.rmdir()
    news.add("kept")
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()] == ["kept"]


def test_what_is_said_for_years_does_not_fill_the_disk(home: Path) -> None:
    log = BoundedLog(home / "log" / "news.log", max_bytes=100)
    for number in range(100):
        log.append(b"%09d\n" % number)
    kept = b"".join((home / "log" / name).read_bytes() for name in ("news.log.1", "news.log"))
    assert kept.endswith(b"%09d\n" % 99)
    assert 100 <= len(kept) <= 200


# --- stopping -----------------------------------------------------------------------------------


def test_a_child_that_outlives_sigkill_is_named_and_the_others_are_stopped(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cityos.runtime.supervisor._STOP_S", 0.1)
    city = City(home, SLEEP, Part(name="stuck", argv=["sleep", "60"], says_ready=False))
    assert city.supervisor.start(within_s=5)
    part, stuck = (watched.child for watched in city.supervisor._watched)
    assert part is not None
    assert stuck is not None
    with monkeypatch.context() as patch:  # as a process that waits for a disk that hangs
        patch.setattr(stuck._popen, "send_signal", lambda _number: None)
        codes = city.supervisor.stop()
    assert codes == {"stuck": None, "part": -15}
    assert not is_alive(part.mark)
    assert city.said == ["stuck does not end, even killed: the next start looks for it again"]
    assert [record.name for record in Records(home).living()] == [
        "stuck"
    ]  # the next start finds it
    stuck.kill()


# --- while a server comes back ------------------------------------------------------------------


def test_parts_are_looked_after_while_a_server_comes_back(home: Path) -> None:
    may_end = False
    servers: list[Child] = []

    def restart() -> None:
        servers.append(Child(command(home, "sleep", "60", name="postgres")))
        wait_until(lambda: may_end)

    city = City(home, restart=restart)
    assert city.supervisor.start(within_s=5)
    first = city.child()
    assert first is not None
    city.servers.is_dead = True
    city.look_until(lambda: bool(servers))
    first.kill()
    city.look_until(lambda: city.child() not in {first, None})
    may_end = True
    city.look_until(lambda: "postgres runs again" in city.said)
    time.sleep(0.3)
    # the thread that started it lives on: its death would have been the server's
    assert servers[0].exit_code() is None
    city.supervisor.stop()
    servers[0].stop(5)


def test_a_stop_calls_a_restart_off(home: Path) -> None:
    def restart() -> None:
        while True:
            city.servers.waiting.pause(0.02)

    city = City(home, restart=restart)
    assert city.supervisor.start(within_s=5)
    city.servers.is_dead = True
    city.look_until(lambda: bool(city.said))
    begun = time.monotonic()
    city.supervisor.request_stop()
    city.supervisor.run()
    assert city.supervisor.stop() == {"part": -15}
    assert time.monotonic() - begun < 2
