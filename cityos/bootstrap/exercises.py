"""``cityos exercise``: which exercises are under way, and ending one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cityos.bootstrap import connect
from cityos.bootstrap.city_store import city_store
from cityos.bootstrap.dispatch import CHANNELS
from cityos.bootstrap.issuers import Issuers
from cityos.clock import SystemClock
from cityos.domain.occasion import Exercise
from cityos.settings import Settings
from cityos.storage.orders import PostgresOrderBook
from cityos.storage.registry import PostgresRegistry

_APPLICATION: Final = "cityos-exercise"
_BY: Final = "cityos exercise end"
"""Who decided, for the record: whoever has the server's command line."""


def listed(settings: Settings) -> Iterator[str]:
    """Yield a line for each exercise that has not ended.

    Raises:
        NotFound: there is no such tenant.
    """
    with city_store(_url(settings), settings.tenant, application=_APPLICATION) as database:
        orders = PostgresOrderBook(database, channels=CHANNELS)
        under_way = orders.open_exercises(settings.tenant, SystemClock().now())
    if not under_way:
        yield "no exercise is under way"
    for exercise in under_way:
        yield f"{exercise.run}  proposals: {exercise.pending}  in force: {exercise.in_force}"


def end(settings: Settings, run: str, *, reason: str) -> str:
    """End the exercise; return what to tell.

    Raises:
        InvalidRequest: an exercise cannot have that name.
        NotFound: there is no such tenant, or it never had that exercise.
    """
    exercise = Exercise(run)
    with city_store(_url(settings), settings.tenant, application=_APPLICATION) as database:
        ended = PostgresOrderBook(database, channels=CHANNELS).end_exercise(
            settings.tenant,
            exercise,
            issuer=Issuers(PostgresRegistry(database))(settings.tenant),
            by=_BY,
            reason=reason,
            now=SystemClock().now(),
        )
    if not ended.superseded and not ended.cancels:
        return f"{run}: nothing waits and nothing is in force"
    return f"{run}: closed {ended.superseded} proposals, cancelled {len(ended.cancels)} orders"


def _url(settings: Settings) -> str:
    return connect.addresses(settings, "database_url").database_url
