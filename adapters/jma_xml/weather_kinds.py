"""The kinds of weather warnings: codes, names in both languages, and alert levels.

Codes and names: JMA code table code.WeatherWarning (コード管理表,
警報等情報要素／気象警報・注意報). Levels before the scheme of 2026: Cabinet Office,
避難情報に関するガイドライン (May 2021), table of 警戒レベル相当情報, and JMA,
防災気象情報と警戒レベルとの対応. From 28 May 2026 on the level is in the name
(レベル４大雨危険警報); the older telegrams VPWW53 and VPWW54 go on beside the new ones with names
without level, and there a name means what it means in the new scheme: 高潮警報 was level 4 and is
level 3 now.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Name

NEW_SCHEME_FROM: Final = datetime(2026, 5, 28, 3, 0, tzinfo=UTC)
"""JMA changed over in the afternoon of 28 May 2026, Japan time."""


class Grade(Enum):
    """How grave, by the end of the name. DANGER (危険警報) exists since 2026."""

    SPECIAL = ("特別警報", "emergency warning")
    DANGER = ("危険警報", "danger warning")
    WARNING = ("警報", "warning")
    ADVISORY = ("注意報", "advisory")


@dataclass(frozen=True, slots=True)
class Phenomenon:
    """What is warned of. ``hazards`` is empty where it is none of the city's hazards."""

    ja: str
    en: str
    hazards: tuple[Hazard, ...] = ()
    levelled: bool = False


HEAVY_RAIN: Final = Phenomenon(
    "大雨", "heavy rain", (Hazard.LANDSLIDE, Hazard.INLAND_FLOOD), levelled=True
)
LANDSLIDE: Final = Phenomenon("土砂災害", "landslide", (Hazard.LANDSLIDE,), levelled=True)
FLOOD: Final = Phenomenon("洪水", "flood", (Hazard.FLOOD,), levelled=True)
STORM_SURGE: Final = Phenomenon("高潮", "storm surge", (Hazard.STORM_SURGE,), levelled=True)

PHENOMENA: Final = {
    phenomenon.ja: phenomenon
    for phenomenon in (
        HEAVY_RAIN,
        LANDSLIDE,
        FLOOD,
        STORM_SURGE,
        Phenomenon("暴風", "storm", (Hazard.STORM,)),
        Phenomenon("暴風雪", "snowstorm", (Hazard.STORM, Hazard.SNOW)),
        Phenomenon("強風", "gale", (Hazard.STORM,)),
        Phenomenon("風雪", "gale and snow", (Hazard.STORM, Hazard.SNOW)),
        Phenomenon("波浪", "high waves", (Hazard.STORM,)),
        Phenomenon("大雪", "heavy snow", (Hazard.SNOW,)),
        Phenomenon("なだれ", "avalanche", (Hazard.SNOW,)),
        Phenomenon("着雪", "snow accretion", (Hazard.SNOW,)),
        Phenomenon("着氷", "ice accretion", (Hazard.SNOW,)),
        Phenomenon("融雪", "snow melting", (Hazard.SNOW,)),
        Phenomenon("雷", "thunderstorm", (Hazard.STORM,)),
        Phenomenon("乾燥", "dry air", (Hazard.LARGE_FIRE,)),
        Phenomenon("濃霧", "dense fog"),
        Phenomenon("低温", "low temperature"),
        Phenomenon("霜", "frost"),
        Phenomenon("その他の", "other"),
    )
}

CODES: Final = {
    "02": "暴風雪警報",
    "03": "大雨警報",
    "04": "洪水警報",
    "05": "暴風警報",
    "06": "大雪警報",
    "07": "波浪警報",
    "08": "高潮警報",
    "09": "土砂災害警報",
    "10": "大雨注意報",
    "12": "大雪注意報",
    "13": "風雪注意報",
    "14": "雷注意報",
    "15": "強風注意報",
    "16": "波浪注意報",
    "17": "融雪注意報",
    "18": "洪水注意報",
    "19": "高潮注意報",
    "20": "濃霧注意報",
    "21": "乾燥注意報",
    "22": "なだれ注意報",
    "23": "低温注意報",
    "24": "霜注意報",
    "25": "着氷注意報",
    "26": "着雪注意報",
    "27": "その他の注意報",
    "29": "土砂災害注意報",
    "32": "暴風雪特別警報",
    "33": "大雨特別警報",
    "35": "暴風特別警報",
    "36": "大雪特別警報",
    "37": "波浪特別警報",
    "38": "高潮特別警報",
    "39": "土砂災害特別警報",
    "43": "大雨危険警報",
    "48": "高潮危険警報",
    "49": "土砂災害危険警報",
}
"""Name by code. The codes of both schemes are the same; 00 is 解除. 09, 29, 39, 43, 48 and 49
came with the scheme of 2026."""

