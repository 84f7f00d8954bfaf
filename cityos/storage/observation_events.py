"""The events of stored values, for the services that listen to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.ports import CheckedValue
from cityos.storage import queries
from cityos.storage.documents import encode


def insert(connection: Connection[TupleRow], wanted: Sequence[CheckedValue]) -> None:
    """Write the events of values in the order in which they came."""
    present: dict[int, datetime] = {}
    with connection.cursor() as cursor, cursor.copy(queries.COPY_EVENTS) as copy:
        for series, observed_at, received_at, raw_id, value, quality in wanted:
            # the event is at the series' own present when the value came: a late reading must
            # not take a service back to a past in which the newer readings do not exist, and
            # one that came first must not be taken for late because of what follows it here
            known = present.get(series.id) or series.latest_at or observed_at
            at = present[series.id] = max(observed_at, known)
            document = {
                "entity": series.key.entity,
                "property": series.key.observed_property,
                "dataset": series.key.dataset,
                "value": value,
                "unit": series.unit,
                "observed_at": observed_at,
                "received_at": received_at,
                "quality": quality,
                "raw_id": raw_id,
            }
            occasion = series.occasion
            copy.write_row(
                (
                    series.tenant,
                    "observation",
                    occasion.status,
                    occasion.run,
                    series.key.dataset,
                    at,
                    encode(document),
                )
            )
