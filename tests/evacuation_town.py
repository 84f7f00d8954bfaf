"""A town in which things happen, and the service ``evacuation_alert`` that hears of each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cityos.domain.alert import (
    ActualAlert,
    Alert,
    AlertArea,
    AlertInfo,
    ExerciseAlert,
    MessageType,
)
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import NO_NAME, Entity, Name
from cityos.domain.event import AlertReceived, Event, ObservationStored
from cityos.domain.observation import Reading
from cityos.domain.occasion import Actual, Occasion
from cityos.domain.proposal import Assessment
from cityos.testing.city import ReceivedBulletin, RecordedCity
from services.evacuation_alert.service import EvacuationAlert

START = datetime(2026, 9, 1, 0, 0, tzinfo=UTC)
GAUGE = "urn:ngsi-ld:WaterLevelGauge:town:asuwa"
OTHER = "urn:ngsi-ld:WaterLevelGauge:town:hino"
RAIN = "urn:ngsi-ld:RainGauge:town:hall"
AREA = "urn:ngsi-ld:Area:town:riverside"
TOWN = "urn:ngsi-ld:Municipality:town"
SQUARE = [[138.0, 34.0], [138.1, 34.0], [138.1, 34.1], [138.0, 34.0]]
THRESHOLDS = {
    "standby_level_m": 3.5,
    "caution_level_m": 4.8,
    "evacuation_level_m": 5.6,
    "danger_level_m": 6.1,
}


def minute(count: float) -> datetime:
    return START + timedelta(minutes=count)


def gauge(urn: str = GAUGE, **facts: object) -> Entity:
    attributes = {**THRESHOLDS, "river_en": "Asuwa River", "river_ja": "足羽川", **facts}
    return Entity(
        id=urn,
        type="WaterLevelGauge",
        name=Name("Tsukumo Bridge", "九十九橋"),
        attributes={name: value for name, value in attributes.items() if value is not None},
    )


def area(urn: str = AREA, kind: str = "Area", **facts: Any) -> Entity:
    return Entity(
        id=urn,
        type=kind,
        name=Name("Riverside", "川沿い地区"),
        geometry={"type": "Polygon", "coordinates": [SQUARE]},
        attributes={"municipality_code": "22212", **facts},
    )


def town(**facts: Any) -> Entity:
    codes = {"jma_area_codes": ["2221200"], "jma_tsunami_area_codes": ["380"]}
    return area(TOWN, "Municipality", **codes, **facts)


def rain_gauge(**facts: Any) -> Entity:
    attributes = {
        "rainfall_levels_mm": {
            "precipitation_1h": {"2": 30, "3": 50},
            "precipitation_24h": {"3": 200},
        },
        "area": AREA,
        **facts,
    }
    return Entity(id=RAIN, type="RainGauge", name=Name("Town hall", "役場"), attributes=attributes)


def bulletin(
    identifier: str,
    level: int,
    at: float,
    *,
    hazard: Hazard = Hazard.LANDSLIDE,
    areas: Iterable[AlertArea] = (
        AlertArea(name=Name("Town", "町"), geocodes={"jma_area": ("2221200",)}),
    ),
    message_type: MessageType = MessageType.ALERT,
    run: str = "",
    zone: str = "",
) -> Alert:
    info = AlertInfo(
        event=Name("Landslide warning", "レベル４土砂災害危険警報"),
        hazard=hazard,
        level=AlertLevel(level),
        headline=NO_NAME,
        description=NO_NAME,
        instruction=NO_NAME,
        areas=tuple(areas),
        parameters={"evacuation_zone": zone} if zone else {},
    )
    facts: dict[str, Any] = {
        "identifier": identifier,
        "sender": "jma",
        "sender_name": Name("Shizuoka Local Meteorological Office", "静岡地方気象台"),
        "sent": minute(at),
        "message_type": message_type,
        "infos": (info,),
    }
    return ExerciseAlert(**facts, run=run) if run else ActualAlert(**facts)


class Town:
    """A city in which things happen one after the other, and the service hears of each."""

    def __init__(self, *entities: Entity, occasion: Occasion | None = None, **rules: Any) -> None:
        self.service = EvacuationAlert(**rules)
        self.city = RecordedCity(entities=entities)
        self.occasion = occasion or Actual()
        self.newest: dict[tuple[str, str], datetime] = {}
        self.said: list[Assessment] = []

    def observe(
        self,
        at: float,
        value: Any,
        *,
        entity: str = GAUGE,
        prop: str = "water_level",
        received: float | None = None,
        **facts: Any,
    ) -> list[Assessment]:
        """As ingest does: the event is at the present of its series."""
        key = (entity, prop)
        reading = Reading(
            entity=entity,
            observed_property=prop,
            value=value,
            unit="m",
            observed_at=minute(at),
            received_at=minute(at if received is None else received),
            **facts,
        )
        self.newest[key] = max(reading.observed_at, self.newest.get(key, reading.observed_at))
        event = ObservationStored(
            id=1, occasion=self.occasion, at=self.newest[key], reading=reading
        )
        return self.hear(event)

    def receive(self, alert: Alert, supersedes: str = "") -> list[Assessment]:
        self.city.bulletins.append(ReceivedBulletin(alert, supersedes or alert.identifier))
        return self.hear(AlertReceived(id=1, occasion=alert.occasion, at=alert.sent, alert=alert))

    def hear(self, event: Event) -> list[Assessment]:
        self.city.happen(event)
        answers = [list(self.service.react(event, self.city.view_of(event))) for _ in range(2)]
        assert answers[0] == answers[1]
        for effect in answers[0]:
            self.city.perform(effect)
        self.said += answers[0]
        return answers[0]

    def levels(self) -> list[int]:
        return [int(assessment.level) for assessment in self.said]

    def level(self, key: str = f"flood/{GAUGE}") -> int:
        found = self.city.situations.get(key)
        return 0 if found is None else int(found.level)
