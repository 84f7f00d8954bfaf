"""The five levels of Japan's alert scheme (警戒レベル), and what each means in CAP.

Source: Cabinet Office, 避難情報に関するガイドライン (May 2021); JMA's names of the scheme of 2026
put the level in front (レベル４土砂災害危険警報). Levels 1 and 2 are announced by JMA, 3 to 5 are
the mayor's to order. CAP 1.2, sections 3.2.2: urgency, severity, certainty, responseType.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cityos.domain.entity import Name


class AlertLevel(IntEnum):
    """警戒レベル. Comparable: a higher level is more urgent. 0 stands for no alert."""

    NONE = 0
    PREPARE_MINDSET = 1
    CONFIRM_ROUTES = 2
    ELDERLY_EVACUATE = 3
    EVACUATE = 4
    EMERGENCY_SAFETY = 5


FIRST_ORDER: Final = AlertLevel.ELDERLY_EVACUATE
"""From this level on the municipality orders; below it only informs."""


@dataclass(frozen=True, slots=True)
class LevelMeaning:
    """What a level is called, what people do, and its CAP values."""

    name: Name
    action: Name
    urgency: str
    severity: str
    certainty: str
    response_type: str


MEANINGS: Final = {
    AlertLevel.NONE: LevelMeaning(
        Name("No alert", "発表なし"),
        Name("No action needed.", "特別な行動は必要ありません。"),
        "Past",
        "Minor",
        "Unlikely",
        "AllClear",
    ),
    AlertLevel.PREPARE_MINDSET: LevelMeaning(
        Name("Level 1: early notice", "警戒レベル1 早期注意情報"),
        Name("Watch for further information.", "今後の情報に注意してください。"),
        "Future",
        "Minor",
        "Possible",
        "Monitor",
    ),
    AlertLevel.CONFIRM_ROUTES: LevelMeaning(
        Name("Level 2: check how you would evacuate", "警戒レベル2 避難行動の確認"),
        Name(
            "Check the hazard map, your shelter and the way there.",
            "ハザードマップ、避難先、避難経路を確認してください。",
        ),
        "Future",
        "Moderate",
        "Possible",
        "Prepare",
    ),
    AlertLevel.ELDERLY_EVACUATE: LevelMeaning(
        Name(
            "Level 3: evacuation of the elderly and others who need time",
            "警戒レベル3 高齢者等避難",
        ),
        Name(
            "Older people and all who need time: evacuate from dangerous places now. "
            "Everyone else: get ready.",
            "高齢者など避難に時間のかかる人は、危険な場所から避難してください。"
            "それ以外の人も避難の準備をしてください。",
        ),
        "Expected",
        "Severe",
        "Likely",
        "Evacuate",
    ),
    AlertLevel.EVACUATE: LevelMeaning(
        Name("Level 4: evacuation order", "警戒レベル4 避難指示"),
        Name(
            "Everyone: evacuate from dangerous places now.",
            "危険な場所にいる人は、全員避難してください。",
        ),
        "Immediate",
        "Extreme",
        "Likely",
        "Evacuate",
    ),
    AlertLevel.EMERGENCY_SAFETY: LevelMeaning(
        Name("Level 5: emergency, secure your safety", "警戒レベル5 緊急安全確保"),
        Name(
            "Your life is in danger. Move at once to the safest place within reach.",
            "命の危険があります。直ちに身の安全を確保してください。",
        ),
        "Immediate",
        "Extreme",
        "Observed",
        "Shelter",
    ),
}


class Hazard(IntEnum):
    """What threatens.

    1-8 in the order in which evacuation sites are designated
    (災害対策基本法施行令 第20条の3).
    """

    FLOOD = 1
    LANDSLIDE = 2
    STORM_SURGE = 3
    EARTHQUAKE = 4
    TSUNAMI = 5
    LARGE_FIRE = 6
    INLAND_FLOOD = 7
    VOLCANO = 8
    STORM = 9
    SNOW = 10

    @property
    def code(self) -> str:
        return self.name.lower()


HAZARD_NAMES: Final = {
    Hazard.FLOOD: Name("Flood", "洪水"),
    Hazard.LANDSLIDE: Name("Landslide", "土砂災害"),
    Hazard.STORM_SURGE: Name("Storm surge", "高潮"),
    Hazard.EARTHQUAKE: Name("Earthquake", "地震"),
    Hazard.TSUNAMI: Name("Tsunami", "津波"),
    Hazard.LARGE_FIRE: Name("Large fire", "大規模な火事"),
    Hazard.INLAND_FLOOD: Name("Inland flooding", "内水氾濫"),
    Hazard.VOLCANO: Name("Volcanic eruption", "火山現象"),
    Hazard.STORM: Name("Storm", "暴風"),
    Hazard.SNOW: Name("Heavy snow", "大雪"),
}

HAZARDS: Final = {hazard.code: hazard for hazard in Hazard}
