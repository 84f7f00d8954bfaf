"""火山: 噴火警報・予報 (VFVO50), 噴火に関する火山観測報 (VFVO52), 噴火速報 (VFVO56).

Volcanoes have a scale of their own, 噴火警戒レベル 1 to 5. Its levels 4 (高齢者等避難) and 5
(避難) ask the municipality for the same two orders as the alert levels 3 and 4 (JMA,
噴火警戒レベルの説明; 避難情報に関するガイドライン), and are read as those. The volcano's own level
is a parameter.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from adapters.jma_xml import names
from adapters.jma_xml.document import Element, each, text
from adapters.jma_xml.report import Content, Report
from adapters.jma_xml.wording import State, make_info
from cityos.domain.alert import AlertArea, AlertInfo
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import NO_NAME, Name
from cityos.errors import UndecodablePayload

REPORT_STANDS_FOR: Final = timedelta(hours=24)
"""An eruption notice has no end of its own; what lasts is the warning, VFVO50."""

_VOLCANIC_LEVELS: Final = {"11": "1", "12": "2", "13": "3", "14": "4", "15": "5"}
"""Kind codes of 噴火警報・予報（対象火山） for volcanoes with a 噴火警戒レベル."""
_RESIDENTIAL: Final = {"14": AlertLevel.ELDERLY_EVACUATE, "15": AlertLevel.EVACUATE}
_EVACUATION: Final = "41"
"""噴火警報：避難等 of 噴火警報・予報（対象市町村の防災対応等）: people have to leave."""
_LEVEL_NAMES: Final = {
    "11": "Volcanic Alert Level 1 (potential for increased activity)",
    "12": "Volcanic Alert Level 2 (do not approach the crater)",
    "13": "Volcanic Alert Level 3 (do not approach the volcano)",
    "14": "Volcanic Alert Level 4 (evacuation of the elderly)",
    "15": "Volcanic Alert Level 5 (evacuate)",
}
_ERUPTIONS: Final = {
    "VFVO52": Name("Observation report on eruption", "噴火に関する火山観測報"),
    "VFVO56": Name("Eruption notice", "噴火速報"),
}


def read_volcanic_warning(report: Report) -> Content:
    """Return the volcano's state, and the municipalities with what is asked of them.

    Raises:
        UndecodablePayload: no volcano is named.
    """
    volcanoes = _items(report, "（対象火山）")
    if not volcanoes:
        raise UndecodablePayload("no volcano", path="/Report/Body/VolcanoInfo")
    item = volcanoes[0]
    code, kind = text(item, "Kind/Code"), text(item, "Kind/Name")
    level = _RESIDENTIAL.get(code, AlertLevel.NONE)
    infos = [_volcano_info(report, item)]
    for place in _items(report, "（対象市町村の防災対応等）"):
        evacuation = text(place, "Kind/Code") == _EVACUATION
        # A volcano without levels says only 避難等: the graver reading is the safe one.
        asked = level or AlertLevel.EVACUATE
        infos.append(
            make_info(
                report,
                Name(_municipal_name(code, evacuation=evacuation), text(place, "Kind/Name")),
                Hazard.VOLCANO,
                asked if evacuation else AlertLevel.NONE,
                _areas(place, names.AREA),
                state=_state(place),
                parameters={
                    "kind_code": text(place, "Kind/Code"),
                    "kind": kind,
                    "volcanic_alert_level": _VOLCANIC_LEVELS.get(code, ""),
                    "volcano": text(item, "Areas/Area/Name"),
                    "volcano_code": text(item, "Areas/Area/Code"),
                },
            )
        )
    infos.sort(key=lambda info: -info.level)
    return Content(infos=tuple(infos))


def read_eruption(report: Report) -> Content:
    """Return the volcano that erupted and the municipalities around it, as far as named."""
    named = [
        *((item, names.VOLCANO) for item in _volcanoes(report)),
        *((item, names.AREA) for item in _items(report, "（対象市町村等）")),
    ]
    areas = [area for item, scheme in named for area in _areas(item, scheme)]
    if not areas:
        raise UndecodablePayload("no volcano", path="/Report/Body/VolcanoInfo")
    item = named[0][0]
    info = make_info(
        report,
        _ERUPTIONS[report.telegram],
        Hazard.VOLCANO,
        AlertLevel.NONE,
        areas,
        parameters={
            "kind_code": text(item, "Kind/Code"),
            "kind": text(item, "Kind/Name"),
            "volcano": text(item, "Areas/Area/Name"),
            "volcano_code": text(item, "Areas/Area/Code"),
        },
    )
    return Content(infos=(info,), valid_until=report.reported_at + REPORT_STANDS_FOR)


def _volcano_info(report: Report, item: Element) -> AlertInfo:
    code = text(item, "Kind/Code")
    return make_info(
        report,
        Name(_LEVEL_NAMES.get(code, "Volcanic warning or forecast"), text(item, "Kind/Name")),
        Hazard.VOLCANO,
        AlertLevel.NONE,
        _areas(item, names.VOLCANO),
        state=_state(item),
        instruction=NO_NAME,
        parameters={
            "kind_code": code,
            "volcanic_alert_level": _VOLCANIC_LEVELS.get(code, ""),
            "volcano": text(item, "Areas/Area/Name"),
            "volcano_code": text(item, "Areas/Area/Code"),
        },
    )


def _municipal_name(code: str, *, evacuation: bool) -> str:
    level = _VOLCANIC_LEVELS.get(code)
    if evacuation:
        return _LEVEL_NAMES.get(code, "Volcanic warning: evacuation")
    return f"Volcanic warning (volcano at level {level})" if level else "Volcanic warning"


def _items(report: Report, kind: str) -> list[Element]:
    return [
        item
        for info in each(report.body, "VolcanoInfo")
        if kind in info.get("type", "")
        for item in each(info, "Item")
    ]


def _volcanoes(report: Report) -> list[Element]:
    """The items of a VolcanoInfo that is about volcanoes: its areas are of 火山名."""
    return [
        item
        for item in each(report.body, "VolcanoInfo/Item")
        if any(areas.get("codeType") == "火山名" for areas in each(item, "Areas"))
    ]


def _state(item: Element) -> State:
    return State.LIFTED if text(item, "Kind/Condition") == "解除" else State.IN_FORCE


def _areas(item: Element, scheme: str) -> list[AlertArea]:
    return [
        names.area(text(area, "Name"), text(area, "Code"), scheme)
        for area in each(item, "Areas/Area")
    ]
