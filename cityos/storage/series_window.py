"""The part of some series that a batch of events looks at, read once for the whole batch.

The events of a batch are close together in time and ask for nearly the same values again and
again: the newest one, the last day. A window holds a series from some time on up to the last
event of the batch, and every question about an earlier moment is a slice of it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.domain.history import Sample
from cityos.domain.observation import Quality
from cityos.storage.deadline import within_deadline
from cityos.storage.documents import decode_value

HISTORY_LIMIT: Final = 10_000
_WINDOW_LIMIT: Final = 20_000
"""Values in one window: a series that has more is asked for each event anew."""
_KEPT_LIMIT: Final = 60_000
"""Values in all windows of a batch, about 15 MB."""
_EVER_SINCE: Final = datetime.min.replace(tzinfo=UTC)

# From the last value before the batch on, or from further back where that is asked for: so that
# every window knows the newest value at each of its moments.
_WINDOW: Final = """
WITH wanted AS (
    SELECT id FROM series
    WHERE (tenant_id, entity_id, property, dataset)
        = (%(tenant)s, %(entity)s, %(property)s, %(dataset)s)
), lower AS (
    SELECT least(%(since)s, coalesce(
        (SELECT o.observed_at FROM observation o, wanted
         WHERE o.series_id = wanted.id AND o.observed_at <= %(first)s
         ORDER BY o.observed_at DESC LIMIT 1), %(first)s)) AS observed_at
)
SELECT observed_at, value, document, received_at, quality, raw_id
FROM observation
WHERE series_id = (SELECT id FROM wanted)
  AND observed_at BETWEEN (SELECT observed_at FROM lower) AND %(last)s
ORDER BY observed_at DESC LIMIT %(limit)s
"""
_HISTORY: Final = """
SELECT o.observed_at, o.value, o.document, o.received_at, o.quality, o.raw_id
FROM series s JOIN observation o ON o.series_id = s.id
WHERE (s.tenant_id, s.entity_id, s.property, s.dataset)
    = (%(tenant)s, %(entity)s, %(property)s, %(dataset)s)
  AND o.observed_at BETWEEN %(since)s AND %(last)s
ORDER BY o.observed_at DESC LIMIT %(limit)s
"""


class SeriesName(NamedTuple):
    """A series by what it is about; the dataset is that of the event's occasion."""

    tenant: str
    entity: str
    property: str
    dataset: str


@dataclass(frozen=True, slots=True)
class _Window:
    """Every value since ``since``, oldest first; None where there are too many to keep."""

    since: datetime
    samples: Sequence[Sample] | None


class SeriesWindows:
    """The windows of one batch, whose events lie between ``first`` and ``last``."""

    def __init__(
        self, connection: Connection[TupleRow], *, first: datetime, last: datetime
    ) -> None:
        self._connection = connection
        self._first = first
        self._last = last
        self._windows: dict[SeriesName, _Window] = {}
        self._kept = 0

    def latest(self, series: SeriesName, at: datetime) -> Sample | None:
        """The newest value at the time. Raises Unavailable."""
        samples = self._samples(series, self._first)
        if samples is None:
            return next(iter(self._read(_HISTORY, series, _EVER_SINCE, at, 1)), None)
        end = bisect_right(samples, at, key=_observed_at)
        return samples[end - 1] if end else None

    def history(self, series: SeriesName, since: datetime, at: datetime) -> Sequence[Sample]:
        """The newest 10,000 values of ``since <= observed_at <= at``. Raises Unavailable."""
        samples = self._samples(series, min(since, self._first))
        if samples is None:
            return self._read(_HISTORY, series, since, at, HISTORY_LIMIT)
        start = bisect_left(samples, since, key=_observed_at)
        end = bisect_right(samples, at, key=_observed_at)
        return list(samples[max(start, end - HISTORY_LIMIT) : end])

    def _samples(self, series: SeriesName, since: datetime) -> Sequence[Sample] | None:
        """A window that reaches back to ``since``; None where it would be too long."""
        window = self._windows.get(series)
        if window is None or (window.samples is not None and window.since > since):
            samples = self._read(_WINDOW, series, since, self._last, _WINDOW_LIMIT)
            kept = None if len(samples) == _WINDOW_LIMIT else samples
            if self._kept + len(samples) > _KEPT_LIMIT:
                self._windows.clear()
                self._kept = 0
            window = self._windows[series] = _Window(since, kept)
            self._kept += len(samples)
        return window.samples

    def _read(
        self, query: str, series: SeriesName, since: datetime, last: datetime, limit: int
    ) -> list[Sample]:
        values = {
            **series._asdict(),
            "since": since,
            "first": self._first,
            "last": last,
            "limit": limit,
        }
        with within_deadline():
            rows = self._connection.execute(query, values).fetchall()
        return [_sample(row) for row in reversed(rows)]


def _sample(row: TupleRow) -> Sample:
    observed_at, number, document, received_at, quality, raw_id = row
    return Sample(
        observed_at, decode_value(number, document), received_at, Quality(quality), raw_id
    )


def _observed_at(sample: Sample) -> datetime:
    return sample.observed_at
