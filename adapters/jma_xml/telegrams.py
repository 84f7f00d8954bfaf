"""The telegrams that are read: by which title they are told, and which family reads them.

JMA's data type (VPWW54) is not in the telegram itself, only in its file name; inside, it is told
by Control/Title. A well-formed report that is in no row of this table yields nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from adapters.jma_xml import (
    early_warning,
    earthquake,
    flood,
    landslide,
    megaquake,
    names,
    notices,
    outlook,
    tsunami,
    volcano,
    weather,
)
from adapters.jma_xml.document import Element, each, text
from adapters.jma_xml.report import Content, Report, control_title, read_report
from adapters.jma_xml.wording import State, make_info
from cityos.domain.alert import Bulletin
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Name

SENDER: Final = "jma.go.jp"
_AGENCY: Final = "Japan Meteorological Agency"
_ALL_CLEAR_STANDS_FOR: Final = timedelta(hours=24)
"""A telegram that leaves nothing in force has done its work when the older one is replaced."""
_REGULAR_COMMENTARY: Final = "200"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telegram:
    """One kind. ``title`` begins every Control/Title of it, alone where ``exact``.

    ``matter`` tells what two telegrams of the kind must share for the newer to replace the
    older. ``regional`` means that its file name ends in the code of the region that it is for,
    ``whole`` that each states all that stands there, so that an older one can be passed over.
    """

    code: str
    title: str
    hazards: tuple[Hazard, ...]
    read: Callable[[Report], Content | None]
    matter: Callable[[Report], str]
    exact: bool = True
    regional: bool = False
    whole: bool = False


def _event(report: Report) -> str:
    """The EventID; the first, where a tsunami has several earthquakes."""
    return report.event_id.partition(" ")[0] or report.editorial_office


def _one(_report: Report) -> str:
    """There is one matter of this kind in the country."""
    return "japan"


def _issued_for(report: Report) -> str:
    codes = [text(item, "Area/Code") for item in report.warning("（発表細分）")]
    codes += [text(item, "Areas/Area/Code") for item in report.information("（発表細分）")]
    return "+".join(sorted(set(filter(None, codes)))[:3]) or report.editorial_office


def _weather(code: str, title: str, *hazards: Hazard, exact: bool = False) -> Telegram:
    return Telegram(
        code=code,
        title=title,
        hazards=hazards,
        read=lambda report: weather.read_weather(report, hazards),
        matter=weather.region,
        exact=exact,
        regional=True,
        whole=True,
    )


_H: Final = Hazard
_ALL_WEATHER: Final = (
    _H.FLOOD,
    _H.LANDSLIDE,
    _H.INLAND_FLOOD,
    _H.STORM_SURGE,
    _H.STORM,
    _H.SNOW,
)
_R06: Final = "気象警報・注意報（Ｒ０６）"
_RAIN: Final = (_H.LANDSLIDE, _H.INLAND_FLOOD)
_QUAKE: Final = (_H.EARTHQUAKE,)
_TSUNAMI: Final = (_H.TSUNAMI,)
_VOLCANO: Final = (_H.VOLCANO,)


def _row(
    code: str,
    title: str,
    hazards: tuple[Hazard, ...],
    read: Callable[[Report], Content | None],
    matter: Callable[[Report], str] = _event,
) -> Telegram:
    return Telegram(code=code, title=title, hazards=hazards, read=read, matter=matter)


_ROWS: Final = (
    _weather("VPWW53", "気象特別警報・警報・注意報", *_ALL_WEATHER, exact=True),
    _weather("VPWW54", "気象警報・注意報（Ｈ２７）", *_ALL_WEATHER, exact=True),
    _weather("VPWW55", f"{_R06}（大雨", _H.INLAND_FLOOD),
    _weather("VPWW56", f"{_R06}（土砂", _H.LANDSLIDE),
    _weather("VPWW57", f"{_R06}（高潮", _H.STORM_SURGE),
    _weather("VPWW58", f"{_R06}（暴風", _H.STORM, _H.SNOW),
    _weather("VPWW59", f"{_R06}（波浪", _H.STORM),
    _weather("VPWW60", f"{_R06}（大雪", _H.SNOW),
    _weather("VPWW61", f"{_R06}（その他", _H.STORM, _H.SNOW, _H.LARGE_FIRE),
    Telegram(
        code="VXWW50",
        title="土砂災害警戒情報",
        hazards=(_H.LANDSLIDE,),
        read=landslide.read_landslide,
        matter=_event,
        regional=True,
        whole=True,
    ),
    Telegram(
        code="VXKOii",
        title="指定河川洪水予報",
        hazards=(_H.FLOOD,),
        read=flood.read_flood,
        matter=_event,
        exact=False,
    ),
    Telegram(
        code="VPFD60",
        title="警報級の可能性（明日まで）",
        hazards=(*_RAIN, _H.STORM_SURGE),
        read=outlook.read_outlook,
        matter=outlook.region,
        regional=True,
        whole=True,
    ),
    Telegram(
        code="VPOA50",
        title="記録的短時間大雨情報",
        hazards=_RAIN,
        read=notices.read_record_rain,
        matter=_event,
        regional=True,
    ),
    Telegram(
        code="VPHW50",
        title="竜巻注意情報",
        hazards=(_H.STORM,),
        read=notices.read_tornado,
        matter=_issued_for,
        regional=True,
    ),
    Telegram(
        code="VPHW51",
        title="竜巻注意情報（目撃情報付き）",
        hazards=(_H.STORM,),
        read=notices.read_tornado,
        matter=_issued_for,
        regional=True,
    ),
    _row("VPBS50", "府県気象防災速報", _RAIN, notices.read_quick_notice),
    _row("VXSE43", "緊急地震速報（警報）", _QUAKE, early_warning.read_early_warning),
    _row("VXSE44", "緊急地震速報（予報）", _QUAKE, early_warning.read_early_warning),
    _row("VXSE45", "緊急地震速報（地震動予報）", _QUAKE, early_warning.read_early_warning),
    _row("VXSE51", "震度速報", _QUAKE, earthquake.read_earthquake),
    _row("VXSE52", "震源に関する情報", _QUAKE, earthquake.read_earthquake),
    _row("VXSE53", "震源・震度に関する情報", _QUAKE, earthquake.read_earthquake),
    _row("VXSE61", "顕著な地震の震源要素更新のお知らせ", _QUAKE, earthquake.read_earthquake),
    _row("VTSE41", "津波警報・注意報・予報a", _TSUNAMI, tsunami.read_warning),
    _row("VTSE51", "津波情報a", _TSUNAMI, tsunami.read_information),
    _row("VTSE52", "沖合の津波観測に関する情報", _TSUNAMI, tsunami.read_information),
    _row("VYSE50", "南海トラフ地震臨時情報", _QUAKE, megaquake.read_megaquake, _one),
    _row("VYSE51", "南海トラフ地震関連解説情報", _QUAKE, megaquake.read_megaquake, _one),
    _row("VYSE52", "南海トラフ地震関連解説情報", _QUAKE, megaquake.read_megaquake, _one),
    _row("VYSE60", "北海道・三陸沖後発地震注意情報", _QUAKE, megaquake.read_megaquake, _one),
    _row("VFVO50", "噴火警報・予報", _VOLCANO, volcano.read_volcanic_warning),
    _row("VFVO52", "噴火に関する火山観測報", _VOLCANO, volcano.read_eruption),
    _row("VFVO56", "噴火速報", _VOLCANO, volcano.read_eruption),
)
TELEGRAMS: Final = {row.code: row for row in _ROWS}


def find(root: Element) -> Telegram | None:
    """Return the kind of the report, None for one that is not read.

    Raises:
        UndecodablePayload: the report has no Control/Title.
    """
    title = control_title(root)
    found = next((row for row in _ROWS if _is_title(row, title)), None)
    if found is not None and found.code == "VYSE51":
        # VYSE51 and VYSE52 share a title; the regular commentary is the VYSE52
        serial = text(root, "Body/EarthquakeInfo/InfoSerial/Code")
        return TELEGRAMS["VYSE52"] if serial == _REGULAR_COMMENTARY else found
    if found is None and text(root, "Head/InfoKind") == TELEGRAMS["VXKOii"].title:
        return TELEGRAMS["VXKOii"]
    return found


def _is_title(row: Telegram, title: str) -> bool:
    return title == row.title if row.exact else title.startswith(row.title)


def read_telegram(root: Element) -> Bulletin | None:
    """Return the report's bulletin; None for a kind that is not read, or that warns of nothing.

    Raises:
        UndecodablePayload: the report is of a kind that is read, and does not fit its form.
    """
    telegram = find(root)
    if telegram is None:
        return None
    report = read_report(root, telegram.code)
    content = _cancellation(report, telegram) if report.cancelled else telegram.read(report)
    if content is None:
        return None
    drill = "/drill" if report.drill else ""
    moment = report.sent_at.strftime("%Y%m%d%H%M%S")
    return Bulletin(
        identifier=f"jma-{telegram.code}-{moment}-{report.digest}",
        sender=SENDER,
        sender_name=Name(_AGENCY, report.publishing_office or report.editorial_office),
        sent=report.reported_at,
        message_type=report.message_type,
        infos=content.infos,
        note=content.note,
        source="jma_xml",
        drill=report.drill,
        supersedes=f"jma/{telegram.code}/{telegram.matter(report)[:200]}{drill}",
        valid_until=content.valid_until or _end_of_all_clear(report, content),
        parameters={
            "telegram": telegram.code,
            "title": report.head_title,
            "event_id": report.event_id,
            "serial": report.serial,
            "info_type": report.info_type,
            "editorial_office": report.editorial_office,
        },
    )


def _cancellation(report: Report, telegram: Telegram) -> Content:
    """取消: what was said was wrong. The telegram names no areas as a rule."""
    areas = [
        names.area(text(area, "Name"), text(area, "Code"), names.AREA)
        for item in report.information("（市町村等）")
        for area in each(item, "Areas/Area")
    ]
    infos = tuple(
        make_info(
            report,
            Name(f"Cancelled: JMA telegram {telegram.code}", f"取消：{report.head_title}"),
            hazard,
            AlertLevel.NONE,
            areas,
            parameters={"state": State.LIFTED},
            description=Name(
                "The Japan Meteorological Agency takes back the information it issued before.",
                "\n".join(filter(None, (report.headline, text(report.body, "Text")))),
            ),
        )
        for hazard in telegram.hazards
    )
    return Content(infos=infos)


def _end_of_all_clear(report: Report, content: Content) -> datetime | None:
    if any(info.parameters.get("state") == State.IN_FORCE for info in content.infos):
        return None
    return report.reported_at + _ALL_CLEAR_STANDS_FOR
