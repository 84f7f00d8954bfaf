"""Real servers for the tests: PostgreSQL, an MQTT broker and Redis as child processes.

They start when the first test asks for them, and end with the session. Which programs are used:
the machine's own where there are any, else the wheels'; ``--servers wheel`` (or
``CITYOS_TEST_SERVERS=wheel``) forces the wheels'. ``CITYOS_TEST_DATABASE_URL`` points everything
that asks for ``database_url`` at another server, for example one with TimescaleDB: a superuser's
URL, for every test gets a database of its own.
"""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import psycopg
import pytest
import redis
import structlog
from psycopg import sql
from pydantic_settings import BaseSettings, SettingsConfigDict

from cityos.runtime import mqtt_access, ports, programs
from cityos.runtime.broker import MqttBroker
from cityos.runtime.postgres import PostgresServer, start_postgres
from cityos.runtime.redis_server import RedisServer, start_redis
from cityos.runtime.secret_file import SecretFile
from cityos.runtime.stack import Server, start_broker
from cityos.storage import database
from tests.alert_path import AlertPath, alert_path

S = TypeVar("S", bound=Server)

_FIRST_WITH_STRATEGIES = 150_000
_DROP_S = 15.0
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of a random name in it, as in any other
_MEMORY_WANTED_BYTES = 4 * 1024**3
MQTT_VENDORS = ("demo", "jma", "acme", "other", "yaizu", "fukui")
MQTT_USERS = (
    mqtt_access.INGEST,
    mqtt_access.DISPATCH,
    mqtt_access.REHEARSAL,
    mqtt_access.REPLAY,
    mqtt_access.whole_city("city"),
    mqtt_access.speaker("simulator", vendors=["+"]),
    mqtt_access.speaker("feeds", vendors=["jma"]),
    *(mqtt_access.vendor(name, tenants=["+"]) for name in MQTT_VENDORS),
)


class TestSettings(BaseSettings):
    """``CITYOS_TEST_...`` in the environment."""

    __test__ = False
    model_config = SettingsConfigDict(env_prefix="CITYOS_TEST_")

    database_url: str = ""
    servers: Literal["any", "machine", "wheel"] = "any"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--servers",
        choices=["any", "machine", "wheel"],
        help="which server programs the fixtures use (default: the machine's, else the wheels')",
    )


@pytest.fixture(scope="session")
def test_settings(pytestconfig: pytest.Config) -> TestSettings:
    settings = TestSettings()
    chosen = pytestconfig.getoption("--servers")
    return settings.model_copy(update={"servers": chosen}) if chosen else settings


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that the servers' accounts can reach; pytest's own is private to the user."""
    # in memory where there is room: a thousand databases come and go, of 300 files each
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MEMORY_WANTED_BYTES
    folder = Path(tempfile.mkdtemp(prefix="cityos-tests-", dir=_MEMORY if roomy else None))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_home(server_folder: Path) -> Callable[[], Path]:
    """Makes state folders for servers that a test starts and stops itself."""

    def make() -> Path:
        home = Path(tempfile.mkdtemp(prefix="home-", dir=server_folder))
        home.chmod(0o711)
        return home

    return make


@pytest.fixture(scope="session")
def postgres_programs(test_settings: TestSettings) -> list[programs.Program]:
    return _chosen(programs.postgres_programs(), test_settings)


@pytest.fixture(scope="session")
def redis_programs(test_settings: TestSettings) -> list[programs.Program]:
    return _chosen(programs.redis_programs(), test_settings)


@pytest.fixture(scope="session")
def broker_programs(test_settings: TestSettings) -> list[programs.Program]:
    return _chosen(programs.broker_programs(), test_settings)


# --- PostgreSQL ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server(
    server_folder: Path, postgres_programs: list[programs.Program]
) -> Iterator[PostgresServer]:
    """One server for the session, without fsync: no test of the session pulls its plug."""
    yield from _for_the_session(
        server_folder / "session-postgres",
        partial(_start_postgres, postgres_programs, durable=False),
    )


@pytest.fixture(scope="session")
def database_server_url(
    test_settings: TestSettings, request: pytest.FixtureRequest
) -> Iterator[str]:
    """Where databases for tests are made."""
    if test_settings.database_url:
        yield test_settings.database_url
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        yield server.url


@pytest.fixture(scope="session")
def template_database(database_server_url: str) -> Iterator[str]:
    """A migrated database that nobody may enter, for cloning takes milliseconds, migrating not."""
    name = f"cityos_template_{os.getpid()}"
    _execute(database_server_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    database.migrate(_with_database(database_server_url, name))
    # TimescaleDB's workers stay connected, which would forbid cloning
    _execute(
        database_server_url,
        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)),
        sql.SQL(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = {} AND backend_type <> 'autovacuum worker'"
        ).format(sql.Literal(name)),
    )
    yield name
    _drop(database_server_url, name)


@pytest.fixture(scope="session")
def _database_numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def database_url(
    database_server_url: str, template_database: str, _database_numbers: Iterator[int]
) -> Iterator[str]:
    """The URL of a migrated, empty database of this test's own."""
    with _database(database_server_url, template_database, next(_database_numbers)) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(
    database_server_url: str, template_database: str, _database_numbers: Iterator[int]
) -> Iterator[str]:
    """The URL of a migrated database that the tests of a module share."""
    with _database(database_server_url, template_database, next(_database_numbers)) as url:
        yield url


