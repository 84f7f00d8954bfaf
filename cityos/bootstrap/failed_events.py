"""``cityos events failed``: what a service could not handle, and having it handled once more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cityos.bootstrap import connect
from cityos.bootstrap.city_store import city_store
from cityos.bootstrap.listing import block
from cityos.clock import for_people
from cityos.settings import Settings
from cityos.storage.failed_events import PostgresFailedEvents

_APPLICATION: Final = "cityos-events"


def listed(settings: Settings, *, limit: int, width: int) -> Iterator[str]:
    """Yield the newest ones, each as a block of lines of ``width`` columns.

    Raises:
        NotFound: there is no such tenant.
    """
    with city_store(_url(settings), settings.tenant, application=_APPLICATION) as database:
        events = PostgresFailedEvents(database).newest(settings.tenant, limit=limit)
    if not events:
        yield "no event was set aside"
    for event in events:
        occasion = f"{event.status} {event.run}".strip()
        head = (str(event.id), for_people(event.failed_at), occasion)
        yield from block(head, event.subject, event.error[:300], width=width)


def retry(settings: Settings, ids: Sequence[int]) -> list[str]:
    """Put them back into the queue; return what to tell.

    Raises:
        NotFound: there is no such tenant.
    """
    with city_store(_url(settings), settings.tenant, application=_APPLICATION) as database:
        found = PostgresFailedEvents(database).retry(settings.tenant, ids)
    told = [f"back in the queue: {len(found)} events; dispatch takes them up by itself"]
    missing = sorted(set(ids) - set(found))
    if missing:
        told.append(f"no failed event: {', '.join(map(str, missing))}")
    return told


def _url(settings: Settings) -> str:
    return connect.addresses(settings, "database_url").database_url
