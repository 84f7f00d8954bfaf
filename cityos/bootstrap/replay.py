"""``cityos replay``: a recorded day through the running city, as an exercise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console

from cityos.bootstrap import connect
from cityos.bootstrap.process import stop_event
from cityos.bootstrap.welcome import HTTP_PORT, cityos_command
from cityos.clock import SystemClock
from cityos.domain.occasion import Exercise
from cityos.rehearsal.mqtt import WindowedPublisher
from cityos.rehearsal.outcome import Outcomes
from cityos.rehearsal.progress import Progress
from cityos.rehearsal.replay import Replay, run_name, speed_of
from cityos.rehearsal.summary import Summary
from cityos.runtime import mqtt_access
from cityos.runtime.running import running_city
from cityos.settings import Settings
from cityos.storage.database import Database
from cityos.storage.orders import PostgresOrderBook
from cityos.storage.reader import PostgresCityReader
from cityos.storage.registry import PostgresRegistry

_CONNECT_S: Final = 10.0
_SHOWN: Final = 5
"""Proposals in the command that is printed: enough to see what they are."""


def run(
    settings: Settings,
    source: Path,
    *,
    speed: str,
    run: str,
    tenant: str | None,
    console: Console,
) -> int:
    """Replay what is in ``source``; return the exit code: 1 when the broker refused something.

    ``tenant`` is the city that was named on the command line: the API's own may be another.

    Raises:
        InvalidRequest: there is nothing to replay, or an argument is wrong.
        Unavailable: the broker or the store went away.
    """
    pace = speed_of(speed)
    found = connect.addresses(settings, "database_url", "mqtt_url")
    clock = SystemClock()
    database = Database(found.database_url, application="cityos-replay", max_size=2)
    reader = PostgresCityReader(database)
    publisher = WindowedPublisher(found.mqtt_url(mqtt_access.REHEARSAL.name))
    try:
        replay = Replay(
            source,
            run=run or run_name(source, clock.now()),
            tenant=settings.tenant,
            registry=PostgresRegistry(database),
            city=reader,
            clock=clock,
        )
        publisher.wait_connected(_CONNECT_S)
        for title in replay.titles:
            console.print(title, markup=False, highlight=False)
        progress = Progress(console)
        stop = stop_event()
        since = clock.now()
        summary = replay.play(publisher, speed=pace, stop=stop, progress=progress)
        outcomes = Outcomes(
            settings.tenant,
            summary.run,
            since=since,
            city=reader,
            orders=PostgresOrderBook(database, channels=()),
        )
        summary.outcome = outcomes.settled(clock, stop)
        progress.tell(summary, list(_commands(settings, summary, tenant)))
    finally:
        publisher.close()
        database.close()
    return 1 if summary.refused else 0


def _commands(settings: Settings, summary: Summary, tenant: str | None) -> Iterator[str]:
    """What shows the result, to be copied. Proposals are for officials, so for a key of one."""
    outcome = summary.outcome
    city = running_city(settings.home)
    url = settings.public_url or (city.http_url if city else _usual_url(settings))
    curl = f"curl -H 'CityOS-Tenant: {tenant}'" if tenant else "curl"
    if outcome is None:
        return
    if outcome.has_readings:
        yield f"{curl} '{url}/v1/latest?dataset={Exercise(summary.run).dataset}&limit=5'"
    if outcome.has_alerts:
        yield f"{curl} '{url}/v1/alerts?status=Exercise&run={summary.run}'"
    if outcome.proposals:
        owner = f" --tenant {tenant}" if tenant else ""
        command = cityos_command(settings.home)
        make = f"{command} key create replay --role official{owner}"
        yield f"KEY=$({make})"
        yield (
            f'{curl} -H "Authorization: Bearer $KEY"'
            f" '{url}/v1/proposals?status=Exercise&limit={min(outcome.proposals, _SHOWN)}'"
        )
        yield f"{command} exercise end {summary.run}{owner}  # when everybody has seen it"


def _usual_url(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.http_port or HTTP_PORT}"
