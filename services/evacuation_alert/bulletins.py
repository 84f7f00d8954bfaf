"""Other authorities' bulletins: which municipality each speaks for, and at which level."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cityos.domain.alert import Alert, AlertArea, AlertInfo, MessageType
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Entity, Name
from cityos.domain.proposal import Evidence
from services.evacuation_alert.areas import codes_of
from services.evacuation_alert.contribution import Contribution
from services.evacuation_alert.texts import both, grade, moment
from services.evacuation_alert.zones import is_wider, zone_of

_CODE_DIGITS: Final = 5
"""全国地方公共団体コード: prefecture and municipality; a sixth digit only checks the five."""


def speaks_for(area: AlertArea, municipality: Entity) -> bool:
    """Whether the area is the municipality, or one of those that it lists as its own.

    Codes are compared scheme by scheme: a geocode ``jma_tsunami_area`` with the municipality's
    attribute ``jma_tsunami_area_codes``, and so on. Only an area without any code is compared by
    its Japanese name: several towns share a name, and a river is no town.
    """
    if area.entity == municipality.id:
        return True
    if not area.geocodes:
        return bool(area.name.ja) and area.name.ja == municipality.name.ja
    numbers = {code[:_CODE_DIGITS] for code in area.geocodes.get("municipality", ())}
    if not numbers.isdisjoint(
        code[:_CODE_DIGITS] for code in codes_of(municipality, "municipality_code")
    ):
        return True
    return any(
        not set(codes).isdisjoint(codes_of(municipality, f"{scheme}_codes"))
        for scheme, codes in area.geocodes.items()
    )


def infos_for(alert: Alert, municipality: Entity) -> list[AlertInfo]:
    return [
        info for info in alert.infos if any(speaks_for(area, municipality) for area in info.areas)
    ]


def levels_for(alert: Alert, municipality: Entity) -> dict[tuple[Hazard, str], AlertLevel]:
    """Return the hazards and zones of which the alert speaks to the municipality, and how high.

    A cancelled alert calls for nothing any more, whatever its infos repeat.
    """
    cancelled = alert.message_type is MessageType.CANCEL
    levels: dict[tuple[Hazard, str], AlertLevel] = {}
    for info in infos_for(alert, municipality):
        key = (info.hazard, zone_of(info))
        level = AlertLevel.NONE if cancelled else info.level
        levels[key] = max(level, levels.get(key, AlertLevel.NONE))
    return levels


def contributions(
    in_force: Iterable[Alert],
    municipality: Entity,
    hazard: Hazard,
    zone: str,
    arrived: Alert | None,
) -> list[Contribution]:
    """Return what the bulletins in force say of the hazard, one contribution for each.

    An order for a wider zone holds up a narrower one: nobody is told that the shore is safe while
    the town flees. ``arrived`` is the alert that the event
    brought; where it calls for nothing it is named, since it explains why the level goes down.
    """
    found = []
    for alert in in_force:
        level = max(
            (
                level
                for (of, where), level in levels_for(alert, municipality).items()
                if of is hazard and (where == zone or is_wider(where, zone))
            ),
            default=AlertLevel.NONE,
        )
        if level is not AlertLevel.NONE:
            found.append(_contribution(alert, municipality, hazard, level))
    if arrived is None or arrived.identifier in {item.evidence.source for item in found}:
        return found
    if _is_about(arrived, municipality, hazard):
        found.append(_contribution(arrived, municipality, hazard, AlertLevel.NONE))
    return found


def _is_about(alert: Alert, municipality: Entity, hazard: Hazard) -> bool:
    """A cancellation need not repeat what it cancels."""
    if alert.message_type is MessageType.CANCEL and not alert.infos:
        return True
    return any(info.hazard is hazard for info in infos_for(alert, municipality))


def _contribution(
    alert: Alert, municipality: Entity, hazard: Hazard, level: AlertLevel
) -> Contribution:
    facts: dict[str, Name | str] = {
        "sender": alert.sender_name if alert.sender_name.ja else Name(alert.sender, alert.sender),
        "event": _event(alert, municipality, hazard, level),
        "time": moment(alert.sent),
        "level": grade(level, hazard),
    }
    if level is AlertLevel.NONE:
        summary = both(
            "{sender}: {event} ({time}) calls for nothing here any more.",
            "{sender}「{event}」（{time}）により、この区域に該当する発表なし。",
            **facts,
        )
        was = AlertLevel.EMERGENCY_SAFETY  # a lifting explains any fall
    else:
        summary = both(
            "{sender}: {event}, equal to {level} ({time}).",
            "{sender}「{event}」{level}相当（{time}）。",
            **facts,
        )
        was = AlertLevel.NONE
    evidence = Evidence(
        kind="alert", source=alert.identifier, level=level, summary=summary, at=alert.sent
    )
    return Contribution(evidence, was)


def _event(alert: Alert, municipality: Entity, hazard: Hazard, level: AlertLevel) -> Name:
    """The name of what the authority announced, as it calls it."""
    infos = [info for info in infos_for(alert, municipality) if info.hazard is hazard]
    named = [info.event for info in infos if info.level is level] or [
        info.event for info in [*infos, *alert.infos]
    ]
    return named[0] if named else Name("bulletin", "情報")
