"""Keeps other authorities' alerts: once each, the newer in place of the older."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.ports import ReceivedAlert
from cityos.storage import queries
from cityos.storage.documents import encode


def insert(connection: Connection[TupleRow], alerts: Sequence[ReceivedAlert]) -> int:
    """Insert those that are not known, with an event each; return how many were new.

    A telegram that comes after a newer one of the same matter is kept as superseded from the
    start and makes no event: it would take services back to a time when it still stood.
    """
    new = 0
    for received in alerts:
        alert = received.alert
        row: dict[str, Any] = {
            "tenant": received.tenant,
            "identifier": alert.identifier,
            "status": alert.status,
            "run": alert.occasion.run,
            "sender": alert.sender,
            "sent": alert.sent,
            "message_type": alert.message_type.value,
            "source": alert.source,
            "level": int(alert.level),
            "supersedes": received.supersedes,
            "valid_until": received.valid_until,
            "raw_id": received.raw_id,
            "document": encode(alert),
        }
        inserted = connection.execute(queries.INSERT_ALERT, row).fetchone()
        if inserted is None or inserted[0] is not None:
            continue
        connection.execute(queries.SUPERSEDE_ALERTS, row)
        event = (
            received.tenant,
            alert.status,
            alert.occasion.run,
            received.dataset,
            alert.sent,
            encode({"identifier": alert.identifier}),
        )
        connection.execute(queries.ALERT_EVENT, event)
        new += 1
    return new
