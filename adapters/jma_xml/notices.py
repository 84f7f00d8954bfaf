"""Short notices without an alert level: VPOA50, VPHW50, VPHW51 and VPBS50.

記録的短時間大雨情報, 竜巻注意情報 and, in the scheme of 2026, 府県気象防災速報.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from adapters.jma_xml import names
from adapters.jma_xml.document import Element, each, number, text
from adapters.jma_xml.report import Content, Report
from adapters.jma_xml.wording import make_info
from cityos.domain.alert import AlertArea
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Name

STANDS_FOR: Final = timedelta(hours=3)
"""JMA gives a record rainfall no end; the three hours are ours: by then it has run off or been
followed by a newer notice or a warning."""

_RECORD_RAIN: Final = Name("Record short-time heavy rain information", "記録的短時間大雨情報")
_TORNADO: Final = Name("Tornado watch information", "竜巻注意情報")
_TAGS: Final = (
    # word in the 情報タグ, English name, hazards
    ("記録雨", "Record short-time heavy rain", (Hazard.LANDSLIDE, Hazard.INLAND_FLOOD)),
    ("線状降水帯", "Linear rainband", (Hazard.LANDSLIDE, Hazard.INLAND_FLOOD)),
    ("大雪", "Heavy snow in a short time", (Hazard.SNOW,)),
    ("竜巻", "Tornado watch", (Hazard.STORM,)),
)
_TAKE_COVER: Final = Name(
    "When the sky darkens, thunder is heard or a cold wind sets in: go into a strong building.",
    "空が暗くなる、雷鳴が聞こえる、冷たい風が吹くなどしたら、頑丈な建物の中に入ってください。",
)


def read_record_rain(report: Report) -> Content:
    """Return where the rain fell. The rainfall itself is in the text alone."""
    areas = _areas_in_force(report, "（発表細分）")
    infos = tuple(
        make_info(
            report,
            _RECORD_RAIN,
            hazard,
            AlertLevel.NONE,
            areas,
            parameters={"kind_code": "1"},
        )
        for hazard in (Hazard.LANDSLIDE, Hazard.INLAND_FLOOD)
    )
    return Content(infos=infos, valid_until=report.reported_at + STANDS_FOR)


def read_tornado(report: Report) -> Content:
    """Return the municipalities under the watch; it ends by itself (Head/ValidDateTime)."""
    areas = _areas_in_force(report, "（市町村等）") or _areas_in_force(report, "（発表細分）")
    info = make_info(
        report,
        _TORNADO,
        Hazard.STORM,
        AlertLevel.NONE,
        areas,
        instruction=_TAKE_COVER,
        parameters={"kind_code": "1"},
    )
    end = report.valid_until or report.reported_at + STANDS_FOR
    return Content(infos=(info,), valid_until=end)


def read_quick_notice(report: Report) -> Content:
    """Return the regions of a 気象防災速報 by its tags, with the municipalities it measured in."""
    items = report.information("情報タグ")
    tags = "、".join(text(item, "Kind/Condition") for item in items)
    regions = [
        names.area(text(area, "Name"), text(area, "Code"), names.AREA)
        for item in items
        for area in each(item, "Areas/Area")
    ]
    english, hazards = _of_tags(tags + report.head_title)
    infos = tuple(
        make_info(
            report,
            Name(f"{english}: weather disaster quick notice", report.head_title),
            hazard,
            AlertLevel.NONE,
            regions + _places(report),
            parameters={
                "tags": tags,
                "precipitation_1h_mm": _greatest(report, "Precipitation", "１時間"),
                "snowfall_6h_cm": _greatest(report, "SnowfallDepth", "６時間"),
            },
        )
        for hazard in hazards
    )
    return Content(infos=infos, valid_until=report.valid_until or report.reported_at + STANDS_FOR)


def _areas_in_force(report: Report, kind: str) -> list[AlertArea]:
    return [
        names.area(text(item, "Area/Name"), text(item, "Area/Code"), names.AREA)
        for item in report.warning(kind)
        if text(item, "Kind/Code") != "0"
    ]


def _of_tags(words: str) -> tuple[str, tuple[Hazard, ...]]:
    for word, english, hazards in _TAGS:
        if word in words:
            return english, hazards
    return "Severe weather", (Hazard.STORM,)


def _items(report: Report) -> list[Element]:
    return each(report.body, "MeteorologicalInfos/MeteorologicalInfo/Item")


def _places(report: Report) -> list[AlertArea]:
    found = {
        text(item, "Area/Code"): names.area(
            text(item, "Area/Name"), text(item, "Area/Code"), names.AREA
        )
        for item in _items(report)
        if text(item, "Area/Code")
    }
    return list(found.values())


def _greatest(report: Report, quantity: str, period: str) -> str:
    """The greatest amount measured over ``period`` that the notice tells of."""
    values = [
        number(part)
        for item in _items(report)
        for part in each(item, f"Kind/Property/{quantity}Part/{quantity}")
        if period in part.get("type", "")
    ]
    known = [value for value in values if value is not None]
    return f"{max(known):g}" if known else ""
