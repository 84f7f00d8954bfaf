"""A city in memory, for the tests of services: the same answers as the store gives.

``RecordedCity`` holds what is known, ``InMemoryCity`` is a ``CityView`` of it at one moment, and
passes the same contract suite as the view over PostgreSQL (tests/contract/test_city_view.py).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from cityos.domain.alert import Alert
from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Entity
from cityos.domain.event import AlertReceived, Event, ObservationStored
from cityos.domain.history import Sample
from cityos.domain.observation import Reading
from cityos.domain.occasion import Actual, Occasion
from cityos.domain.proposal import Assessment, Situation

HISTORY_LIMIT: Final = 10_000

_Key: TypeAlias = tuple[str, str, str]
"""entity, observed property, dataset"""


@dataclass(frozen=True, slots=True)
class ReceivedBulletin:
    """Another authority's alert as the store keeps it.

    A newer one with the same ``supersedes`` takes its place; it stands until ``valid_until``.
    """

    alert: Alert
    supersedes: str
    valid_until: datetime | None = None


class RecordedCity:
    """All that is known of one city to one service. ``view`` looks at it at one moment."""

    def __init__(
        self,
        *,
        entities: Iterable[Entity] = (),
        readings: Iterable[Reading] = (),
        situations: Iterable[Situation] = (),
        bulletins: Iterable[ReceivedBulletin] = (),
    ) -> None:
        self.entities = {entity.id: entity for entity in entities}
        self.situations = {situation.key: situation for situation in situations}
        self.bulletins = list(bulletins)
        self._series: dict[_Key, list[Sample]] = {}
        for reading in readings:
            self.add_reading(reading)

    def add_reading(self, reading: Reading) -> None:
        """Keep a reading; one with the same series and time takes the place of the earlier."""
        key = (reading.entity, reading.observed_property, reading.dataset)
        samples = self._series.setdefault(key, [])
        sample = Sample(
            reading.observed_at,
            reading.value,
            reading.received_at,
            reading.quality,
            reading.raw_id,
        )
        place = bisect_left(samples, sample.observed_at, key=_observed_at)
        same_time = place < len(samples) and samples[place].observed_at == sample.observed_at
        samples[place : place + same_time] = [sample]

    def samples(self, entity: str, observed_property: str, dataset: str) -> Sequence[Sample]:
        """Every value of a series, oldest first."""
        return self._series.get((entity, observed_property, dataset), [])

    def happen(self, event: Event) -> None:
        """Store what the event tells of, as the engine has done before a service hears of it."""
        if isinstance(event, ObservationStored):
            self.add_reading(event.reading)
        elif all(event.alert != known.alert for known in self.bulletins):
            self.bulletins.append(ReceivedBulletin(event.alert, event.alert.identifier))

    def perform(self, effect: Assessment) -> None:
        """Move the situation as the engine does when it turns the effect into a proposal.

        A situation opens with its first assessment above NONE, and closes when one says NONE and
        nothing of it is in force. Nobody approves anything here: ``in_force`` stays as it is.
        """
        now = self.situations.get(effect.situation)
        if effect.level is AlertLevel.NONE and (now is None or now.in_force is None):
            self.situations.pop(effect.situation, None)
        elif now is None:
            self.situations[effect.situation] = Situation(
                key=effect.situation,
                level=effect.level,
                peak=effect.level,
                opened_at=effect.at,
                changed_at=effect.at,
            )
        else:
            self.situations[effect.situation] = replace(
                now,
                level=effect.level,
                peak=max(now.peak, effect.level),
                changed_at=effect.at if effect.level != now.level else now.changed_at,
            )

    def view(
        self, at: datetime, *, occasion: Occasion | None = None, dataset: str = ""
    ) -> InMemoryCity:
        """Return the city as a service sees it when it answers an event at ``at``."""
        return InMemoryCity(self, at=at, occasion=occasion or Actual(), dataset=dataset)

    def view_of(self, event: Event, *, dataset: str | None = None) -> InMemoryCity:
        """Return the view that goes with the event: its time, its occasion, its dataset.

        An alert is in no series; it goes with those of its occasion, unless ``dataset`` names
        others (a practice city has its exercise in the default series).
        """
        if dataset is None:
            dataset = (
                event.occasion.dataset
                if isinstance(event, AlertReceived)
                else event.reading.dataset
            )
        return self.view(event.at, occasion=event.occasion, dataset=dataset)


class InMemoryCity:
    """A ``CityView`` of a recorded city. ``dataset`` is the occasion's series."""

    def __init__(
        self, city: RecordedCity, *, at: datetime, occasion: Occasion, dataset: str
    ) -> None:
        self._city = city
        self._at = at
        self._occasion = occasion
        self._dataset = dataset

    def entity(self, entity_id: str) -> Entity | None:
        return self._city.entities.get(entity_id)

    def entities(self, entity_type: str) -> Sequence[Entity]:
        found = [entity for entity in self._city.entities.values() if entity.type == entity_type]
        return sorted(found, key=lambda entity: entity.id)

    def latest(self, entity_id: str, observed_property: str) -> Sample | None:
        samples = self._city.samples(entity_id, observed_property, self._dataset)
        end = bisect_right(samples, self._at, key=_observed_at)
        return samples[end - 1] if end else None

    def history(self, entity_id: str, observed_property: str, since: datetime) -> Sequence[Sample]:
        """The newest 10,000, where there are more: a service must not miss the present."""
        samples = self._city.samples(entity_id, observed_property, self._dataset)
        start = bisect_left(samples, since, key=_observed_at)
        end = bisect_right(samples, self._at, key=_observed_at)
        return list(samples[max(start, end - HISTORY_LIMIT) : end])

    def situation(self, key: str) -> Situation | None:
        return self._city.situations.get(key)

    def situations(self) -> Sequence[Situation]:
        return sorted(self._city.situations.values(), key=lambda situation: situation.key)

    def bulletins_in_force(self) -> Sequence[Alert]:
        """The newest of each matter, also one that says that it is over (level NONE)."""
        sent = [known for known in self._known() if known.alert.sent <= self._at]
        newest = {known.supersedes: known for known in sent}
        standing = [
            known
            for known in newest.values()
            if known.valid_until is None or known.valid_until > self._at
        ]
        standing.sort(key=lambda known: (known.alert.sent, known.alert.identifier))
        return [known.alert for known in standing]

    def _known(self) -> list[ReceivedBulletin]:
        """Those of this occasion by the time they were sent, as they came where it is the same."""
        mine = [known for known in self._city.bulletins if known.alert.occasion == self._occasion]
        return sorted(mine, key=lambda known: known.alert.sent)


def _observed_at(sample: Sample) -> datetime:
    return sample.observed_at
