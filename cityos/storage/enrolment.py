"""Gives series and origins their numbers: once each, whichever ingest node asks first."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.ports import Origin, SeriesHandle
from cityos.storage import queries


def register_origins(connection: Connection[TupleRow], origins: Sequence[Origin]) -> None:
    if not origins:
        return
    columns = (
        [origin.tenant for origin in origins],
        [origin.vendor for origin in origins],
        [origin.device for origin in origins],
        [origin.topic for origin in origins],
        [origin.adapter for origin in origins],
    )
    connection.execute(queries.REGISTER_ORIGINS, columns)
    tenants, _, _, topics, adapters = columns
    rows = connection.execute(queries.ORIGINS, (tenants, topics, adapters)).fetchall()
    found = {(row[0], row[1], row[2]): row[3] for row in rows}
    for origin in origins:
        origin.id = found[origin.tenant, origin.topic, origin.adapter]


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
