"""Every sentence that an official or a citizen reads, in English and Japanese.

Values are given as they were sent, at least to the centimetre: a rounded 6.096 m must not read
as the 6.10 m that it has not reached. Local times are Japan's (UTC+9, no summer time).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from cityos.domain.alert_level import HAZARD_NAMES, MEANINGS, AlertLevel, Hazard
from cityos.domain.entity import Name

JAPAN: Final = timezone(timedelta(hours=9), "JST")
_MOST_DIGITS: Final = 4
_MOST_SENTENCES: Final = 5


def number(value: float, least_digits: int) -> str:
    """Return the value with all the digits that it has, at least ``least_digits``."""
    exact = Decimal(repr(round(value, _MOST_DIGITS))).normalize()
    digits = max(least_digits, -int(exact.as_tuple().exponent))
    return f"{exact:.{digits}f}"


def moment(at: datetime) -> Name:
    local = at.astimezone(JAPAN)
    return Name(
        f"{local:%Y-%m-%d %H:%M} JST",
        f"{local.month}月{local.day}日{local.hour}時{local.minute:02d}分",
    )


def span(minutes: int) -> Name:
    return Name(f"{minutes} min", f"{minutes}分")


def both(english: str, japanese: str, /, **names: Name | str) -> Name:
    """Fill both templates, each with its language of every name."""
    return Name(
        english.format(**{key: _in(name, "en") for key, name in names.items()}),
        japanese.format(**{key: _in(name, "ja") for key, name in names.items()}),
    )


def _in(name: Name | str, language: str) -> str:
    return name if isinstance(name, str) else str(getattr(name, language))


def order(level: AlertLevel, hazard: Hazard) -> Name:
    """What the level is called. A tsunami order has no level in its name (guideline, May 2021)."""
    name = MEANINGS[level].name
    if hazard is not Hazard.TSUNAMI:
        return name
    english = name.en.partition(": ")[2]
    return Name(english[:1].upper() + english[1:], name.ja.partition(" ")[2])


def grade(level: AlertLevel, hazard: Hazard) -> Name:
    """The level in short, as part of a sentence."""
    if hazard is Hazard.TSUNAMI:
        name = _lower(order(level, hazard))
        return Name(f"an {name.en}", name.ja)
    return Name(f"level {int(level)}", f"警戒レベル{int(level)}")


def headline(level: AlertLevel, hazard: Hazard, area: Name, lifted: AlertLevel) -> Name:
    """``lifted`` is what a stand-down (``level`` NONE) ends."""
    facts = {"hazard": _lower(HAZARD_NAMES[hazard]), "area": area}
    if level is AlertLevel.NONE:
        return both(
            "Lifted: {order} ({hazard}): {area}",
            "【解除】{order}：{area}（{hazard}）",
            order=_lower(order(lifted, hazard)),
            **facts,
        )
    return both(
        "{order} ({hazard}): {area}",
        "【{order}】{area}（{hazard}）",
        order=order(level, hazard),
        **facts,
    )


def reason(sentences: Sequence[Name], meaning: Name, rest: Name) -> Name:
    """Say what was seen, then what it means, then ``rest``: what stays above a lower threshold."""
    shown = [*sentences[:_MOST_SENTENCES]]
    if len(sentences) > _MOST_SENTENCES:
        more = str(len(sentences) - _MOST_SENTENCES)
        shown.append(both("And {more} more.", "ほか{more}件。", more=more))
    shown.append(meaning)
    if rest.en:
        shown.append(rest)
    return Name(" ".join(item.en for item in shown), "".join(item.ja for item in shown))


def meaning(before: AlertLevel, after: AlertLevel, hazard: Hazard) -> Name:
    """What the step is. ``before`` NONE: nothing was proposed yet.

    A lower level says nothing of orders: ``before`` was proposed, and perhaps never issued.
    """
    if after is AlertLevel.NONE:
        return both(
            "The criteria for {before} are no longer met: stand down.",
            "{before}の基準に該当しなくなり、解除の目安にあたる。",
            before=grade(before, hazard),
        )
    if after < before:
        return both(
            "The criteria for {before} are no longer met; those for {after} still are.",
            "{before}の基準には該当しなくなったが、{after}の目安には引き続きあたる。",
            before=grade(before, hazard),
            after=order(after, hazard),
        )
    return both(
        "This meets the criteria for {after}.",
        "{after}の目安にあたる。",
        after=grade(after, hazard) if hazard is Hazard.TSUNAMI else _lower(order(after, hazard)),
    )


def still(level: AlertLevel, hazard: Hazard) -> Name:
    return both(
        "Conditions of {level} remain: stay attentive.",
        "引き続き{level}に相当する状況のため注意。",
        level=grade(level, hazard),
    )


def nothing_calls_for(level: AlertLevel, hazard: Hazard, at: datetime) -> Name:
    return both(
        "No reading and no bulletin that stands calls for {level} any more ({time}).",
        "{time}時点で、{level}に該当する観測値・情報はない。",
        level=grade(level, hazard),
        time=moment(at),
    )


def _lower(name: Name) -> Name:
    return Name(name.en[:1].lower() + name.en[1:], name.ja)