@contextmanager
def _database(server_url: str, template: str, number: int) -> Iterator[str]:
    name = f"cityos_test_{os.getpid()}_{number}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template)
    )
    _execute(server_url, create + _strategy(server_url))
    yield _with_database(server_url, name)
    _drop(server_url, name)


@pytest.fixture
def city(database_url: str) -> Iterator[AlertPath]:
    """A city on a database of this test's own: events in, alerts out."""
    with alert_path(database_url) as path:
        yield path


@pytest.fixture
def new_database(
    database_server_url: str, _database_numbers: Iterator[int]
) -> Iterator[Callable[[], str]]:
    """Makes databases with nothing in them, not even migrated, and returns their URLs."""
    names: list[str] = []

    def make() -> str:
        names.append(f"cityos_new_{os.getpid()}_{next(_database_numbers)}")
        create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(names[-1]))
        _execute(database_server_url, create)
        return _with_database(database_server_url, names[-1])

    yield make
    for name in names:
        _drop(database_server_url, name)


@pytest.fixture
def start_own_postgres(
    new_home: Callable[[], Path], postgres_programs: list[programs.Program]
) -> Iterator[Callable[..., PostgresServer]]:
    """``start(home=None, *, port=0, durable=True)`` starts a server that the test may stop or
    kill; give the same ``home`` and ``port`` to start it again with its data.
    """
    yield from _for_a_test(new_home, partial(_start_postgres, postgres_programs))


# --- MQTT ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def mqtt_broker(
    server_folder: Path, broker_programs: list[programs.Program]
) -> Iterator[MqttBroker]:
    """One broker for the session. Its users: see ``MQTT_USERS``; vendors may use any tenant."""
    yield from _for_the_session(
        server_folder / "session-mqtt", partial(_start_broker, broker_programs)
    )


@pytest.fixture
def start_own_broker(
    new_home: Callable[[], Path], broker_programs: list[programs.Program]
) -> Iterator[Callable[..., MqttBroker]]:
    """``start(home=None, *, port=0)`` starts a broker that the test may stop or kill."""
    yield from _for_a_test(new_home, partial(_start_broker, broker_programs))


# --- Redis --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def redis_server(
    server_folder: Path, redis_programs: list[programs.Program]
) -> Iterator[RedisServer]:
    yield from _for_the_session(
        server_folder / "session-redis", partial(_start_redis, redis_programs)
    )


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The session's Redis, emptied for this test."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    """For tests of commands: they set up the logs of their process, which here is everybody's."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def _japan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine is in Japan."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def free_port() -> int:
    return ports.free_port()


# --- how ----------------------------------------------------------------------------------------


def _secrets(home: Path) -> SecretFile:
    return SecretFile(home / "secrets.json")


def _chosen(found: Sequence[programs.Program], settings: TestSettings) -> list[programs.Program]:
    fitting = [p for p in found if settings.servers in ("any", p.origin)]
    if not fitting:
        pytest.skip(f"no server program for --servers {settings.servers}")
    return fitting


def _for_the_session(home: Path, start: Callable[[Path, int], S]) -> Iterator[S]:
    home.mkdir(mode=0o711)
    server = start(home, ports.free_port())
    yield server
    server.stop()


def _for_a_test(
    new_home: Callable[[], Path], start: Callable[..., S]
) -> Iterator[Callable[..., S]]:
    """Give ``start`` a home and a port where the test gives none, and stop what it started."""
    started: list[S] = []

    def start_own(home: Path | None = None, *, port: int = 0, **rest: Any) -> S:
        started.append(start(home or new_home(), port or ports.free_port(), **rest))
        return started[-1]

    yield start_own
    for server in started:
        server.stop()


def _start_postgres(
    found: list[programs.Program], home: Path, port: int, *, durable: bool = True
) -> PostgresServer:
    return start_postgres(home, found, secrets=_secrets(home), port=port, durable=durable)


def _start_redis(found: list[programs.Program], home: Path, port: int) -> RedisServer:
    return start_redis(home, found, secrets=_secrets(home), port=port)


def _start_broker(found: list[programs.Program], home: Path, port: int) -> MqttBroker:
    return start_broker(
        home,
        found,
        users=MQTT_USERS,
        secrets=_secrets(home),
        host="127.0.0.1",
        port=port,
        port_v5=ports.free_port(),
    )


def _with_database(url: str, name: str) -> str:
    return (
        psycopg.conninfo.make_conninfo(url, dbname=name)
        if "://" not in url
        else (f"{url.rpartition('/')[0]}/{name}")
    )


def _execute(url: str, *statements: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        for statement in statements:
            connection.execute(statement)


@cache
def _strategy(url: str) -> sql.SQL:
    """Copying files takes a fifth of the time where the checkpoints that it needs cost nothing."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        volatile = connection.execute("SHOW fsync").fetchone() == ("off",)
        copies = volatile and connection.info.server_version >= _FIRST_WITH_STRATEGIES
    return sql.SQL(" STRATEGY FILE_COPY" if copies else "")


def _drop(url: str, name: str) -> None:
    """End who is still in it; autovacuum is not ours to end, but without FORCE the server does."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
    end = time.monotonic() + _DROP_S
    for how in itertools.cycle((sql.SQL(" WITH (FORCE)"), sql.SQL(""))):
        try:
            _execute(url, drop + how)
            break
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
