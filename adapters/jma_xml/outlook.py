"""早期注意情報（警報級の可能性） until tomorrow: VPFD60.

Level 1 where a warning for rain or storm surge is likely (高) or possible (中)
(避難情報に関するガイドライン: 早期注意情報 is 警戒レベル1); snow, wind and waves have no level.
"""

from __future__ import annotations

from typing import Final

from adapters.jma_xml import names
from adapters.jma_xml.document import Element, content, each, text
from adapters.jma_xml.report import Content, Report
from adapters.jma_xml.wording import State, make_info
from cityos.domain.alert import AlertArea
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Name

_KINDS: Final = {
    "雨の警報級の可能性": (
        Name("heavy rain", "大雨"),
        (Hazard.LANDSLIDE, Hazard.INLAND_FLOOD),
        AlertLevel.PREPARE_MINDSET,
    ),
    "潮位の警報級の可能性": (
        Name("storm surge", "高潮"),
        (Hazard.STORM_SURGE,),
        AlertLevel.PREPARE_MINDSET,
    ),
    "雪の警報級の可能性": (Name("heavy snow", "大雪"), (Hazard.SNOW,), AlertLevel.NONE),
    "風（風雪）の警報級の可能性": (Name("storm", "暴風"), (Hazard.STORM,), AlertLevel.NONE),
    "波の警報級の可能性": (Name("high waves", "波浪"), (Hazard.STORM,), AlertLevel.NONE),
}
_RANKS: Final = {"高": "high", "中": "middle"}


def read_outlook(report: Report) -> Content:
    """Return the regions with a likely or possible warning, by kind and likelihood."""
    found: dict[tuple[str, str], list[AlertArea]] = {}
    for item in each(report.body, "MeteorologicalInfos/TimeSeriesInfo/Item"):
        area = names.area(text(item, "Area/Name"), text(item, "Area/Code"), names.AREA)
        for prop in each(item, "Kind/Property"):
            rank = _highest(prop)
            if rank:
                found.setdefault((text(prop, "Type"), rank), []).append(area)
    infos = [
        make_info(
            report,
            Name(f"Early notice: {name.en} warning possible", f"早期注意情報（{name.ja}）"),
            hazard,
            level,
            areas,
            state=State.IN_FORCE,
            parameters={"likelihood": _RANKS[rank]},
        )
        for (kind, rank), areas in found.items()
        if kind in _KINDS
        for name, hazards, level in [_KINDS[kind]]
        for hazard in hazards
    ]
    infos.sort(key=lambda info: -info.level)
    end = report.valid_until
    if end is None and report.target_at is not None and report.target_duration is not None:
        end = report.target_at + report.target_duration
    return Content(infos=tuple(infos), valid_until=end)


def region(report: Report) -> str:
    """Return the codes of the regions that the outlook is about: its matter."""
    codes = {
        content(code)
        for code in each(report.body, "MeteorologicalInfos/TimeSeriesInfo/Item/Area/Code")
    }
    return "+".join(sorted(filter(None, codes))[:3]) or report.editorial_office


def _highest(prop: Element) -> str:
    ranks = {
        content(rank)
        for rank in each(prop, "PossibilityRankOfWarningPart/PossibilityRankOfWarning")
    }
    return next((rank for rank in _RANKS if rank in ranks), "")
