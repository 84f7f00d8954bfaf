"""津波: 警報・注意報・予報 (VTSE41), 津波情報 (VTSE51), 沖合の津波観測に関する情報 (VTSE52).

Levels: the five levels are about water from rain and the sea's surge; the guideline gives a
tsunami no number (避難情報に関するガイドライン, Cabinet Office, May 2021, part on 津波災害:
警戒レベルを付さない). It says what the mayor does instead: for 大津波警報, 津波警報 and 津波注意報
alike an evacuation order (避難指示) at once, without 高齢者等避難 before it; what differs is the
zone. So all three are level 4, the level of that order, and the parameter ``evacuation_zone``
says for whom: ``maximum`` (the largest inundation thought possible), ``inundation`` (the land
that a tsunami of up to 3 m reaches) or ``shore`` (the sea, the beach, what lies seaward of the
sea walls).

Only VTSE41 grades a coast. VTSE51 and VTSE52 report arrivals and heights and repeat the grade
(``kind_code``), at level NONE: they are not sent again when a warning is lifted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from adapters.jma_xml import names
from adapters.jma_xml.document import Element, each, first, number, text, time
from adapters.jma_xml.hypocenter import earthquake_parameters
from adapters.jma_xml.report import Content, Report
from adapters.jma_xml.wording import State, make_info
from cityos.domain.alert import AlertArea, AlertInfo
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import NO_NAME, Name
from cityos.errors import UndecodablePayload

INFORMATION_STANDS_FOR: Final = timedelta(hours=12)
"""JMA gives its tsunami information no end; newer ones come by the hour."""


@dataclass(frozen=True, slots=True)
class _Grade:
    name: Name
    level: AlertLevel = AlertLevel.NONE
    zone: str = ""
    instruction: Name = NO_NAME
    state: State = State.IN_FORCE


_MAJOR: Final = _Grade(
    Name("Major Tsunami Warning", "大津波警報"),
    AlertLevel.EVACUATE,
    "maximum",
    Name(
        "Evacuate from the coast and along rivers at once, to high ground or an evacuation "
        "building, as far and as high as you can. Do not go back until the warning is lifted.",
        "沿岸部や川沿いにいる人は、ただちに高台や避難ビルなど、より高い安全な場所へ避難してください。"
        "警報が解除されるまで戻らないでください。",
    ),
)
_WARNING: Final = _Grade(
    Name("Tsunami Warning", "津波警報"),
    AlertLevel.EVACUATE,
    "inundation",
    _MAJOR.instruction,
)
_ADVISORY: Final = _Grade(
    Name("Tsunami Advisory", "津波注意報"),
    AlertLevel.EVACUATE,
    "shore",
    Name(
        "Get out of the sea and leave the shore at once. Stay away until the advisory is lifted.",
        "海の中にいる人は、ただちに海から上がって、海岸から離れてください。"
        "注意報が解除されるまで、海岸に近づかないでください。",
    ),
)
_FORECAST: Final = _Grade(
    Name("Tsunami Forecast (slight sea level change)", "津波予報（若干の海面変動）"),
    state=State.NOT_IN_FORCE,
)
GRADES: Final = {
    # JMA code table 警報等情報要素／津波警報・注意報・予報
    "00": _Grade(Name("No tsunami", "津波なし"), state=State.NOT_IN_FORCE),
    "50": _Grade(Name("Tsunami Warning", "津波警報"), state=State.LIFTED),
    "51": _WARNING,
    "52": _MAJOR,
    "53": _MAJOR,
    "60": _Grade(Name("Tsunami Advisory", "津波注意報"), state=State.LIFTED),
    "62": _ADVISORY,
    "71": _FORECAST,
    "72": _FORECAST,
    "73": _FORECAST,
}


@dataclass(frozen=True, slots=True)
class _Group:
    code: str
    last_code: str
    height_m: str
    height: str


def read_warning(report: Report) -> Content:
    """Return the grade of each coast (津波予報区), with the expected height.

    Raises:
        UndecodablePayload: no area, or a grade that is not in the table.
    """
    items = each(report.body, "Tsunami/Forecast/Item")
    if not items:
        raise UndecodablePayload(
            "no tsunami forecast area", path="/Report/Body/Tsunami/Forecast/Item"
        )
    groups: dict[_Group, list[AlertArea]] = {}
    arrivals: dict[str, str] = {}
    for item in items:
        code = _grade_code(item)
        group = _Group(code, text(item, "Category/LastKind/Code"), *_height(item))
        groups.setdefault(group, []).append(_area(item))
        arrivals[text(item, "Area/Code")] = _first_wave(first(item, "FirstHeight"))
    infos = [_graded(report, group, areas, arrivals) for group, areas in groups.items()]
    infos.sort(key=lambda info: (-info.level, _ORDER.index(info.parameters["kind_code"])))
    return Content(infos=tuple(infos), valid_until=report.valid_until)


_ORDER: Final = ["53", "52", "51", "62", "50", "60", "71", "72", "73", "00"]


def read_information(report: Report) -> Content:
    """Return what is expected and what was measured, coast by coast; one info an area."""
    infos = [
        _informed(report, part, item)
        for part in ("Forecast", "Observation", "Estimation")
        for item in each(report.body, f"Tsunami/{part}/Item")
    ]
    return Content(infos=tuple(infos), valid_until=report.reported_at + INFORMATION_STANDS_FOR)


def _graded(
    report: Report, group: _Group, areas: list[AlertArea], arrivals: dict[str, str]
) -> AlertInfo:
    grade = GRADES[group.code]
    waves = {
        f"arrival.{code}": arrivals[code]
        for area in areas
        for code in area.geocodes.get(names.TSUNAMI_AREA, ())
    }
    return make_info(
        report,
        grade.name,
        Hazard.TSUNAMI,
        grade.level,
        areas,
        state=grade.state,
        instruction=grade.instruction,
        parameters={
            **earthquake_parameters(report),
            "kind_code": group.code,
            "last_kind_code": group.last_code,
            "evacuation_zone": grade.zone,
            "tsunami_max_height_m": group.height_m,
            "tsunami_max_height_text": group.height,
            **waves,
        },
    )


def _informed(report: Report, part: str, item: Element) -> AlertInfo:
    code = text(item, "Category/Kind/Code")
    heights = [
        value
        for station in (item, *each(item, "Station"))
        if (value := number(first(station, "MaxHeight/TsunamiHeight"))) is not None
    ]
    area = _area(item)
    return make_info(
        report,
        _EVENTS[part],
        Hazard.TSUNAMI,
        AlertLevel.NONE,
        [area] if area.name.ja else [],
        parameters={
            **earthquake_parameters(report),
            "kind_code": code,
            "tsunami_max_height_m": f"{max(heights):g}" if heights else "",
            "tsunami_max_height_text": _height(item)[1],
            "arrival": _first_wave(first(item, "FirstHeight")),
            **_stations(item),
        },
    )


_EVENTS: Final = {
    "Forecast": Name("Expected tsunami arrival", "津波到達予想"),
    "Observation": Name("Tsunami observation", "津波観測"),
    "Estimation": Name("Tsunami height estimated from offshore", "沖合観測から推定される津波"),
}
_MOST_STATIONS: Final = 50


def _stations(item: Element) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for index, station in enumerate(each(item, "Station")[:_MOST_STATIONS], 1):
        height_m, height = _height(station)
        values = {
            "code": text(station, "Code"),
            "name": text(station, "Name"),
            "arrival": _first_wave(first(station, "FirstHeight")),
            "max_height_m": height_m,
            "max_height_text": height,
            "max_height_at": _moment(first(station, "MaxHeight"), "DateTime"),
            "high_tide_at": _moment(station, "HighTideDateTime"),
        }
        parameters |= {f"station.{index}.{key}": value for key, value in values.items()}
    return parameters


def _grade_code(item: Element) -> str:
    code = text(item, "Category/Kind/Code")
    if code not in GRADES:
        message = f"Kind {text(item, 'Category/Kind/Name')[:40]!r} has the unknown code {code!r}"
        raise UndecodablePayload(
            message,
            path="/Report/Body/Tsunami/Forecast/Item/Category/Kind/Code",
            hint=f"the tsunami codes are {', '.join(GRADES)}",
        )
    return code


def _area(item: Element) -> AlertArea:
    return names.area(text(item, "Area/Name"), text(item, "Area/Code"), names.TSUNAMI_AREA)


def _height(item: Element) -> tuple[str, str]:
    """The height in metres where it is a number, and as JMA words it (１０ｍ超, 巨大)."""
    element = first(item, "MaxHeight/TsunamiHeight")
    value = number(element)
    words = text(item, "MaxHeight/Condition") if element is None else ""
    if element is not None:
        words = element.get("description", "")
    return ("" if value is None else f"{value:g}"), words


def _first_wave(height: Element | None) -> str:
    """The expected or observed time of the first wave; without one, JMA's words for it."""
    return _moment(height, "ArrivalTime") or text(height, "Condition")


def _moment(element: Element | None, path: str) -> str:
    moment = time(element, path)
    return "" if moment is None else moment.isoformat().replace("+00:00", "Z")
