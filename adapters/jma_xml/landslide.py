"""土砂災害警戒情報, since 2026 レベル４土砂災害危険警報: VXWW50.

Level 4 in both schemes (避難情報に関するガイドライン, 警戒レベル相当情報: 土砂災害警戒情報 is
警戒レベル4相当). Codes: 0 なし, 1 解除, 3 警戒 (警報等情報要素／土砂災害警戒情報).
"""

from __future__ import annotations

from typing import Final

from adapters.jma_xml import names
from adapters.jma_xml.document import text
from adapters.jma_xml.report import Content, Report
from adapters.jma_xml.wording import State, make_info
from cityos.domain.alert import AlertArea
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Name
from cityos.errors import UndecodablePayload

_STATES: Final = {
    "0": State.NOT_IN_FORCE,
    "1": State.LIFTED,
    "3": State.IN_FORCE,
}
_OLD: Final = Name("Landslide alert information", "土砂災害警戒情報")
_NEW: Final = Name("Level 4 landslide danger warning", "レベル４土砂災害危険警報")


def read_landslide(report: Report) -> Content:
    """Return level 4 where the alert stands and NONE in the region's other municipalities.

    Raises:
        UndecodablePayload: there is no list of municipalities, or a code that is not in the
            table: taking it for "none" could hide an alert.
    """
    items = report.warning("土砂災害警戒情報")
    if not items:
        raise UndecodablePayload("no Warning of type 土砂災害警戒情報", path="/Report/Body")
    groups: dict[tuple[State, str], list[AlertArea]] = {}
    for item in items:
        code = text(item, "Kind/Code")
        if code not in _STATES:
            message = f"Kind/Code {code[:10]!r} is not one of {', '.join(_STATES)}"
            raise UndecodablePayload(message, path="/Report/Body/Warning/Item/Kind/Code")
        area = names.area(text(item, "Area/Name"), text(item, "Area/Code"), names.AREA)
        groups.setdefault((_STATES[code], text(item, "Kind/Status")), []).append(area)
    event = _NEW if "レベル" in report.head_title else _OLD
    codes = {state: code for code, state in _STATES.items()}
    infos = [
        make_info(
            report,
            event,
            Hazard.LANDSLIDE,
            AlertLevel.EVACUATE if state is State.IN_FORCE else AlertLevel.NONE,
            areas,
            state=state,
            parameters={
                "kind_code": codes[state],
                "status": status,
                "region_code": text(report.body, "TargetArea/Code"),
            },
        )
        for (state, status), areas in groups.items()
    ]
    return Content(infos=tuple(sorted(infos, key=lambda info: -info.level)))
