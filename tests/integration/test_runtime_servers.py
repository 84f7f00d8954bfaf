"""Every variant of every embedded server keeps the launcher's promises."""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cityos.errors import SetupFailed
from cityos.runtime import mqtt_access, ports, programs
from cityos.runtime.account import SHARED_ROOT
from cityos.runtime.broker import MqttBroker, accepts
from cityos.runtime.postgres import PostgresServer, start_postgres
from cityos.runtime.process import is_alive
from cityos.runtime.redis_server import RedisServer, start_redis
from cityos.runtime.secret_file import SecretFile
from cityos.runtime.stack import Server, start_broker


@dataclass(frozen=True)
class Variant:
    """One way to run one of the three services, and how to look into it."""

    kind: str
    program: programs.Program

    def start(self, home: Path, port: int = 0) -> Server:
        secrets, port = SecretFile(home / "secrets.json"), port or ports.free_port()
        if self.kind == "postgres":
            return start_postgres(home, [self.program], secrets=secrets, port=port)
        if self.kind == "redis":
            return start_redis(home, [self.program], secrets=secrets, port=port)
        users = [mqtt_access.INGEST, mqtt_access.vendor("demo", tenants=["+"])]
        return start_broker(
            home,
            [self.program],
            users=users,
            secrets=secrets,
            host="127.0.0.1",
            port=port,
            port_v5=ports.free_port(),
        )


def _all_variants() -> list[Variant]:
    return [
        *(Variant("postgres", program) for program in programs.postgres_programs()),
        *(Variant("redis", program) for program in programs.redis_programs()),
        *(Variant("mosquitto", program) for program in programs.mosquitto_programs()),
        *(Variant("rumqttd", program) for program in programs.rumqttd_programs()),
    ]


@pytest.fixture(params=_all_variants(), ids=lambda v: f"{v.kind}-{v.program.origin}")
def variant(request: pytest.FixtureRequest) -> Variant:
    return request.param


@pytest.fixture
def start(variant: Variant) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start_it(home: Path, port: int = 0) -> Server:
        started.append(variant.start(home, port))
        return started[-1]

    yield start_it
    for server in started:
        server.stop()


def test_it_answers_stops_cleanly_and_starts_again(
    start: Callable[..., Server], new_home: Callable[[], Path]
) -> None:
    home = new_home()
    for _ in range(2):
        server = start(home)
        assert _lets_us_in(server)
        server.stop()
        assert not is_alive(server.child.mark)
        assert ports.is_free(server.port)


def test_what_it_keeps_survives_a_kill_and_the_same_port_is_taken_again(
    start: Callable[..., Server], new_home: Callable[[], Path]
) -> None:
    home = new_home()
    first = start(home)
    _keep_something(first)
    first.kill()
    again = start(home, first.port)
    assert again.port == first.port
    assert _still_kept(again)


def test_a_server_that_a_killed_run_left_alive_is_stopped_first(
    start: Callable[..., Server], new_home: Callable[[], Path]
) -> None:
    home = new_home()
    left = start(home)
    again = start(home)
    assert not is_alive(left.child.mark)
    assert _lets_us_in(again)


def test_it_listens_on_loopback_alone(
    start: Callable[..., Server], new_home: Callable[[], Path]
) -> None:
    server = start(new_home())
    listening = set()
    for process in _family(server):
        with contextlib.suppress(psutil.NoSuchProcess):  # a worker that was there a moment ago
            for connection in process.net_connections(kind="inet"):
                if connection.status == psutil.CONN_LISTEN:
                    listening.add(connection.laddr.ip)
    assert listening == {"127.0.0.1"}


def test_nobody_gets_in_without_the_password(
    start: Callable[..., Server], new_home: Callable[[], Path]
) -> None:
    server = start(new_home())
    assert not _lets_in_without_password(server)
    assert not _lets_in_with(server, "wrong")


def test_it_does_not_run_as_root_and_its_files_are_private(
    start: Callable[..., Server], new_home: Callable[[], Path]
) -> None:
    home = new_home()
    server = start(home)
    names = {psutil.Process(server.child.pid).username()}
    if os.geteuid() == 0:
        assert "root" not in names
    else:
        assert names == {pwd.getpwuid(os.geteuid()).pw_name}
    secret = home / "secrets.json"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    folders = [path for path in home.iterdir() if path.is_dir() and path.name != "run"]
    for folder in folders:
        assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0, folder


