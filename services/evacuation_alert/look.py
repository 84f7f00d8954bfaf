"""One look at the city: what the gauges of a situation say at the time of one event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cityos.domain.alert_level import AlertLevel
from cityos.domain.history import Sample
from cityos.domain.observation import Reading
from cityos.domain.occasion import Exercise, Occasion
from cityos.domain.proposal import Situation
from cityos.plugins.contract import CityView
from services.evacuation_alert.contribution import Contribution
from services.evacuation_alert.ladder import Point
from services.evacuation_alert.measure import Measure, as_number

_MOST_SAMPLES: Final = 10_000
"""``CityView.history`` gives the newest so many."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things count.

    ``hold``: a value must have stayed low for so long before its level is left. ``stale``: a
    gauge silent for so long says nothing any more. ``memory``: how far back is looked; what was
    received later than that after it was observed is a record, not news.
    """

    hold: timedelta
    stale: timedelta
    memory: timedelta

    def is_news(self, reading: Reading | Sample, occasion: Occasion) -> bool:
        """A replayed day is old by nature; in reality an old reading is a record."""
        if isinstance(occasion, Exercise):
            return True
        return reading.received_at - reading.observed_at <= self.memory


@dataclass(frozen=True, slots=True)
class Look:
    """``lowest`` is the lowest level that is proposed.

    ``reading`` is the event's own, which counts even where the history lacks it.
    """

    city: CityView
    at: datetime
    occasion: Occasion
    situation: Situation | None
    patience: Patience
    lowest: AlertLevel
    reading: Reading | None = None

    def _hold(self, measure: Measure) -> timedelta:
        """A gauge may have its own: a flash stream settles sooner than a great river."""
        own = as_number(measure.gauge.attributes.get("hold_min"))
        return self.patience.hold if own is None or own <= 0 else timedelta(minutes=own)

    def at_gauges(self, measures: Iterable[Measure]) -> list[Contribution]:
        found = (self._contribution(measure) for measure in measures)
        return [contribution for contribution in found if contribution is not None]

    def _contribution(self, measure: Measure) -> Contribution | None:
        points, seen_since = self._points(measure)
        footing = measure.footing(
            points, hold=self._hold(measure), standing=self._standing_before(seen_since)
        )
        if footing is None:
            return None
        if self.at - footing.newest.at > self.patience.stale:
            return measure.is_silent(footing)
        since = None if self.situation is None else self.situation.opened_at
        return measure.speaks(footing, self._hold(measure), since=since, lowest=self.lowest)

    def _standing_before(self, since: datetime) -> AlertLevel:
        """What stood before the first point that is seen stands until points disprove it."""
        situation = self.situation
        if situation is None or situation.opened_at >= since:
            return AlertLevel.NONE
        return situation.level

    def _points(self, measure: Measure) -> tuple[list[Point], datetime]:
        """The numbers of the measure's series that are news, oldest first, and since when."""
        samples, since = self._samples(measure)
        values = {
            sample.observed_at: value
            for sample in samples
            if self.patience.is_news(sample, self.occasion)
            and (value := as_number(sample.value)) is not None
        }
        own = self.reading
        if (
            own is not None
            and (own.entity, own.observed_property)
            == (measure.gauge.id, measure.observed_property)
            and (value := as_number(own.value)) is not None
        ):
            values.setdefault(own.observed_at, value)
        return [Point(at, values[at]) for at in sorted(values)], since

    def _samples(self, measure: Measure) -> tuple[list[Sample], datetime]:
        """What the city remembers of the series, and from when on it is whole."""
        series = measure.gauge.id, measure.observed_property
        since = self.at - self.patience.memory
        samples = list(self.city.history(*series, since))
        if len(samples) >= _MOST_SAMPLES:
            since = samples[0].observed_at
        latest = self.city.latest(*series)
        if latest is not None:
            samples.append(latest)
        return samples, since
