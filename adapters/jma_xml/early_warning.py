"""緊急地震速報: 警報 (VXSE43), 予報 (VXSE44), 地震動予報 (VXSE45).

Only what is a warning to the public becomes a bulletin: the forecasts VXSE44 and VXSE45 are for
machines and say nothing here unless they name areas under a warning. No alert level: there is no
time to evacuate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from adapters.jma_xml import names
from adapters.jma_xml.document import Element, each, text, time
from adapters.jma_xml.hypocenter import INTENSITIES, earthquake_parameters, strength
from adapters.jma_xml.report import Content, Report
from adapters.jma_xml.wording import State, make_info
from cityos.domain.alert import AlertArea, AlertInfo
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Name

STANDS_FOR: Final = timedelta(minutes=10)
"""The shaking is over then, and JMA has said what it was."""

_EVENT: Final = Name("Earthquake Early Warning", "緊急地震速報（警報）")
_INSTRUCTION: Final = Name(
    "Strong shaking is coming. Protect your head and get under a sturdy table.",
    "強い揺れに警戒してください。頭を守り、丈夫な机の下などに隠れてください。",
)
_WARNING: Final = "警報"


@dataclass(frozen=True, slots=True)
class _Forecast:
    code: str
    lowest: str
    highest: str


def read_early_warning(report: Report) -> Content | None:
    """Return the areas under a warning by expected intensity, None where there is none."""
    arrivals: dict[str, str] = {}
    found: dict[_Forecast, list[AlertArea]] = {}
    for area in each(report.body, "Intensity/Forecast/Pref/Area"):
        if _WARNING not in text(area, "Category/Kind/Name"):
            continue
        forecast = _Forecast(
            text(area, "Category/Kind/Code"),
            text(area, "ForecastInt/From"),
            text(area, "ForecastInt/To"),
        )
        found.setdefault(forecast, []).append(_area(area))
        arrivals[text(area, "Code")] = _arrival(area)
    infos = [_info(report, forecast, areas, arrivals) for forecast, areas in found.items()]
    infos.sort(key=lambda info: -strength(info.parameters.get("intensity_from", "")))
    if not infos:
        infos = list(_of_headline(report))
    if not infos:
        return None
    return Content(infos=tuple(infos), valid_until=report.reported_at + STANDS_FOR)


def _info(
    report: Report, forecast: _Forecast, areas: list[AlertArea], arrivals: dict[str, str]
) -> AlertInfo:
    lowest = INTENSITIES.get(forecast.lowest)
    expected = {
        f"arrival.{code}": arrivals[code]
        for area in areas
        for code in area.geocodes.get(names.QUAKE_AREA, ())
    }
    event = _EVENT
    if lowest is not None:
        event = Name(
            f"{_EVENT.en}: intensity {lowest.en} expected", f"{_EVENT.ja} 予想震度{lowest.ja}"
        )
    return make_info(
        report,
        event,
        Hazard.EARTHQUAKE,
        AlertLevel.NONE,
        areas,
        state=State.IN_FORCE,
        instruction=_INSTRUCTION,
        parameters={
            **earthquake_parameters(report),
            "kind_code": forecast.code,
            "intensity_from": forecast.lowest,
            "intensity_to": forecast.highest,
            "max_intensity": text(report.body, "Intensity/Forecast/ForecastInt/From"),
            **expected,
        },
    )


def _of_headline(report: Report) -> Iterator[AlertInfo]:
    """A first warning may come without intensities: its headline still names the areas."""
    areas = [
        _area(area)
        for item in report.information("（細分区域）")
        if _WARNING in text(item, "Kind/Name")
        for area in each(item, "Areas/Area")
    ]
    if areas:
        yield _info(report, _Forecast("31", "", ""), areas, {})


def _area(area: Element) -> AlertArea:
    return names.area(text(area, "Name"), text(area, "Code"), names.QUAKE_AREA)


def _arrival(area: Element) -> str:
    """When the strong motion arrives, or ``arrived``; empty where it is not said."""
    moment = time(area, "ArrivalTime")
    if moment is not None:
        return moment.isoformat().replace("+00:00", "Z")
    return "arrived" if "到達" in text(area, "Condition") else ""
