"""A server that says what it is at is waited for; one that says nothing is not."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from cityos.errors import SetupFailed
from cityos.runtime import ports, postgres, programs, service
from cityos.runtime.postgres import PostgresServer
from cityos.runtime.process import Mark, is_alive
from cityos.runtime.secret_file import SecretFile
from cityos.runtime.waiting import CalledOff, Waiting


@pytest.fixture
def recovering(
    start_own_postgres: Callable[..., PostgresServer], new_home: Callable[[], Path]
) -> Iterator[Path]:
    """The home of a server that, started again, recovers until it is told to end that.

    It follows another server that is not there: recovery without an end, and nobody is let in.
    """
    home = new_home()
    server = start_own_postgres(home)
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    data = home / "postgres" / "data"
    (data / "local.conf").write_text("hot_standby = off\n")
    (data / "standby.signal").touch()
    for name in ("local.conf", "standby.signal"):
        owner = data.stat()
        os.chown(data / name, owner.st_uid, owner.st_gid)
    yield home
    left = _mark(home)
    if left is not None and is_alive(left):
        os.kill(left.pid, signal.SIGKILL)


def test_a_recovery_is_waited_for_beyond_the_deadline_of_a_silent_server(
    recovering: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_START_S", 1.5)
    monkeypatch.setattr(service, "_TOLD_AFTER_S", 1.0)
    said: list[str] = []
    threading.Timer(5.0, _promote, [recovering]).start()
    begun = time.monotonic()
    server = _start(recovering, Waiting(said.append))
    assert time.monotonic() - begun > 4
    assert said == ["PostgreSQL recovers after a crash, waiting"]
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    server.stop()


def test_waiting_for_a_recovery_is_called_off(recovering: Path) -> None:
    waiting = Waiting()
    threading.Timer(2.0, waiting.called_off.set).start()
    begun = time.monotonic()
    with pytest.raises(CalledOff):
        _start(recovering, waiting)
    assert time.monotonic() - begun < 10
    assert _mark(recovering) is None


def test_a_recovery_has_a_limit_too(recovering: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_START_S", 0.5)
    monkeypatch.setattr(service, "_BUSY_S", 1.0)
    with pytest.raises(SetupFailed, match="postgres does not answer after"):
        _start(recovering, Waiting())


def test_an_ordinary_start_is_not_called_a_recovery(new_home: Callable[[], Path]) -> None:
    said: list[str] = []
    _start(new_home(), Waiting(said.append)).stop()
    assert not said


def test_a_silent_server_has_the_short_deadline(new_home: Callable[[], Path]) -> None:
    home = new_home()
    launch = service.Launch(home, "mute", accounts=[], stop_s=1)
    with pytest.raises(SetupFailed, match="mute does not answer after 0 s"):
        launch.start(["sleep", "60"], answers=lambda: False, within_s=0.3)
    assert not list((home / "run").iterdir())


def test_a_server_that_cannot_be_asked_is_not_left_running(new_home: Callable[[], Path]) -> None:
    home = new_home()
    launch = service.Launch(home, "odd", accounts=[], stop_s=1)
    marks: list[Mark | None] = []

    def answers() -> bool:
        marks.append(_mark(home, "odd"))
        raise OSError(24, "Too many open files")

    with pytest.raises(OSError, match="Too many"):
        launch.start(["sleep", "60"], answers=answers, within_s=5)
    assert marks[0] is not None
    assert not is_alive(marks[0])


def test_a_database_that_cannot_be_set_up_is_a_failed_start(
    start_own_postgres: Callable[..., PostgresServer],
    new_home: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def disk_full(*_arguments: object) -> None:
        raise psycopg.errors.DiskFull

    monkeypatch.setattr(postgres, "_ensure_owner", disk_full)
    home = new_home()
    with pytest.raises(SetupFailed, match="DiskFull"):
        start_own_postgres(home)
    assert _mark(home) is None


def _start(home: Path, waiting: Waiting) -> PostgresServer:
    return postgres.start_postgres(
        home,
        programs.postgres_programs(),
        secrets=SecretFile(home / "secrets.json"),
        port=ports.free_port(),
        waiting=waiting,
    )


def _promote(home: Path) -> None:
    (home / "postgres" / "data" / "promote").touch()
    mark = _mark(home)
    assert mark is not None
    os.kill(mark.pid, signal.SIGUSR1)


def _mark(home: Path, name: str = "postgres") -> Mark | None:
    record = home / "run" / f"{name}.json"
    if not record.exists():
        return None
    entry = json.loads(record.read_text())
    return Mark(entry["pid"], entry["started"])
