"""PostgreSQL as a child process: Debian's server or the wheel's, in a folder of its own.

The wheel's helper code is never called: run as root it widens every parent directory. Its program
files are copied next to the data, where the server's account can reach them.
"""

from __future__ import annotations

import dataclasses
import shutil
import signal
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import psycopg
from psycopg import sql

from cityos.errors import SetupFailed
from cityos.runtime.account import Place, reachable
from cityos.runtime.ports import free_port
from cityos.runtime.process import run
from cityos.runtime.programs import Program
from cityos.runtime.secret_file import SecretFile
from cityos.runtime.service import HOST, Launch, RunningServer
from cityos.runtime.waiting import PATIENT, Waiting

NAME: Final = "postgres"
DATABASE: Final = "cityos"
OWNER: Final = "cityos"
_SUPERUSER: Final = "postgres"
_PREFERRED_PORT: Final = 54320
_START_S: Final = 60.0  # of silence; while it replays its log after a crash, it says so
_STOP_S: Final = 20.0
_STOP_SIGNALS: Final = (
    signal.SIGINT,  # fast shutdown; SIGTERM would wait for every client to leave
    signal.SIGQUIT,  # immediate: recovers from its log at the next start
    signal.SIGKILL,
)
_POLL_S: Final = 0.05
_ASK_S: Final = 2
_PROTOCOL: Final = 3 << 16  # version 3.0

_SETTINGS: Final = """\
# Written by CityOS at every start. Your own settings: put them into local.conf beside this file.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 100
password_encryption = 'scram-sha-256'
shared_buffers = '128MB'
effective_cache_size = '512MB'
work_mem = '8MB'
maintenance_work_mem = '64MB'
max_wal_size = '1GB'
wal_level = replica
wal_compression = on
checkpoint_completion_target = 0.9
fsync = {durable}
full_page_writes = {durable}
synchronous_commit = on
huge_pages = off
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, ymd'
lc_messages = 'C.UTF-8'
log_line_prefix = '%m [%p] '
log_checkpoints = off
include_if_exists = 'local.conf'
"""

_ACCESS: Final = f"""\
# Written by CityOS at every start: loopback only, always with a password.
host all all {HOST}/32 scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class PostgresServer(RunningServer):
    """A running server. ``superuser_url`` is for setting up; the city uses ``url``."""

    stop_s: ClassVar[float] = _STOP_S

    folder: Path
    url: str
    superuser_url: str

    def url_of(self, database: str) -> str:
        """The address of another database of the same owner."""
        return f"{self.url.rpartition('/')[0]}/{database}"


def start_postgres(
    home: Path,
    programs: Sequence[Program],
    *,
    secrets: SecretFile,
    port: int = 0,
    durable: bool = True,
    waiting: Waiting = PATIENT,
) -> PostgresServer:
    """Start the server of the state folder ``home`` and return when it answers.

    Data of an earlier run is kept; it needs a program of the same major version. ``port`` is taken
    if it is free. ``durable`` False is for tests that do not pull the plug.

    Raises:
        SetupFailed: no program fits, or the server does not start.
        CalledOff: asked to stop meanwhile.
        OSError: the disk does not take its files.
    """
    launch = Launch(home, NAME, accounts=[NAME], stop_s=_STOP_S, waiting=waiting)
    where = launch.place
    data = where.folder / "data"
    program = _runnable(_fitting(programs, data), where)
    password, own_password = secrets.get("postgres superuser"), secrets.get("postgres city")
    _clear_lock(data, waiting)
    if not (data / "PG_VERSION").exists():
        _create(data, program, where, password, launch.log.with_name("postgres-initdb.log"))
    chosen = free_port(port, _PREFERRED_PORT)
    settings = _SETTINGS.format(port=chosen, durable="on" if durable else "off")
    where.write("data/postgresql.conf", settings)
    where.write("data/pg_hba.conf", _ACCESS)
    superuser_url = f"postgresql://{_SUPERUSER}:{password}@{HOST}:{chosen}/postgres"
    child = launch.start(
        [str(program.path / "postgres"), "-D", str(data)],
        answers=lambda: _answers(superuser_url),
        within_s=_START_S,
        busy=lambda: _busy(chosen),
        stop_signals=_STOP_SIGNALS,
    )
    try:
        _ensure_owner(superuser_url, own_password)
    except psycopg.Error as error:
        launch.give_up(child)
        why = error.diag.message_primary or type(error).__name__
        message = f"{NAME} runs, but the city's role and database cannot be set up: {why}"
        raise SetupFailed(message) from error
    url = f"postgresql://{OWNER}:{own_password}@{HOST}:{chosen}/{DATABASE}"
    return PostgresServer(home, child, program, chosen, where.folder, url, superuser_url)


def _fitting(programs: Sequence[Program], data: Path) -> Program:
    if not programs:
        raise SetupFailed(
            "no PostgreSQL found: install the distribution's postgresql package, or the "
            "'embedded' extra of this project, or set CITYOS_DATABASE_URL"
        )
    version = data / "PG_VERSION"
    if not version.exists():
        return programs[0]
    major = int(version.read_text(encoding="ascii").strip())
    for program in programs:
        if program.major == major:
            return program
    present = ", ".join(str(program.major) for program in programs)
    message = (
        f"{data} was made by PostgreSQL {major}, but this machine has only {present}: install "
        f"PostgreSQL {major} again, or dump the data with it and restore it into a new folder"
    )
    raise SetupFailed(message)


def _runnable(program: Program, where: Place) -> Program:
    """Return the program where the account can run it: the wheel's may lie out of its reach."""
    if program.origin == "machine":
        return program
    package = program.path.parents[1]
    if where.account.uid is None or reachable(package, where.account):
        return program
    stamp = where.folder / "wheel.stamp"
    copied = where.folder / package.name
    # the shared libraries are found relative to the programs: both folders, side by side
    libraries = package.with_name(f"{package.name}.libs")
    identity = f"{package} {(program.path / 'postgres').stat().st_mtime_ns}"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != identity:
        for folder in (package, libraries):
            _open_to_all(where.adopt(folder, folder.name))
        where.write(stamp.name, identity)
    return dataclasses.replace(program, path=copied / "pginstall" / "bin")


