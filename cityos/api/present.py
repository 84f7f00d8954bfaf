"""The present state of the city in memory: the newest value of every series.

Filled from the store and kept current by the live bus. It says until when it can be believed: a
reader that comes later asks the store instead, so that what is served is never older than the
promise, whatever becomes of the bus.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cityos.domain.history import SeriesKey
from cityos.ports import LatestValue


class Present:
    """Written by one thread, read by any."""

    def __init__(self) -> None:
        self._cities: dict[str, dict[str, dict[tuple[str, str], LatestValue]]] = {}
        self.believable_until_s = float("-inf")
        """On the monotonic clock."""

    def put(self, tenant: str, values: Iterable[LatestValue]) -> list[LatestValue]:
        """Take note of values and return those that are news: the greatest observed_at wins."""
        city = self._cities.setdefault(tenant, {})
        news = []
        for value in values:
            series = city.setdefault(value.entity, {})
            key = (value.observed_property, value.dataset)
            if _is_news(value, series.get(key)):
                series[key] = value
                news.append(value)
        return news

    def of_entity(self, tenant: str, entity: str, *, dataset: str = "") -> Sequence[LatestValue]:
        """Newest values of an entity by property; empty when nothing is known of it."""
        series = self._cities.get(tenant, {}).get(entity, {})
        found = [value for (_, its), value in list(series.items()) if its == dataset]
        return sorted(found, key=lambda value: value.observed_property)

    def of_series(self, tenant: str, series: SeriesKey) -> LatestValue | None:
        return (
            self._cities.get(tenant, {})
            .get(series.entity, {})
            .get((series.observed_property, series.dataset))
        )


def _is_news(value: LatestValue, known: LatestValue | None) -> bool:
    if known is None or known.observed_at < value.observed_at:
        return True
    corrected = known.observed_at == value.observed_at and known.received_at <= value.received_at
    return corrected and known != value
