"""Parts of a municipality that an authority's order is for, where it does not mean all of it.

A tsunami has no graded levels (警戒レベルを付さない, guideline of May 2021). All of its warnings
have the mayor order evacuation at once, each for another zone; so a warning that is raised keeps
its level and widens its zone. Each zone is an area of its own, with its own situation: a wider
order never has to wait because a narrower one stands at the same level.
"""

from __future__ import annotations

from typing import Final

from cityos.domain.alert import AlertInfo
from cityos.domain.entity import Name
from services.evacuation_alert.texts import both

PARAMETER: Final = "evacuation_zone"
"""Parameter of a bulletin's info that names the zone."""

WHOLE: Final = ""
SHORE: Final = "shore"
ZONES: Final = {
    SHORE: ("Shore of {area}", "{area}の海岸付近"),
    "inundation": ("Tsunami inundation area of {area}", "{area}の津波浸水想定区域"),
    "maximum": (
        "Largest tsunami inundation area of {area}",
        "{area}の最大クラスの津波浸水想定区域",
    ),
}
"""From the narrowest to the widest: what each is called within a municipality."""

_WIDTH: Final = {zone: width for width, zone in enumerate(ZONES)}


def zone_of(info: AlertInfo) -> str:
    """The zone of the info; a word that is not known stands for the whole municipality."""
    zone = info.parameters.get(PARAMETER, WHOLE)
    return zone if zone in ZONES else WHOLE


def is_wider(zone: str, other: str) -> bool:
    """Whether ``zone`` contains ``other`` and more."""
    return zone in _WIDTH and other in _WIDTH and _WIDTH[zone] > _WIDTH[other]


def zone_name(zone: str, area: Name) -> Name:
    return area if zone == WHOLE else both(*ZONES[zone], area=area)
