"""The supervisor over real child processes: ready, restart, give up, stop, and dying itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cityos.clock import SystemClock
from cityos.errors import Conflict, SetupFailed
from cityos.runtime import running
from cityos.runtime.account import Account
from cityos.runtime.process import Child, Command, Mark, end, is_alive, mark_of, run
from cityos.runtime.records import Records
from cityos.runtime.secret_file import SecretFile
from cityos.runtime.stack import Stack, StackPlan
from cityos.runtime.supervisor import Part, Supervisor

ROOT = Path(__file__).parents[2]
SELF = Account("self")
READY = """
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"READY=1", "\\0" + os.environ["NOTIFY_SOCKET"][1:])
"""
SLEEP = "import time; time.sleep(60)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


class City:
    """A supervisor over parts that are small scripts, and what it said."""

    def __init__(
        self, home: Path, *parts: Part, checks: tuple[Callable[[], bool], ...] = ()
    ) -> None:
        self.home = home
        self.said: list[str] = []
        given = StackPlan(home=home, database_url="x", mqtt_url="x", redis_url="x")
        self.supervisor = Supervisor(
            home=home,
            folder=ROOT,
            stack=Stack(given, secrets=SecretFile(home / "secrets.json")),
            parts=parts,
            clock=SystemClock(),
            say=self.said.append,
            checks=checks,
        )

    def mark(self, name: str) -> Mark:
        entry = json.loads((self.home / "run" / f"{name}.json").read_text())
        return Mark(entry["pid"], entry["started"])

    def look_until(self, done: Callable[[], bool], within_s: float = 10.0) -> None:
        deadline = time.monotonic() + within_s
        while not done():
            assert time.monotonic() < deadline, self.said
            self.supervisor._look()
            time.sleep(0.02)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    running.open_home(tmp_path, others_may_pass=False)
    return tmp_path


def test_the_city_is_ready_when_every_part_has_said_so_and_every_check_agrees(home: Path) -> None:
    answers = iter([False, False, True])
    city = City(
        home,
        Part(name="quick", argv=python(READY + SLEEP)),
        Part(name="quiet", argv=python(SLEEP), says_ready=False),
        checks=(lambda: next(answers),),
    )
    assert city.supervisor.start(within_s=10)
    assert next(answers, "asked until it agreed") == "asked until it agreed"
    codes = city.supervisor.stop()
    assert codes == {"quiet": -signal.SIGTERM, "quick": -signal.SIGTERM}
    assert list(codes) == ["quiet", "quick"]  # those started last stop first
    assert not list((home / "run").iterdir())


def test_a_part_that_never_gets_ready_is_named_with_the_end_of_its_log(home: Path) -> None:
    city = City(home, Part(name="slow", argv=python("print('warming up', flush=True)\n" + SLEEP)))
    with pytest.raises(SetupFailed, match=r"(?s)slow is not ready after 1 s.*warming up"):
        city.supervisor.start(within_s=0.6)
    city.supervisor.stop()


def test_starting_is_given_up_when_a_part_keeps_ending(home: Path) -> None:
    city = City(home, Part(name="broken", argv=python("raise SystemExit('no such column')")))
    with pytest.raises(SetupFailed, match=r"(?s)broken keeps ending.*no such column"):
        city.supervisor.start(within_s=30)
    assert "exit code 1" in city.said[0]
    city.supervisor.stop()


def test_an_optional_part_that_ends_does_not_hold_the_city_up(home: Path) -> None:
    city = City(
        home,
        Part(name="needed", argv=python(READY + SLEEP)),
        Part(name="extra", argv=python("raise SystemExit(3)"), needed=False),
    )
    assert city.supervisor.start(within_s=10)
    city.supervisor.stop()


def test_a_crashed_part_is_started_again_and_a_person_is_told(home: Path) -> None:
    city = City(home, Part(name="part", argv=python(READY + SLEEP)))
    city.supervisor.start(within_s=10)
    before = city.mark("part")
    os.kill(before.pid, signal.SIGKILL)
    city.look_until(lambda: bool(city.said))
    assert "part ended (SIGKILL), starting it again in 0.5 s" in city.said[0]
    record = home / "run" / "part.json"
    city.look_until(lambda: record.exists() and city.mark("part") != before)
    assert is_alive(city.mark("part"))
    city.supervisor.stop()


def test_each_end_in_a_row_makes_the_pause_longer(home: Path) -> None:
    city = City(home, Part(name="flapping", argv=python("raise SystemExit(1)"), needed=False))
    city.supervisor._start(city.supervisor._watched[0])
    city.look_until(lambda: len(city.said) == 3)
    pauses = [said.partition(" again in ")[2].partition(" s;")[0] for said in city.said]
    assert pauses == ["0.5", "1", "2"]
    city.supervisor.stop()


def test_what_a_killed_run_left_behind_is_ended_before_the_next_start(home: Path) -> None:
    left = Child(
        Command(
            name="part",
            argv=python(SLEEP),
            folder=ROOT,
            account=SELF,
            log=home / "log" / "part.log",
            environment=None,
        )
    )
    Records(home).put(left)
    city = City(home, Part(name="part", argv=python(READY + SLEEP)))
    assert city.supervisor.clear_leftovers() == 1
    assert not is_alive(left.mark)
    assert city.supervisor.clear_leftovers() == 0
    left.stop(1)
    city.supervisor.stop()


def test_a_stranger_with_a_recorded_pid_is_left_alone(home: Path) -> None:
    stranger = subprocess.Popen(python(SLEEP))
    entry = {"pid": stranger.pid, "started": "another boot/1", "stop_signals": [15, 9]}
    (home / "run").mkdir(exist_ok=True)
    (home / "run" / "part.json").write_text(json.dumps(entry))
    city = City(home, Part(name="part", argv=python(SLEEP)))
    assert city.supervisor.clear_leftovers() == 0
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    city.supervisor.stop()


@pytest.mark.parametrize("text", ["", "{", '{"pid": "x"}', "[]"])
def test_a_record_that_a_crash_cut_short_names_nobody(home: Path, text: str) -> None:
    (home / "run").mkdir(exist_ok=True)
    (home / "run" / "part.json").write_text(text)
    assert not list(Records(home).living())
    assert Records(home).clear("part", grace_s=1) is False


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        python(
            f"""
            import pathlib, sys, time
            from cityos.runtime.account import Account
            from cityos.runtime.process import Child, Command
            child = Child(Command(
                name="child", argv=["/bin/sleep", "60"], folder=pathlib.Path("/"),
                account=Account("self"), log=pathlib.Path({str(tmp_path / "child.log")!r})))
            print(child.pid, flush=True)
            time.sleep(60)
            """
        ),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = mark_of(int(parent.stdout.readline()))
    assert child is not None
    _wait_until(lambda: Path(f"/proc/{child.pid}/comm").read_text() == "sleep\n")
    parent.kill()
    parent.wait()
    _wait_until(lambda: not is_alive(child))


def test_a_process_that_ignores_the_first_signal_gets_the_next() -> None:
    stubborn = subprocess.Popen(
        python(
            "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True)\n" + SLEEP
        ),
        stdout=subprocess.PIPE,
    )
    assert stubborn.stdout is not None
    with stubborn.stdout:
        stubborn.stdout.readline()
    mark = mark_of(stubborn.pid)
    assert mark is not None
    assert end(mark, stop_signals=[signal.SIGTERM, signal.SIGKILL], grace_s=0.3)
    assert stubborn.wait() == -signal.SIGKILL
    assert not end(mark, stop_signals=[signal.SIGTERM], grace_s=0.3)


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(SetupFailed, match="exit code 7:\nthe reason"):
        run(
            python("import sys; sys.stderr.write('the reason'); sys.exit(7)"),
            account=SELF,
            folder=tmp_path,
            timeout_s=10,
            log=tmp_path / "log",
        )
    with pytest.raises(SetupFailed, match="did not end within 0 s"):
        run(python(SLEEP), account=SELF, folder=tmp_path, timeout_s=0.2, log=tmp_path / "log")
    with pytest.raises(SetupFailed, match="No such file or directory"):
        run(["/no/such"], account=SELF, folder=tmp_path, timeout_s=5, log=tmp_path / "log")


def test_a_state_folder_has_one_city_and_the_second_is_told_where(home: Path) -> None:
    script = python(
        f"""
        import os, pathlib, time
        from cityos.runtime import running
        from cityos.runtime.process import mark_of
        home = pathlib.Path({str(home)!r})
        held = running.lock(home)
        nowhere = running.Addresses(database_url="", redis_url="", mqtt_urls={{}})
        running.RunningCity(supervisor=mark_of(os.getpid()), addresses=nowhere,
                            http_url="http://127.0.0.1:8080").write(home)
        print(flush=True)
        time.sleep(60)
        """
    )
    first = subprocess.Popen(script, stdout=subprocess.PIPE, cwd=ROOT)
    assert first.stdout is not None
    with first.stdout:
        first.stdout.readline()
    with pytest.raises(Conflict, match=rf"already running.*8080 \(process {first.pid}\)"):
        running.lock(home)
    first.kill()
    first.wait()
    # a killed one blocks nobody, and what it wrote is not believed
    running.lock(home).close()
    assert running.running_city(home) is None


def test_a_log_does_not_grow_without_end(tmp_path: Path) -> None:
    child = Child(
        Command(
            name="noisy",
            argv=python("for number in range(150_000): print('line', number, 'x' * 40)"),
            folder=tmp_path,
            account=SELF,
            log=tmp_path / "noisy.log",
        )
    )
    _wait_until(lambda: child.exit_code() is not None, within_s=30)
    child.stop(1)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"noisy.log", "noisy.log.1"}
    assert max(sizes.values()) < 4.2 * 1024 * 1024
    assert child.last_words(1).startswith("line 149999")


def _wait_until(done: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
