"""気象警報・注意報: VPWW53, VPWW54 and, in the scheme of 2026, VPWW55 to VPWW61.

Read at the level of municipalities (気象警報・注意報（市町村等）); where a telegram lacks that
part, at the finest level that it has. One info for each warning, hazard and state, with its areas.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapters.jma_xml import names
from adapters.jma_xml.document import Element, each, first, text
from adapters.jma_xml.report import Content, Report
from adapters.jma_xml.weather_kinds import WeatherKind, weather_kind
from adapters.jma_xml.wording import State, make_info
from cityos.domain.alert import AlertArea, AlertInfo
from cityos.domain.alert_level import HAZARD_NAMES, AlertLevel, Hazard
from cityos.domain.entity import Name
from cityos.errors import UndecodablePayload

REGION: Final = "（府県予報区等）"
_FINEST_FIRST: Final = (
    "（市町村等）",
    "（市町村等をまとめた地域等）",
    "（一次細分区域等）",
    REGION,
)
_LIFTED: Final = "解除"
_NONE: Final = ("なし", "発表警報・注意報はなし")
_CODE_OF_LIFTED: Final = "00"


@dataclass(frozen=True, slots=True)
class _Group:
    """Areas with equal values share one info."""

    event: Name
    hazard: Hazard
    level: AlertLevel
    state: State
    code: str
    status: str
    next_codes: str


def region(report: Report) -> str:
    """Return the code of the 府県予報区 that the report is about, else the office's name.

    It is the telegram's matter: in an emergency another office may issue for the same region.
    """
    in_body = (text(item, "Area/Code") for item in report.warning(REGION))
    in_head = (text(item, "Areas/Area/Code") for item in report.information(REGION))
    codes = sorted({code for code in (*in_body, *in_head) if code})
    return "+".join(codes[:3]) or report.editorial_office


def read_weather(report: Report, hazards: tuple[Hazard, ...]) -> Content:
    """Return the warnings, and level NONE where there are none.

    ``hazards`` are those that this kind of telegram is about: an area without any warning gets
    level NONE for each of them.

    Raises:
        UndecodablePayload: the report holds no warning part.
    """
    items = next(filter(None, (report.warning(kind) for kind in _FINEST_FIRST)), None)
    if items is None:
        raise UndecodablePayload(
            "no Warning with areas",
            path="/Report/Body/Warning",
            hint="a 気象警報・注意報 telegram lists every area of its region",
        )
    groups: dict[_Group, list[AlertArea]] = {}
    clear: list[AlertArea] = []
    unread: dict[str, None] = {}
    for item in items:
        area = names.area(text(item, "Area/Name"), text(item, "Area/Code"), names.AREA)
        for kind in each(item, "Kind"):
            if _says_none(kind):
                clear.append(area)
                continue
            known = weather_kind(text(kind, "Code"), text(kind, "Name"))
            if known is None or not known.phenomenon.hazards:
                unread[text(kind, "Name") or text(kind, "Code") or "?"] = None
                continue
            for group in _groups(report, kind, known):
                groups.setdefault(group, []).append(area)
    here = region(report)
    infos = [_info(report, group, areas, here) for group, areas in groups.items()]
    infos.sort(key=lambda info: -info.level)
    return Content(
        infos=(*infos, *_clear_infos(report, hazards, clear, here)),
        note=f"not read: {', '.join(list(unread)[:20])}" if unread else "",
    )


def _says_none(kind: Element) -> bool:
    return text(kind, "Status") in _NONE or text(kind, "Code") == _CODE_OF_LIFTED


def _groups(report: Report, kind: Element, known: WeatherKind) -> Iterator[_Group]:
    status, condition = text(kind, "Status"), text(kind, "Condition")
    lifted = status == _LIFTED
    next_kinds = [
        (text(element, "Code"), weather_kind(text(element, "Code"), text(element, "Name")))
        for element in each(first(kind, "NextKinds"), "NextKind")
    ]
    for hazard in known.hazards(condition):
        level = known.level_for(
            hazard, report.reported_at, [one for _, one in next_kinds if one is not None]
        )
        yield _Group(
            event=_event(known, hazard, condition),
            hazard=hazard,
            level=AlertLevel.NONE if lifted else level,
            state=State.LIFTED if lifted else State.IN_FORCE,
            code=text(kind, "Code"),
            status=status,
            next_codes=" ".join(code for code, _ in next_kinds),
        )


def _event(known: WeatherKind, hazard: Hazard, condition: str) -> Name:
    """大雨警報 names its hazard where the telegram does: 大雨警報（土砂災害）."""
    name = known.name
    if not condition or len(known.phenomenon.hazards) == 1:
        return name
    ja = "浸水害" if hazard is Hazard.INLAND_FLOOD else HAZARD_NAMES[hazard].ja
    return Name(f"{name.en} ({HAZARD_NAMES[hazard].en.lower()})", f"{name.ja}（{ja}）")


def _info(report: Report, group: _Group, areas: list[AlertArea], here: str) -> AlertInfo:
    return make_info(
        report,
        group.event,
        group.hazard,
        group.level,
        areas,
        state=group.state,
        parameters={
            "kind_code": group.code,
            "status": group.status,
            "next_kind_codes": group.next_codes,
            "region_code": here,
        },
    )


def _clear_infos(
    report: Report, hazards: tuple[Hazard, ...], areas: list[AlertArea], here: str
) -> Iterator[AlertInfo]:
    if not areas:
        return
    for hazard in hazards:
        hazard_name = HAZARD_NAMES[hazard]
        yield make_info(
            report,
            Name(
                f"No warning or advisory ({hazard_name.en.lower()})",
                f"発表警報・注意報なし（{hazard_name.ja}）",
            ),
            hazard,
            AlertLevel.NONE,
            areas,
            state=State.NOT_IN_FORCE,
            parameters={"region_code": here},
        )
