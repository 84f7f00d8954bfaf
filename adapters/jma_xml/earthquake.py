"""Earthquake reports: VXSE51, VXSE52, VXSE53 and VXSE61.

震度速報, 震源に関する情報, 震源・震度に関する情報, 顕著な地震の震源要素更新のお知らせ.
They report what happened and have no alert level. One info for each intensity, with the places
that felt it, so that a city finds its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from adapters.jma_xml import names
from adapters.jma_xml.document import Element, content, each, first, text
from adapters.jma_xml.hypocenter import INTENSITIES, earthquake_parameters, strength
from adapters.jma_xml.report import Content, Report
from adapters.jma_xml.wording import make_info
from cityos.domain.alert import AlertArea, AlertInfo
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Name

STANDS_FOR: Final = timedelta(hours=24)
"""JMA gives a report no end; the day is ours, so that none stands for ever."""

_EVENTS: Final = {
    "VXSE51": Name("Seismic intensity report", "震度速報"),
    "VXSE52": Name("Earthquake hypocenter information", "震源に関する情報"),
    "VXSE53": Name("Earthquake and seismic intensity information", "震源・震度情報"),
    "VXSE61": Name("Update of the hypocenter of a notable earthquake", "震源要素更新のお知らせ"),
}
_DISTANT: Final = Name("Distant earthquake information", "遠地地震に関する情報")
_NOT_RECEIVED: Final = Name("5 lower or more (not yet received)", "５弱以上未入電")

_COMMENTS: Final = {
    # 固定付加文, JMA code table code.AdditionalCommentEarthquake: what is said of a tsunami
    "0211": "A tsunami warning or advisory is in effect.",
    "0212": "Slight sea level changes may be seen on the coast of Japan, but no damage.",
    "0213": "Sea level changes will go on for a while: take care when bathing or fishing.",
    "0214": "Sea level changes will go on for a while: take care when fishing from rocks.",
    "0215": "There is no danger of a tsunami from this earthquake.",
    "0216": "If the hypocenter is under the sea, a tsunami may follow.",
    "0217": "Watch for further information.",
    "0221": "A tsunami may occur in wide parts of the Pacific.",
    "0222": "A tsunami may occur in the Pacific.",
    "0223": "A tsunami may occur in the north-western Pacific.",
    "0224": "A tsunami may occur in wide parts of the Indian Ocean.",
    "0225": "A tsunami may occur in the Indian Ocean.",
    "0226": "A tsunami may occur near the hypocenter.",
    "0227": "A small tsunami may occur near the hypocenter, but none that does damage.",
    "0228": "An earthquake of this size under shallow sea can cause a tsunami.",
    "0229": "Whether a tsunami will reach Japan is being examined.",
    "0230": "This earthquake has no tsunami effect on Japan.",
}


def read_earthquake(report: Report) -> Content:
    """Return what was felt where; one info without places where the telegram names none."""
    event = _EVENTS[report.telegram]
    if "遠地" in report.head_title:
        event = _DISTANT
    shared = {
        **earthquake_parameters(report),
        "max_intensity": text(report.body, "Intensity/Observation/MaxInt"),
        "comment_codes": " ".join(_comment_codes(report)),
    }
    description = _description(report, shared)
    infos = [
        _felt_info(report, event, intensity, areas, description, shared)
        for intensity, areas in _by_intensity(report).items()
    ]
    infos.sort(key=lambda info: -strength(info.parameters.get("intensity", "")))
    if not infos:
        place = names.area(shared.get("hypocenter", ""), "", names.AREA)
        infos = [
            make_info(
                report,
                event,
                Hazard.EARTHQUAKE,
                AlertLevel.NONE,
                [place] if place.name.ja else [],
                description=description,
                parameters=shared,
            )
        ]
    return Content(infos=tuple(infos), valid_until=report.reported_at + STANDS_FOR)


def _felt_info(
    report: Report,
    event: Name,
    intensity: str,
    areas: list[AlertArea],
    description: Name,
    shared: dict[str, str],
) -> AlertInfo:
    felt = INTENSITIES.get(intensity, _NOT_RECEIVED)
    return make_info(
        report,
        Name(f"{event.en}: intensity {felt.en}", f"{event.ja} 震度{felt.ja}"),
        Hazard.EARTHQUAKE,
        AlertLevel.NONE,
        areas,
        description=description,
        parameters={**shared, "intensity": intensity},
    )


def _by_intensity(report: Report) -> dict[str, list[AlertArea]]:
    """Municipalities (VXSE53), or the areas of the quick report (VXSE51), by intensity."""
    found: dict[str, list[AlertArea]] = {}
    for area in each(report.body, "Intensity/Observation/Pref/Area"):
        cities = each(area, "City")
        for place, scheme in [(city, names.AREA) for city in cities] or [(area, names.QUAKE_AREA)]:
            intensity = text(place, "MaxInt")
            found.setdefault(intensity, []).append(_place(place, scheme))
    return found


def _place(place: Element, scheme: str) -> AlertArea:
    return names.area(text(place, "Name"), text(place, "Code"), scheme)


def _comment_codes(report: Report) -> list[str]:
    comments = first(report.body, "Comments")
    codes = [
        code
        for kind in ("ForecastComment", "WarningComment", "VarComment")
        for element in each(comments, f"{kind}/Code")
        for code in content(element).split()
    ]
    return list(dict.fromkeys(codes))


def _description(report: Report, shared: dict[str, str]) -> Name:
    magnitude, place = shared.get("magnitude", ""), shared.get("hypocenter", "")
    strongest = INTENSITIES.get(shared["max_intensity"])
    known = [
        f"{_EVENTS[report.telegram].en}.",
        f"Greatest intensity {strongest.en}." if strongest else "",
        f"Hypocenter: {place}." if place else "",
        f"Magnitude {magnitude}." if magnitude else "",
        f"Depth {shared['depth_km']} km." if shared.get("depth_km") else "",
        *(_COMMENTS.get(code, "") for code in shared["comment_codes"].split()),
    ]
    comments = [
        text(report.body, f"Comments/{kind}")
        for kind in ("ForecastComment/Text", "FreeFormComment")
    ]
    ja = "\n".join(filter(None, (report.headline, text(report.body, "Text"), *comments)))
    return Name(" ".join(filter(None, known)), ja)
