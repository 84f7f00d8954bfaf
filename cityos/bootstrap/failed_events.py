"""``cityos events failed``: what a service could not handle, and having it handled once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from cityos.bootstrap import connect
from cityos.bootstrap.city_store import city_store
from cityos.settings import Settings
from cityos.storage.failed_events import PostgresFailedEvents

_APPLICATION: Final = "cityos-events"


def table(settings: Settings, *, limit: int) -> Table:
    """Raises NotFound: there is no such tenant."""
    with city_store(_url(settings), settings.tenant, application=_APPLICATION) as database:
        events = PostgresFailedEvents(database).newest(settings.tenant, limit=limit)
    rows = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("id", "failed", "occasion", "of", "why"):
        rows.add_column(title, no_wrap=title == "id", overflow="fold")
    for event in events:
        occasion = f"{event.status} {event.run}".strip()
        failed_at = f"{event.failed_at:%Y-%m-%d %H:%M:%S}Z"
        rows.add_row(
            str(event.id), failed_at, occasion, Text(event.subject), Text(event.error[:300])
        )
    return rows


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