CONDITIONS: Final = {"土砂災害": Hazard.LANDSLIDE, "浸水害": Hazard.INLAND_FLOOD}
"""Kind/Condition of 大雨特別警報 and 大雨警報 before 2026: what the rain threatens."""

_BEFORE_2026: Final = {
    (FLOOD, Grade.WARNING): AlertLevel.ELDERLY_EVACUATE,
    (FLOOD, Grade.ADVISORY): AlertLevel.CONFIRM_ROUTES,
    (STORM_SURGE, Grade.SPECIAL): AlertLevel.EVACUATE,
    (STORM_SURGE, Grade.WARNING): AlertLevel.EVACUATE,
    (STORM_SURGE, Grade.ADVISORY): AlertLevel.CONFIRM_ROUTES,
    (HEAVY_RAIN, Grade.SPECIAL): AlertLevel.EMERGENCY_SAFETY,
    (HEAVY_RAIN, Grade.ADVISORY): AlertLevel.CONFIRM_ROUTES,
}
_FROM_2026: Final = {
    Grade.SPECIAL: AlertLevel.EMERGENCY_SAFETY,
    Grade.DANGER: AlertLevel.EVACUATE,
    Grade.WARNING: AlertLevel.ELDERLY_EVACUATE,
    Grade.ADVISORY: AlertLevel.CONFIRM_ROUTES,
}

_NAME: Final = re.compile(r"(?:レベル([1-5]))?(.+?)(特別警報|危険警報|警報|注意報)")
_GRADES: Final = {grade.value[0]: grade for grade in Grade}


@dataclass(frozen=True, slots=True)
class WeatherKind:
    """One kind of warning as a telegram names it. ``level`` is that of its name, or None."""

    phenomenon: Phenomenon
    grade: Grade
    level: AlertLevel | None

    @property
    def name(self) -> Name:
        level = "" if self.level is None else str(int(self.level))
        ja = f"{self.phenomenon.ja}{self.grade.value[0]}"
        en = f"{self.phenomenon.en} {self.grade.value[1]}"
        if not level:
            return Name(en[0].upper() + en[1:], ja)
        full_width = chr(ord("０") + int(level))
        return Name(f"Level {level} {en}", f"レベル{full_width}{ja}")

    def hazards(self, condition: str) -> tuple[Hazard, ...]:
        """Return what is threatened; ``condition`` is Kind/Condition, 土砂災害、浸水害 or empty.

        In the scheme of 2026 landslides have warnings of their own, and 大雨 is about inundation
        and the small rivers alone.
        """
        if self.phenomenon is HEAVY_RAIN and self.level is not None:
            return (Hazard.INLAND_FLOOD,)
        named = tuple(hazard for word, hazard in CONDITIONS.items() if word in condition)
        return named or self.phenomenon.hazards

    def level_for(
        self, hazard: Hazard, reported_at: datetime, next_kinds: Sequence[WeatherKind]
    ) -> AlertLevel:
        """Return the alert level for a hazard; NONE where the table gives none.

        ``next_kinds`` are those that JMA says the warning is likely to become. 大雨警報（浸水害）
        has no level before 2026, nor have wind, waves, snow and the rest at any time.
        """
        if self.level is not None:
            return self.level
        if not self.phenomenon.levelled:
            return AlertLevel.NONE
        if reported_at >= NEW_SCHEME_FROM:
            return _FROM_2026[self.grade]
        if self.phenomenon is HEAVY_RAIN and self.grade is Grade.WARNING:
            is_landslide = hazard is Hazard.LANDSLIDE
            return AlertLevel.ELDERLY_EVACUATE if is_landslide else AlertLevel.NONE
        if self.phenomenon is STORM_SURGE and self.grade is Grade.ADVISORY:
            # 「警報に切り替える可能性が高い」高潮注意報 is level 3
            rises = any(kind.grade is not Grade.ADVISORY for kind in next_kinds)
            return AlertLevel.ELDERLY_EVACUATE if rises else AlertLevel.CONFIRM_ROUTES
        return _BEFORE_2026.get((self.phenomenon, self.grade), AlertLevel.NONE)


def weather_kind(code: str, name: str) -> WeatherKind | None:
    """Return the kind by its name, or by its code where the name says nothing; None: unknown."""
    return _named(name) or _named(CODES.get(code, ""))


def _named(name: str) -> WeatherKind | None:
    match = _NAME.fullmatch(unicodedata.normalize("NFKC", name))
    if match is None or match[2] not in PHENOMENA:
        return None
    level = AlertLevel(int(match[1])) if match[1] else None
    return WeatherKind(PHENOMENA[match[2]], _GRADES[match[3]], level)
