"""From river levels, rainfall and JMA bulletins to proposals at the five alert levels.

One situation for each hazard and area. Its level is the highest that any gauge or bulletin
calls for at the time of the event: a rise counts at once, a fall of the water only when it has
lasted, and an authority's lifting at once. The service proposes; a person decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import NO_NAME, Entity
from cityos.domain.event import AlertReceived, Event, ObservationStored
from cityos.domain.observation import Quality
from cityos.domain.proposal import Assessment, Evidence, Situation
from cityos.errors import InvalidPlugin
from cityos.plugins.contract import CityView, Effect, service
from services.evacuation_alert import bulletins, rainfall, river, texts
from services.evacuation_alert.areas import (
    MUNICIPALITY,
    Place,
    area_urn,
    place_of_entity,
    place_of_gauge,
    read_key,
)
from services.evacuation_alert.contribution import Contribution
from services.evacuation_alert.look import Look, Patience
from services.evacuation_alert.measure import Measure
from services.evacuation_alert.zones import WHOLE

RULE_VERSION: Final = "1.0.0"
"""Raised with every change of what is proposed; equal to the version in ``service.toml``."""

_MOST_EVIDENCE: Final = 50


@service
@dataclass(frozen=True, slots=True)
class EvacuationAlert:
    """The settings; README.md has the reasons for their defaults.

    ``hold_min``: minutes that the water must have stayed low before a level is left.
    ``margin_m``: metres below the threshold that count as low. ``stale_min``: minutes of silence
    after which a gauge no longer counts. ``memory_h``: hours that are looked back; what arrives
    later than that is kept as a record and proposes nothing. ``propose_from_level``: the lowest
    level that is proposed (1-5); what is below it stands for no alert. ``spike_m``: a rise by
    more than this from one reading to the next waits for a second reading; 0 is off.

    Raises:
        InvalidPlugin: a setting is out of its range.
    """

    hold_min: int = 60
    margin_m: float = 0.1
    stale_min: int = 180
    memory_h: int = 24
    propose_from_level: int = 3
    spike_m: float = 0.0

    def __post_init__(self) -> None:
        for name, fits, range_ in (
            ("hold_min", self.hold_min >= 0, "0 or more"),
            ("margin_m", self.margin_m >= 0, "0 or more"),
            ("stale_min", self.stale_min > 0, "more than 0"),
            ("memory_h", self.memory_h * 60 > self.hold_min, "longer than hold_min"),
            ("propose_from_level", self.propose_from_level in range(1, 6), "1 to 5"),
            ("spike_m", self.spike_m >= 0, "0 or more"),
        ):
            if not fits:
                message = f"evacuation_alert: {name} is {getattr(self, name)}, must be {range_}"
                raise InvalidPlugin(message)

    def react(self, event: Event, city: CityView) -> Sequence[Effect]:
        if isinstance(event, AlertReceived):
            return self._on_alert(event, city)
        return self._on_reading(event, city)

    @property
    def patience(self) -> Patience:
        return Patience(
            hold=timedelta(minutes=self.hold_min),
            stale=timedelta(minutes=self.stale_min),
            memory=timedelta(hours=self.memory_h),
        )

    # --- what an event touches ------------------------------------------------------------

    def _on_reading(self, event: ObservationStored, city: CityView) -> list[Effect]:
        reading = event.reading
        # a named series of its own (a forecast, another sensor's) is not the river's level
        if reading.dataset not in {"", event.occasion.dataset}:
            return []
        if not self.patience.is_news(reading, event.occasion):
            return []
        gauge = city.entity(reading.entity)
        measure = next(
            (
                measure
                for measure in self._measures(gauge)
                if measure.observed_property == reading.observed_property
            ),
            None,
        )
        if gauge is None or measure is None:
            return []
        is_late = _is_late(event, city)
        place = place_of_gauge(gauge, city)
        situation = city.situation(place.key(measure.hazard))
        may_raise = is_late or self.spike_m or self._proposes(measure.level_of(reading.value))
        if situation is None and not may_raise:
            return []  # the usual reading: nothing is open, and it opens nothing
        look = self._look(event, city, situation)
        effect = self._assess(look, place, measure.hazard, event, is_late=is_late)
        return [] if effect is None else [effect]

    def _on_alert(self, event: AlertReceived, city: CityView) -> list[Effect]:
        municipalities = {entity.id: entity for entity in city.entities(MUNICIPALITY)}
        touched: dict[tuple[Hazard, str, str], None] = {}
        # those that are open too: a bulletin that names fewer places lifts those it leaves out
        for open_situation in city.situations():
            known = read_key(open_situation.key)
            if known is not None and known[1] in municipalities:
                touched[known] = None
        for urn, entity in municipalities.items():
            for (hazard, zone), level in bulletins.levels_for(event.alert, entity).items():
                if self._proposes(level):
                    touched[hazard, urn, zone] = None
        effects = []
        for hazard, urn, zone in touched:
            place = place_of_entity(municipalities[urn], zone)
            situation = city.situation(place.key(hazard))
            look = self._look(event, city, situation)
            effect = self._assess(look, place, hazard, event, is_late=False)
            if effect is not None:
                effects.append(effect)
        # what calls people out goes before what lets them return
        return sorted(effects, key=lambda effect: -int(effect.level))

    def _look(self, event: Event, city: CityView, situation: Situation | None) -> Look:
        return Look(
            city=city,
            at=event.at,
            occasion=event.occasion,
            situation=situation,
            patience=self.patience,
            lowest=AlertLevel(self.propose_from_level),
            reading=event.reading if isinstance(event, ObservationStored) else None,
        )

    # --- what is made of it ---------------------------------------------------------------

    def _assess(
        self, look: Look, place: Place, hazard: Hazard, event: Event, *, is_late: bool
    ) -> Assessment | None:
        contributions = self._contributions(look, place, hazard, event)
        called_for = max((item.level for item in contributions), default=AlertLevel.NONE)
        level = called_for if self._proposes(called_for) else AlertLevel.NONE
        before = AlertLevel.NONE if look.situation is None else look.situation.level
        if level == before:
            return None
        if level < before and (is_late or _is_overtaken(look.situation, event)):
            return None
        contributions.sort(key=lambda item: _rank(item, event))
        sentences = [
            item.evidence.summary
            for item in contributions
            if AlertLevel.NONE < item.level == called_for or (level < before and item.was > level)
        ]
        if level < before and not any(item.was > level for item in contributions):
            sentences.append(texts.nothing_calls_for(before, hazard, event.at))
        evidence = [item.evidence for item in contributions] or [_nothing(before, hazard, event)]
        return Assessment(
            situation=place.key(hazard),
            hazard=hazard,
            level=level,
            area=place.area,
            headline=texts.headline(level, hazard, place.area.name, _stands(look.situation)),
            reason=texts.reason(
                sentences,
                texts.meaning(before, level, hazard),
                NO_NAME if called_for == level else texts.still(called_for, hazard),
            ),
            evidence=tuple(evidence[:_MOST_EVIDENCE]),
            rule_version=RULE_VERSION,
            at=event.at,
        )

    def _contributions(
        self, look: Look, place: Place, hazard: Hazard, event: Event
    ) -> list[Contribution]:
        gauges = [*look.city.entities(river.GAUGE), *look.city.entities(rainfall.GAUGE)]
        measures = [
            measure
            for gauge in gauges
            if place.zone == WHOLE and area_urn(gauge) == place.urn
            for measure in self._measures(gauge)
            if measure.hazard is hazard
        ]
        found = look.at_gauges(measures)
        if place.municipality is not None:
            arrived = event.alert if isinstance(event, AlertReceived) else None
            in_force = look.city.bulletins_in_force()
            found += bulletins.contributions(
                in_force, place.municipality, hazard, place.zone, arrived
            )
        return found

    def _measures(self, gauge: Entity | None) -> tuple[Measure, ...]:
        if gauge is None:
            return ()
        if gauge.type == river.GAUGE:
            return river.measures(gauge, margin_m=self.margin_m, spike_m=self.spike_m)
        if gauge.type == rainfall.GAUGE:
            return rainfall.measures(gauge)
        return ()

    def _proposes(self, level: AlertLevel) -> bool:
        return level >= self.propose_from_level


def _is_late(event: ObservationStored, city: CityView) -> bool:
    """Whether a newer reading of the same series was known when this one came."""
    reading = event.reading
    if Quality.LATE in reading.quality:
        return True
    if event.at <= reading.observed_at:  # the view ends with the reading itself
        return False
    latest = city.latest(reading.entity, reading.observed_property)
    return latest is not None and latest.observed_at > reading.observed_at


def _is_overtaken(situation: Situation | None, event: Event) -> bool:
    """Whether the situation rests on something newer than the event: a slower gauge, a delay."""
    return situation is not None and event.at < situation.changed_at


def _stands(situation: Situation | None) -> AlertLevel:
    """The level that the public was told, or else the one last proposed."""
    if situation is None:
        return AlertLevel.NONE
    return situation.level if situation.in_force is None else situation.in_force.level


def _nothing(before: AlertLevel, hazard: Hazard, event: Event) -> Evidence:
    """What there is to show where a bulletin ended without a word: what made us notice."""
    return Evidence(
        kind="alert" if isinstance(event, AlertReceived) else "observation",
        source=_cause(event),
        level=AlertLevel.NONE,
        summary=texts.nothing_calls_for(before, hazard, event.at),
        at=event.at,
    )


def _cause(event: Event) -> str:
    """The source that the event's evidence goes by."""
    return event.alert.identifier if isinstance(event, AlertReceived) else event.reading.entity


def _rank(contribution: Contribution, event: Event) -> tuple[int, bool, int, str, str]:
    """The highest first; among equals what the event brought, then what changed, then by name."""
    evidence = contribution.evidence
    return (
        -int(evidence.level),
        evidence.source != _cause(event),
        -int(contribution.was),
        evidence.source,
        evidence.observed_property,
    )
