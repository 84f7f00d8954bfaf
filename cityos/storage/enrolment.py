"""Gives series and origins their numbers: once each, whichever ingest node asks first."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.ports import Origin, SeriesHandle
from cityos.storage import queries


def register_origins(connection: Connection[TupleRow], origins: Sequence[Origin]) -> None:
    for origin in origins:
        key = (origin.tenant, origin.topic, origin.adapter)
        connection.execute(
            queries.REGISTER_ORIGIN,
            (origin.tenant, origin.vendor, origin.device, origin.topic, origin.adapter),
        )
        row = connection.execute(queries.ORIGIN, key).fetchone()
        assert row is not None  # noqa: S101 - written one line above
        origin.id = int(row[0])


def number_series(
    connection: Connection[TupleRow], handles: Sequence[SeriesHandle]
) -> list[SeriesHandle]:
    """Number the series; return those that have no home because their entity is not registered."""
    if not handles:
        return []
    columns = (
        [handle.tenant for handle in handles],
        [handle.key.entity for handle in handles],
        [handle.key.observed_property for handle in handles],
        [handle.key.dataset for handle in handles],
    )
    connection.execute(queries.REGISTER_SERIES, (*columns, [handle.unit for handle in handles]))
    rows = connection.execute(queries.SERIES, columns).fetchall()
    found = {(row[0], row[1], row[2], row[3]): (row[4], row[5]) for row in rows}
    homeless = []
    for handle in handles:
        key = handle.key
        numbered = found.get((handle.tenant, key.entity, key.observed_property, key.dataset))
        if numbered is None:
            homeless.append(handle)
        else:
            handle.id, handle.latest_at = numbered
    return homeless
