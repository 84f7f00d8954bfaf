"""Domain objects in one short line each, for tests: what is not said has a plain default."""
# ruff: noqa: ANN401 - keyword arguments go through to the domain class, which knows their types

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cityos.domain.alert import ActualAlert, Alert, AlertArea, AlertInfo, Bulletin, MessageType
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Device, Entity, Name
from cityos.domain.event import AlertReceived, ObservationStored
from cityos.domain.observation import Position, Quality, Reading, Value
from cityos.domain.observed_property import PROPERTIES
from cityos.domain.occasion import Actual, Occasion
from cityos.domain.proposal import Assessment, Evidence, Situation
from cityos.plugins.contract import Receipt

NOON: Final = datetime(2026, 9, 1, 12, tzinfo=UTC)
"""The time of a test that does not care: 防災の日."""


def at(text: str) -> datetime:
    """``at("2026-09-01T12:00+09:00")``: aware UTC. Without an offset it is UTC already."""
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def name(text: str) -> Name:
    return Name(text, text)


def entity(
    entity_id: str, entity_type: str, *, position: tuple[float, float] | None = None, **facts: Any
) -> Entity:
    """``facts`` are the attributes, ``position`` is longitude, latitude."""
    return Entity(
        id=entity_id,
        type=entity_type,
        name=name(entity_id.rpartition(":")[2]),
        position=None if position is None else Position(*position),
        attributes=facts,
    )


def gauge(local: str = "seto", *, tenant: str = "town", **facts: Any) -> Entity:
    """A river gauge with the thresholds 1, 2, 3 and 4 m, unless others are given."""
    levels = {
        "standby_level_m": 1.0,
        "caution_level_m": 2.0,
        "evacuation_level_m": 3.0,
        "danger_level_m": 4.0,
    }
    urn = f"urn:ngsi-ld:WaterLevelGauge:{tenant}:{local}"
    return entity(urn, "WaterLevelGauge", position=(138.3, 34.9), **{**levels, **facts})


def device(device_id: str = "gauge-1", adapter: str = "cityos_json", **rest: Any) -> Device:
    rest.setdefault("entity", gauge().id)
    return Device(vendor=rest.pop("vendor", "demo"), id=device_id, adapter=adapter, **rest)


def receipt(**rest: Any) -> Receipt:
    """A receipt at noon, from the device ``gauge-1`` of the vendor ``demo``."""
    rest.setdefault("source", "cityos/v1/town/demo/gauge-1/observations")
    rest.setdefault("device", "gauge-1")
    rest.setdefault("received_at", NOON)
    return Receipt(**rest)


def reading(
    entity_id: str,
    observed_property: str,
    value: Value,
    observed_at: datetime = NOON,
    *,
    dataset: str = "",
    received_at: datetime | None = None,
    quality: Quality = Quality.GOOD,
) -> Reading:
    """A reading in the property's own unit, received when it was observed."""
    return Reading(
        entity=entity_id,
        observed_property=observed_property,
        value=value,
        unit=PROPERTIES[observed_property].unit,
        observed_at=observed_at,
        received_at=received_at or observed_at,
        quality=quality,
        dataset=dataset,
    )


def stored(
    of: Reading, *, occasion: Occasion | None = None, event_id: int = 1
) -> ObservationStored:
    """The event that a reading is in the store, at the time of its observation."""
    occasion = occasion or Actual()
    return ObservationStored(id=event_id, occasion=occasion, at=of.observed_at, reading=of)


def received(alert: Alert, *, event_id: int = 1) -> AlertReceived:
    """The event that another authority's alert is in the store, at the time it was sent."""
    return AlertReceived(id=event_id, occasion=alert.occasion, at=alert.sent, alert=alert)


def info(
    hazard: Hazard = Hazard.FLOOD, level: AlertLevel = AlertLevel.EVACUATE, **rest: Any
) -> AlertInfo:
    rest.setdefault("areas", (AlertArea(name=name("town")),))
    for text in ("event", "headline", "description", "instruction"):
        rest.setdefault(text, name(text))
    return AlertInfo(hazard=hazard, level=level, **rest)


def alert(identifier: str = "alert-1", sent: datetime = NOON, **rest: Any) -> ActualAlert:
    rest.setdefault("sender", "authority.example.jp")
    rest.setdefault("message_type", MessageType.ALERT)
    rest.setdefault("infos", (info(),))
    return ActualAlert(identifier=identifier, sent=sent, **rest)


def bulletin(
    identifier: str = "bulletin-1", sent: datetime = NOON, *, drill: bool = False, **rest: Any
) -> Bulletin:
    rest.setdefault("sender", "authority.example.jp")
    rest.setdefault("message_type", MessageType.ALERT)
    rest.setdefault("infos", (info(),))
    rest.setdefault("supersedes", identifier)
    return Bulletin(identifier=identifier, sent=sent, drill=drill, **rest)


def situation(
    key: str, level: AlertLevel = AlertLevel.EVACUATE, since: datetime = NOON, **rest: Any
) -> Situation:
    rest.setdefault("peak", level)
    rest.setdefault("opened_at", since)
    rest.setdefault("changed_at", since)
    return Situation(key=key, level=level, **rest)


def assessment(
    key: str, level: AlertLevel = AlertLevel.EVACUATE, moment: datetime = NOON, **rest: Any
) -> Assessment:
    rest.setdefault("hazard", Hazard.FLOOD)
    rest.setdefault("area", AlertArea(name=name("town")))
    rest.setdefault("headline", name("headline"))
    rest.setdefault("reason", name("reason"))
    rest.setdefault("rule_version", "test-1")
    rest.setdefault("evidence", (evidence(level, moment),))
    return Assessment(situation=key, level=level, at=moment, **rest)


def evidence(level: AlertLevel = AlertLevel.EVACUATE, moment: datetime = NOON) -> Evidence:
    return Evidence(
        kind="observation",
        source=gauge().id,
        level=level,
        summary=name("the river is high"),
        at=moment,
        observed_property="water_level",
        value=4.2,
        threshold=4.0,
        unit="m",
    )
