"""Where an earthquake happened and how large it was: the Earthquake part, shared by many kinds."""

from __future__ import annotations

import re
from typing import Final

from adapters.jma_xml.document import Element, each, first, number, text, time
from adapters.jma_xml.report import Report
from cityos.domain.entity import Name

_POSITION: Final = re.compile(
    r"([+-]\d{1,2}(?:\.\d{1,9})?)([+-]\d{1,3}(?:\.\d{1,9})?)([+-]\d{1,7})?/"
)
"""ISO 6709 in degrees, with the height in metres: +37.6+141.6-50000/."""

INTENSITIES: Final = {
    "1": Name("1", "１"),
    "2": Name("2", "２"),
    "3": Name("3", "３"),
    "4": Name("4", "４"),
    "5-": Name("5 lower", "５弱"),
    "5+": Name("5 upper", "５強"),
    "6-": Name("6 lower", "６弱"),
    "6+": Name("6 upper", "６強"),
    "7": Name("7", "７"),
}
"""震度, JMA's seismic intensity scale, weakest first."""


def strength(intensity: str) -> int:
    """Return the place of an intensity in the scale, 0 for one that is not in it."""
    known = list(INTENSITIES)
    return known.index(intensity) + 1 if intensity in INTENSITIES else 0


def earthquake_parameters(report: Report) -> dict[str, str]:
    """Return time, place, depth and magnitude; what JMA does not know is left out."""
    quake = first(report.body, "Earthquake")
    if quake is None:
        return {}
    area = first(quake, "Hypocenter/Area")
    magnitude = first(quake, "Magnitude")
    size = number(magnitude)
    origin = time(quake, "OriginTime")
    return {
        "origin_time": "" if origin is None else origin.isoformat().replace("+00:00", "Z"),
        "hypocenter": text(area, "DetailedName") or text(area, "Name"),
        "hypocenter_code": text(area, "Code"),
        "magnitude": "" if size is None else f"{size:g}",
        "magnitude_text": "" if magnitude is None else magnitude.get("description", ""),
        **_position(area),
    }


def _position(area: Element | None) -> dict[str, str]:
    for coordinate in each(area, "Coordinate"):
        match = _POSITION.fullmatch((coordinate.text or "").strip())
        if match and "度分" not in coordinate.get("type", ""):
            return {
                "latitude": f"{float(match[1]):g}",
                "longitude": f"{float(match[2]):g}",
                "depth_km": "" if match[3] is None else f"{abs(int(match[3])) / 1000:g}",
            }
    return {}
