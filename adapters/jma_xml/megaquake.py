"""What raises the chance of a megaquake: VYSE50, VYSE51, VYSE52 and VYSE60.

南海トラフ地震臨時情報, 南海トラフ地震関連解説情報, 北海道・三陸沖後発地震注意情報.
No alert level: what a municipality does after 巨大地震警戒 is laid down in its plan for the areas
that evacuate beforehand (事前避難対象地域; Cabinet Office,
南海トラフ地震の多様な発生形態に備えた防災対応検討ガイドライン), not in the five levels.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from adapters.jma_xml.document import first, text
from adapters.jma_xml.report import Content, Report
from adapters.jma_xml.wording import make_info
from cityos.domain.alert import AlertArea
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import NO_NAME, Name

_KEYWORDS: Final = {
    # 地震関連情報番号コード: English, how long the plan keeps people on guard
    "111": ("investigating", timedelta(days=2)),
    "112": ("investigating", timedelta(days=2)),
    "113": ("investigating", timedelta(days=2)),
    "120": ("megaquake alert", timedelta(days=14)),
    "130": ("megaquake advisory", timedelta(days=7)),
    "190": ("investigation ended", timedelta(days=1)),
    "200": ("regular commentary", timedelta(days=1)),
    "210": ("commentary", timedelta(days=7)),
}
_ELSE: Final = ("", timedelta(days=7))
_NAMES: Final = {
    "VYSE50": "Nankai Trough Earthquake Extra Information",
    "VYSE60": "Off the Coast of Hokkaido and Sanriku Subsequent Earthquake Advisory",
}
_COMMENTARY: Final = "Nankai Trough Earthquake Commentary"
_NANKAI: Final = Name(
    "Nankai Trough earthquake countermeasure area", "南海トラフ地震防災対策推進地域"
)
_NORTH: Final = Name("Pacific side from Hokkaido to Chiba", "北海道から千葉県の太平洋側")
_ASKED: Final = {
    "120": Name(
        "Go by your municipality's call: evacuate beforehand where it tells you to, and be ready "
        "to leave at once everywhere else.",
        "市町村の呼びかけに従い、事前避難対象地域では避難し、その他の地域でもすぐに避難できるようにしてください。",
    ),
    "130": Name(
        "Check again how you are prepared for an earthquake, and be ready to leave at once.",
        "日頃からの地震への備えを再確認し、すぐに避難できるようにしてください。",
    ),
}


def read_megaquake(report: Report) -> Content:
    """Return the keyword of the information (調査中, 巨大地震警戒, …) and its text."""
    part = first(report.body, "EarthquakeInfo")
    code = text(part, "InfoSerial/Code")
    english, stands_for = _KEYWORDS.get(code, _ELSE)
    name = _NAMES.get(report.telegram, _COMMENTARY)
    info = make_info(
        report,
        Name(f"{name} ({english})" if english else name, report.head_title),
        Hazard.EARTHQUAKE,
        AlertLevel.NONE,
        [AlertArea(name=_NORTH if report.telegram == "VYSE60" else _NANKAI)],
        instruction=_ASKED.get(code, NO_NAME),
        description=Name(
            f"{name}: {english or 'issued'}. The full text is in Japanese.",
            "\n".join(filter(None, (report.headline, text(part, "Text")))),
        ),
        parameters={"keyword": text(part, "InfoSerial/Name"), "keyword_code": code},
    )
    return Content(infos=(info,), valid_until=report.reported_at + stands_for)
