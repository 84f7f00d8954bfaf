"""指定河川洪水予報, since 2026 氾濫警報・注意報: VXKO50 to VXKO89 (VXKOii).

Codes: JMA code table 指定河川洪水予報; the scheme of 2026 gave them new names and kept them.
Levels: 避難情報に関するガイドライン, 警戒レベル相当情報: 氾濫注意情報 2, 氾濫警戒情報 3,
氾濫危険情報 4, 氾濫発生情報 5; the new names carry theirs. JMA announces one level for the whole
forecast area; the text of each station may name a lower one for its own reach, which is given
as a parameter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapters.jma_xml import names
from adapters.jma_xml.document import Element, content, each, number, text, time
from adapters.jma_xml.report import Content, Report
from adapters.jma_xml.wording import State, make_info
from cityos.domain.alert import AlertArea, AlertInfo
from cityos.domain.alert_level import MEANINGS, AlertLevel, Hazard
from cityos.domain.entity import NO_NAME, Name
from cityos.errors import UndecodablePayload

_NONE, _TWO, _THREE, _FOUR, _FIVE = (
    AlertLevel.NONE,
    AlertLevel.CONFIRM_ROUTES,
    AlertLevel.ELDERLY_EVACUATE,
    AlertLevel.EVACUATE,
    AlertLevel.EMERGENCY_SAFETY,
)
LEVELS: Final = {
    "10": _NONE,  # 氾濫注意情報解除 / レベル２氾濫注意報解除
    "20": _TWO,  # 氾濫注意情報 / レベル２氾濫注意報, issued
    "21": _TWO,  # continued
    "22": _TWO,  # 氾濫注意情報（警戒情報解除）/ レベル２氾濫注意報（警報解除）
    "30": _THREE,  # 氾濫警戒情報 / レベル３氾濫警報, issued
    "31": _THREE,  # continued
    "40": _FOUR,  # 氾濫危険情報 / レベル４氾濫危険警報, issued
    "41": _FOUR,  # continued, or raised from a warning
    "51": _FIVE,  # 氾濫発生情報 / レベル５氾濫特別警報
    "53": _FIVE,  # 氾濫発生情報（氾濫水の予報）
}
_OLD_NAMES: Final = {
    _NONE: "River flood caution information",
    _TWO: "River flood caution information",
    _THREE: "River flood alert information",
    _FOUR: "River flood danger information",
    _FIVE: "River flood occurrence information",
}
_NEW_NAMES: Final = {
    _NONE: "Level 2 river flood advisory",
    _TWO: "Level 2 river flood advisory",
    _THREE: "Level 3 river flood warning",
    _FOUR: "Level 4 river flood danger warning",
    _FIVE: "Level 5 river flood emergency warning",
}
_CRITERIA: Final = {
    "水防団待機水位": "standby_level_m",
    "氾濫注意水位": "caution_level_m",
    "避難判断水位": "evacuation_level_m",
    "氾濫危険水位": "danger_level_m",
}
_TRENDS: Final = {"上昇": "rising", "下降": "falling", "正常": "forecast", "欠測": "missing"}
_MOST_STATIONS: Final = 50
_STATION_LEVEL: Final = re.compile(r"【警戒レベル([1-5])")


@dataclass(frozen=True, slots=True)
class _Kind:
    name: Name
    level: AlertLevel
    code: str
    area: AlertArea


def read_flood(report: Report) -> Content:
    """Return an info for each forecast area: the level, the rivers, the municipalities.

    Raises:
        UndecodablePayload: no forecast area, or a kind that is not in the table: a flood
            forecast that we cannot grade must come before a person.
    """
    kinds = [
        _kind(item, area)
        for item in report.information("（予報区域）")
        for area in each(item, "Areas/Area")
    ]
    if not kinds:
        raise UndecodablePayload(
            "no Information of type 指定河川洪水予報（予報区域）",
            path="/Report/Head/Headline/Information",
        )
    kinds.sort(key=lambda kind: -kind.level)
    rivers = [area for item in report.information("（河川）") for area in each(item, "Areas/Area")]
    infos = [_info(report, kinds[0], rivers, _municipalities(report), _stations(report))]
    infos += [_info(report, kind, rivers, [], {}) for kind in kinds[1:]]
    return Content(infos=tuple(infos))


def _kind(item: Element, area: Element) -> _Kind:
    name, code = text(item, "Kind/Name"), text(item, "Kind/Code")
    if code not in LEVELS:
        message = f"Kind {name[:40]!r} has the unknown code {code[:10]!r}"
        raise UndecodablePayload(
            message,
            path="/Report/Head/Headline/Information/Item/Kind/Code",
            hint=f"the flood forecast codes are {', '.join(LEVELS)}",
        )
    level = LEVELS[code]
    english = (_NEW_NAMES if "レベル" in name else _OLD_NAMES)[level]
    return _Kind(
        name=Name(english, name),
        level=level,
        code=code,
        area=names.area(text(area, "Name"), text(area, "Code"), names.FLOOD_FORECAST_AREA),
    )


def _info(
    report: Report,
    kind: _Kind,
    rivers: list[Element],
    municipalities: list[AlertArea],
    stations: dict[str, str],
) -> AlertInfo:
    river_names = [text(river, "Name") for river in rivers]
    lifted = kind.level is _NONE
    main_text = _main_text(report)
    english = (
        f"{kind.name.en} for {kind.area.name.en} (rivers: {', '.join(river_names)}), issued "
        "jointly by the river's administrator and the Japan Meteorological Agency. "
        f"{MEANINGS[kind.level].name.en}."
    )
    return make_info(
        report,
        kind.name,
        Hazard.FLOOD,
        kind.level,
        [_with_rivers(kind.area, rivers), *municipalities],
        state=State.LIFTED if lifted else State.IN_FORCE,
        description=Name(english, "\n".join(filter(None, (report.headline, main_text)))),
        instruction=NO_NAME if lifted else None,
        parameters={
            "kind_code": kind.code,
            "status": text(report.information("（予報区域）")[0], "Kind/Condition"),
            "river": "、".join(river_names),
            "rivers_code": " ".join(filter(None, (text(river, "Code") for river in rivers))),
            "forecast_area": kind.area.name.ja,
            "region_code": " ".join(dict.fromkeys(_regions(report))),
            **stations,
        },
    )


def _with_rivers(area: AlertArea, rivers: list[Element]) -> AlertArea:
    codes = tuple(filter(None, (text(river, "Code") for river in rivers)))
    geocodes = {**area.geocodes, names.RIVER: codes} if codes else area.geocodes
    return AlertArea(name=area.name, geocodes=geocodes)


def _regions(report: Report) -> Iterator[str]:
    for item in report.information("（府県予報区等）"):
        yield from filter(None, (content(code) for code in each(item, "Areas/Area/Code")))


def _main_text(report: Report) -> str:
    return "\n".join(
        text(prop, "Text")
        for item in report.warning("指定河川洪水予報")
        for prop in each(item, "Kind/Property")
        if text(prop, "Type") == "主文"
    )


def _municipalities(report: Report) -> list[AlertArea]:
    """The municipalities whose land may be flooded (浸水想定地区), each once."""
    found: dict[str, AlertArea] = {}
    for item in report.warning("指定河川洪水予報"):
        for area in each(item, "Areas/Area"):
            code = text(area, "CityCode")
            if code:
                found[code] = names.area(text(area, "City"), code, names.AREA)
    return list(found.values())


def _stations(report: Report) -> dict[str, str]:
    """Water levels, levels and thresholds by station: ``station.1.water_level_m`` and so on."""
    parameters: dict[str, str] = {}
    for index, item in enumerate(_level_items(report)[:_MOST_STATIONS], 1):
        station = {
            "code": text(item, "Station/Code"),
            "name": text(item, "Station/Name"),
            **_levels(item),
            **_thresholds(report, text(item, "Station/Name")),
            "alert_level": _level_in_text(report, text(item, "Station/Name")),
        }
        parameters |= {f"station.{index}.{name}": value for name, value in station.items()}
    return parameters


def _level_items(report: Report) -> list[Element]:
    return [
        item
        for infos in each(report.body, "MeteorologicalInfos")
        if infos.get("type") == "水位・流量情報"
        for item in each(infos, "TimeSeriesInfo/Item")
        if text(item, "Kind/Property/Type") == "水位"
    ]


def _levels(item: Element) -> dict[str, str]:
    """The present water level and the forecast ones, as ``time=metres`` pairs."""
    series = item.getparent()
    times = {
        define.get("timeId", ""): time(define, "DateTime")
        for define in each(series, "TimeDefines/TimeDefine")
    }
    values: list[tuple[str, str]] = []
    trend = ""
    for part in each(item, "Kind/Property/WaterLevelPart/WaterLevel"):
        moment = times.get(part.get("refID", ""))
        if part.get("type") != "水位" or moment is None:
            continue
        values.append((moment.isoformat().replace("+00:00", "Z"), _metres(part)))
        trend = trend or _TRENDS.get(part.get("condition", ""), "")
    if not values:
        return {}
    (observed_at, level), *forecast = values
    return {
        "water_level_m": level,
        "observed_at": observed_at,
        "trend": trend,
        "forecast": " ".join(f"{at}={value}" for at, value in forecast if value),
    }


def _thresholds(report: Report, station: str) -> dict[str, str]:
    parts = each(report.body, "AdditionalInfo/FloodForecastAddition/HydrometricStationPart")
    for part in parts:
        if text(part, "Area/Name") == station:
            return {
                key: _metres(level)
                for level in each(part, "Criteria/WaterLevel")
                for word, key in _CRITERIA.items()
                if word in level.get("type", "")
            }
    return {}


def _level_in_text(report: Report, station: str) -> str:
    """The level that the text of a station's reach begins with: 【警戒レベル４相当】."""
    for item in report.warning("指定河川洪水予報"):
        if station and station in (content(name) for name in each(item, "Stations/Station/Name")):
            words = unicodedata.normalize("NFKC", text(item, "Kind/Property/Text"))
            match = _STATION_LEVEL.search(words)
            return match[1] if match else ""
    return ""


def _metres(level: Element) -> str:
    value = number(level)
    return "" if value is None else f"{value:g}"
