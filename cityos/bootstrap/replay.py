"""``cityos replay``: a recorded day through the running city, as an exercise."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from cityos.bootstrap import connect
from cityos.bootstrap.process import stop_event
from cityos.clock import SystemClock
from cityos.rehearsal.mqtt import WindowedPublisher
from cityos.rehearsal.progress import Progress
from cityos.rehearsal.replay import Replay, run_name, speed_of
from cityos.runtime import mqtt_access
from cityos.runtime.running import running_city
from cityos.settings import Settings
from cityos.storage.database import Database
from cityos.storage.reader import PostgresCityReader
from cityos.storage.registry import PostgresRegistry

_CONNECT_S = 10.0


def run(settings: Settings, source: Path, *, speed: str, run: str, console: Console) -> int:
    """Replay what is in ``source``; return the exit code: 1 when the broker refused something.

    Raises:
        InvalidRequest: there is nothing to replay, or an argument is wrong.
        Unavailable: the broker or the store went away.
    """
    pace = speed_of(speed)
    found = connect.addresses(settings, "database_url", "mqtt_url")
    clock = SystemClock()
    database = Database(found.database_url, application="cityos-replay", max_size=2)
    publisher = WindowedPublisher(found.mqtt_url(mqtt_access.REHEARSAL.name))
    try:
        replay = Replay(
            source,
            run=run or run_name(source, clock.now()),
            tenant=settings.tenant,
            registry=PostgresRegistry(database),
            city=PostgresCityReader(database),
            clock=clock,
        )
        publisher.wait_connected(_CONNECT_S)
        for title in replay.titles:
            console.print(title, markup=False, highlight=False)
        progress = Progress(console)
        summary = replay.play(publisher, speed=pace, stop=stop_event(), progress=progress)
        city = running_city(settings.home)
        progress.tell(summary, settings.public_url or (city.http_url if city else ""))
    finally:
        publisher.close()
        database.close()
    return 1 if summary.refused else 0
