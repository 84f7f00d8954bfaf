"""One way of making an AlertInfo, so that all telegrams read alike in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from adapters.jma_xml.report import Report
from cityos.domain.alert import AlertArea, AlertInfo
from cityos.domain.alert_level import MEANINGS, AlertLevel, Hazard
from cityos.domain.entity import NO_NAME, Name

_IN_HEADLINE: Final = 3
_IN_DESCRIPTION: Final = 40


class State(StrEnum):
    """Parameter ``state`` of a warning: level NONE alone does not say which of these it is."""

    IN_FORCE = "in_force"
    LIFTED = "lifted"
    NOT_IN_FORCE = "none"


_HEADLINE_ENDS: Final = {
    State.IN_FORCE: Name("", ""),
    State.LIFTED: Name(" lifted", " 解除"),
    State.NOT_IN_FORCE: Name("", ""),
}


def make_info(
    report: Report,
    event: Name,
    hazard: Hazard,
    level: AlertLevel,
    areas: Sequence[AlertArea],
    *,
    state: State | None = None,
    instruction: Name | None = None,
    description: Name | None = None,
    parameters: Mapping[str, str] | None = None,
) -> AlertInfo:
    """Return an info of the report. Parameters without a value are left out.

    ``state`` is None for a report of something that happened. ``instruction`` None stands for
    what the level asks of people, ``description`` None for the report's own headline.
    """
    end = NO_NAME if state is None else _HEADLINE_ENDS[state]
    stands = state in (None, State.IN_FORCE)
    if instruction is None:
        instruction = MEANINGS[level].action if level and stands else NO_NAME
    if description is None:
        description = Name(_areas(areas, event.en), report.headline or event.ja)
    shared = {
        "telegram": report.telegram,
        "event_id": report.event_id,
        "serial": report.serial,
        "alert_level": str(int(level)),
        "state": "" if state is None else state.value,
    }
    return AlertInfo(
        event=event,
        hazard=hazard,
        level=level,
        headline=Name(
            f"{event.en}{end.en}{_some(areas, ': ', ', ', ' and {} more')}",
            f"{event.ja}{end.ja}{_some_ja(areas)}",
        ),
        description=description,
        instruction=instruction,
        areas=tuple(areas),
        effective=report.reported_at,
        parameters={
            name: value for name, value in {**shared, **(parameters or {})}.items() if value
        },
    )


def _areas(areas: Sequence[AlertArea], event: str) -> str:
    if not areas:
        return f"{event}. Issued by the Japan Meteorological Agency."
    names = [area.name.en for area in areas[:_IN_DESCRIPTION]]
    more = len(areas) - len(names)
    end = f" and {more} more areas" if more else ""
    return f"{event}. Issued by the Japan Meteorological Agency for {', '.join(names)}{end}."


def _some(areas: Sequence[AlertArea], start: str, joint: str, more: str) -> str:
    if not areas:
        return ""
    rest = len(areas) - _IN_HEADLINE
    end = more.format(rest) if rest > 0 else ""
    return start + joint.join(area.name.en for area in areas[:_IN_HEADLINE]) + end


def _some_ja(areas: Sequence[AlertArea]) -> str:
    if not areas:
        return ""
    rest = len(areas) - _IN_HEADLINE
    end = f" ほか{rest}地域" if rest > 0 else ""
    return "：" + "、".join(area.name.ja for area in areas[:_IN_HEADLINE]) + end