def test_its_log_is_written_and_its_record_names_it(
    start: Callable[..., Server], new_home: Callable[[], Path]
) -> None:
    home = new_home()
    server = start(home)
    assert (home / "log" / f"{server.child.name}.log").parent.is_dir()
    assert f'"pid": {server.child.pid}' in (home / "run" / f"{server.child.name}.json").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as somebody else")
def test_root_in_a_private_folder_widens_nothing(
    start: Callable[..., Server], variant: Variant, tmp_path: Path
) -> None:
    # pytest's folder is mode 700, like root's home
    parents = [tmp_path, *tmp_path.parents, Path("/root")]
    before = [stat.S_IMODE(folder.stat().st_mode) for folder in parents]
    home = tmp_path / "home"
    home.mkdir(mode=0o711)
    server = start(home)
    assert _lets_us_in(server)
    server.stop()
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in parents] == before
    for link in home.iterdir():
        if link.is_symlink():
            apart = link.resolve()
            assert apart.parent == SHARED_ROOT, variant
            for path in sorted(apart.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            apart.rmdir()
    with contextlib.suppress(OSError):  # it may hold another city's
        SHARED_ROOT.rmdir()


def test_a_program_that_cannot_start_says_where_to_look(
    variant: Variant, new_home: Callable[[], Path]
) -> None:
    home, port = new_home(), ports.free_port()
    if variant.kind == "postgres":
        server = variant.start(home, port)
        server.stop()
        (home / "postgres" / "data" / "global" / "pg_control").unlink()
        with pytest.raises(SetupFailed, match=r"log/postgres\.log"):
            variant.start(home, port)
        return
    broken = Variant(variant.kind, programs.Program("machine", Path("/bin/false")))
    if variant.kind == "rumqttd":
        broken = Variant(variant.kind, programs.Program("wheel", Path("/nowhere/iotcore")))
    with pytest.raises((SetupFailed, FileNotFoundError)):
        broken.start(home, port)


# --- looking in ---------------------------------------------------------------------------------


def _family(server: Server) -> list[psutil.Process]:
    process = psutil.Process(server.child.pid)
    return [process, *process.children(recursive=True)]


def _lets_us_in(server: Server) -> bool:
    if isinstance(server, PostgresServer):
        with psycopg.connect(server.url) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    if isinstance(server, RedisServer):
        with redis.Redis.from_url(server.url) as client:
            return bool(client.ping())
    who = ("demo", server.passwords["demo"])
    # it asks for an answer within a second, which a busy machine may not give at once
    return all(
        any(accepts(server.host, port, *who, version=version) for _ in range(5))
        for port, version in ((server.port, 4), (server.port_v5, 5))
    )


def _lets_in_without_password(server: Server) -> bool:
    if isinstance(server, MqttBroker):
        # CONNECT of an anonymous client, MQTT 3.1.1
        with socket.create_connection((server.host, server.port), timeout=5) as connection:
            connection.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x05\x00\x01a")
            answer = connection.recv(4)
        return len(answer) == 4 and answer[3] == 0
    return _lets_in_with(server, "")


def _lets_in_with(server: Server, password: str) -> bool:
    if isinstance(server, MqttBroker):
        return accepts(server.host, server.port, "demo", password)
    if isinstance(server, RedisServer):
        client = redis.Redis(
            "127.0.0.1", server.port, password=password or None, retry=Retry(NoBackoff(), 0)
        )
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()
    user_host = server.url.partition("://")[2].partition("@")[2]
    try:
        psycopg.connect(f"postgresql://cityos:{password}@{user_host}").close()
    except psycopg.OperationalError:
        return False
    return True


def _keep_something(server: Server) -> None:
    if isinstance(server, PostgresServer):
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    elif isinstance(server, RedisServer):
        with redis.Redis.from_url(server.url) as client:
            client.set("kept", "42")
        time.sleep(1.2)  # its log is written out once a second


def _still_kept(server: Server) -> bool:
    if isinstance(server, PostgresServer):
        with psycopg.connect(server.url) as connection:
            return connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    if isinstance(server, RedisServer):
        with redis.Redis.from_url(server.url) as client:
            return client.get("kept") == b"42"
    return _lets_us_in(server)  # nobody may rely on a broker's memory