def _open_to_all(folder: Path) -> None:
    """Let the account read and run the copies; their parent folder is its own and private."""
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)


def _create(data: Path, program: Program, where: Place, password: str, log: Path) -> None:
    # a first start that was cut short leaves a folder without PG_VERSION or with a half catalogue
    draft = where.folder / "data.new"
    for left in (data, draft):
        if left.exists():
            shutil.rmtree(left)
    password_file = where.write("initial-password", password)
    try:
        run(
            [
                str(program.path / "initdb"),
                *("--pgdata", str(draft), "--username", _SUPERUSER, "--encoding", "UTF8"),
                *("--locale", "C.UTF-8", "--auth", "scram-sha-256", "--data-checksums"),
                *("--pwfile", str(password_file), "--no-instructions"),
            ],
            account=where.account,
            folder=where.folder,
            timeout_s=120,
            log=log,
        )
    finally:
        password_file.unlink(missing_ok=True)
    draft.rename(data)


def _clear_lock(data: Path, waiting: Waiting) -> None:
    """Remove the lock file of a server that is gone, whoever has its pid now.

    PostgreSQL refuses to start while any process of its user has the recorded pid, which after a
    restart of the machine or the container is likely to be a stranger. It is only safe to remove
    the file when no server process works in the data folder any more.

    Raises:
        SetupFailed: a server that is not ours works in the folder.
        CalledOff: asked to stop meanwhile.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    deadline = time.monotonic() + _STOP_S
    while working := _processes_in(data):
        if time.monotonic() > deadline:
            message = f"a PostgreSQL that we did not start works in {data} (pid {working[0]})"
            raise SetupFailed(message)
        waiting.pause(_POLL_S)
    lock.unlink(missing_ok=True)


def _processes_in(data: Path) -> Sequence[int]:
    """Every process of a server has its data folder as working directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink() == data:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=_ASK_S).close()
    except psycopg.OperationalError:
        return False
    return True


def _busy(port: int) -> str:
    """Return what a server is at that lets nobody in yet; empty: it does not say.

    By hand, because libpq keeps the SQLSTATE of a refused connection to itself, and a text depends
    on version and language (PostgreSQL, Frontend/Backend Protocol, StartupMessage, ErrorResponse).
    """
    body = struct.pack("!i", _PROTOCOL) + f"user\0{_SUPERUSER}\0\0".encode()
    try:
        with socket.create_connection((HOST, port), timeout=_ASK_S) as connection:
            connection.sendall(struct.pack("!i", 4 + len(body)) + body)
            answer = connection.recv(1024)
    except OSError:
        return ""
    refused = answer.startswith(b"E") and b"\0C57P03\0" in answer  # cannot_connect_now
    return "PostgreSQL recovers after a crash, waiting" if refused else ""


def _ensure_owner(superuser_url: str, password: str) -> None:
    """Make the city's role and database. The role is no superuser: it owns its database only."""
    with psycopg.connect(superuser_url, autocommit=True, connect_timeout=10) as connection:
        role = sql.Identifier(OWNER)
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(role))
        change = sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password))
        connection.execute(change)
        known = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
        ).fetchone()
        if known is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), role)
            )
