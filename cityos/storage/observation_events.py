"""The events of stored values, for the services that listen to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cityos.ports import SERIES, CheckedValue
from cityos.storage import binary_array
from cityos.storage.binary_array import Array
from cityos.storage.documents import encode


def columns(wanted: Sequence[CheckedValue]) -> Sequence[Array]:
    """The parameters of ``queries.EVENTS``: events in the order in which the values came."""
    present: dict[int, datetime] = {}
    times, documents = [], []
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
        times.append(at)
        documents.append(encode(document))
    series_of = [value[SERIES] for value in wanted]
    return (
        binary_array.texts([series.tenant for series in series_of]),
        binary_array.texts([series.occasion.status for series in series_of]),
        binary_array.texts([series.occasion.run for series in series_of]),
        binary_array.texts([series.key.dataset for series in series_of]),
        binary_array.times(times),
        binary_array.documents(documents),
    )
