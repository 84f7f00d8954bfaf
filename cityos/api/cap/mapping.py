"""Domain alert -> CAP 1.2 document (OASIS Standard, 1 July 2010). Pure.

One domain ``AlertInfo`` becomes one CAP ``info`` a language (3.2.2). Times are written in UTC as
``-00:00`` with whole seconds (3.3.2), positions as latitude,longitude (3.2.4), the other way
round than everywhere else in this city. Outlines are as detailed as a message has room for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from lxml import etree

from cityos.api.cap import outlines
from cityos.api.cap.outlines import Ring
from cityos.domain.alert import (
    Alert,
    AlertArea,
    AlertInfo,
    ExerciseAlert,
    MessageType,
    Reference,
)
from cityos.domain.alert_level import HAZARD_NAMES, MEANINGS, AlertLevel, Hazard
from cityos.domain.entity import Name

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE: Final = "application/cap+xml"
HAZARD_CODES: Final = "urn:cityos:hazard"
"""``valueName`` of the event code: its values are ``cityos.domain.alert_level.Hazard.code``."""

_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RESTRICTED: Final = re.compile(r"[\s,<&]")
_PAIR_BYTES: Final = 23  # "-90.000000,-180.000000 "
_OUTLINE_BYTES: Final = 256 * 1024
"""All polygons of a document together: a fifth of what the city's broker takes."""

_CATEGORIES: Final = {
    Hazard.FLOOD: "Met",
    Hazard.LANDSLIDE: "Geo",
    Hazard.STORM_SURGE: "Met",
    Hazard.EARTHQUAKE: "Geo",
    Hazard.TSUNAMI: "Geo",
    Hazard.LARGE_FIRE: "Fire",
    Hazard.INLAND_FLOOD: "Met",
    Hazard.VOLCANO: "Geo",
    Hazard.STORM: "Met",
    Hazard.SNOW: "Met",
}


@dataclass(frozen=True, slots=True)
class _Language:
    tag: str
    drill: str

    def of(self, name: Name) -> str:
        return name.ja if self.tag == "ja-JP" else name.en


_LANGUAGES: Final = (_Language("ja-JP", "【訓練】"), _Language("en-US", "[EXERCISE] "))
_MOST_PAIRS: Final = _OUTLINE_BYTES // _PAIR_BYTES // len(_LANGUAGES)


def cap_document(alert: Alert, web: str = "") -> bytes:
    """Return the alert as a UTF-8 CAP 1.2 document.

    ``web`` is the address of a page about it (3.2.2). A character that XML 1.0 forbids becomes
    U+FFFD. In an exercise every text says so, whoever wrote it.
    """
    default: Any = {None: NAMESPACE}  # no prefix; the stubs of lxml know prefixes only
    root = etree.Element(_tag("alert"), nsmap=default)
    _add(root, "identifier", token(alert.identifier))
    _add(root, "sender", token(alert.sender))
    _add(root, "sent", date_time(alert.sent))
    _add(root, "status", alert.status)
    _add(root, "msgType", alert.message_type.value)
    _add(root, "source", alert.source)
    _add(root, "scope", "Public")
    _add(root, "note", _note(alert))
    _add(root, "references", " ".join(reference(one) for one in alert.references))
    for info in _drawn(alert.infos):
        for language in _spoken(info):
            _add_info(root, alert, info, language, web)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def headline(alert: Alert) -> Name:
    """Return what the alert says in one line, marked where it is an exercise."""
    info = alert.infos[0] if alert.infos else None
    if info is None:
        text = Name(alert.message_type.value, alert.message_type.value)
    else:
        text = info.headline if info.headline.en or info.headline.ja else info.event
    if not isinstance(alert, ExerciseAlert):
        return text
    japanese, english = _LANGUAGES
    return Name(_marked(text.en, english.drill), _marked(text.ja, japanese.drill))


def date_time(time: datetime) -> str:
    """Return an aware time as 3.3.2 wants it; the designator ``Z`` is forbidden there."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "-00:00")


def token(text: str) -> str:
    """Return an identifier or sender with the characters that 3.2.1 forbids percent-encoded."""
    return _RESTRICTED.sub(lambda match: quote(match[0]), clean(text))


def reference(one: Reference) -> str:
    return f"{token(one.sender)},{token(one.identifier)},{date_time(one.sent)}"


def clean(text: str) -> str:
    """Return the text with U+FFFD in place of what XML 1.0, section 2.2, forbids."""
    return _ILLEGAL.sub("\ufffd", text)


def _drawn(infos: tuple[AlertInfo, ...]) -> tuple[AlertInfo, ...]:
    """Return the infos with outlines that the document has room for."""
    rings = [ring for info in infos for area in info.areas for ring in area.polygons]
    fitting = iter(outlines.fitting(rings, _MOST_PAIRS))
    return tuple(
        replace(
            info,
            areas=tuple(
                replace(area, polygons=tuple(islice(fitting, len(area.polygons))))
                for area in info.areas
            ),
        )
        for info in infos
    )


def _note(alert: Alert) -> str:
    if isinstance(alert, ExerciseAlert):
        return alert.note or f"Exercise {alert.run} / 訓練"
    return alert.note


def _spoken(info: AlertInfo) -> Iterator[_Language]:
    """The languages that the info has any text in; a JMA telegram may have Japanese alone."""
    texts = (info.event, info.headline, info.description, info.instruction)
    spoken = [one for one in _LANGUAGES if any(one.of(text) for text in texts)]
    yield from spoken or _LANGUAGES


def _add_info(
    root: etree._Element, alert: Alert, info: AlertInfo, language: _Language, web: str
) -> None:
    drill = language.drill if isinstance(alert, ExerciseAlert) else ""
    element = etree.SubElement(root, _tag("info"))
    _add(element, "language", language.tag)
    _add(element, "category", _CATEGORIES[info.hazard])
    _add(element, "event", _first(language, info.event, HAZARD_NAMES[info.hazard]))
    _add_meaning(element, alert, info)
    code = etree.SubElement(element, _tag("eventCode"))
    _add(code, "valueName", HAZARD_CODES)
    _add(code, "value", info.hazard.code)
    if info.effective is not None:
        _add(element, "effective", date_time(info.effective))
        # the event that we write about is the order or the warning itself: it begins with it
        _add(element, "onset", date_time(info.effective))
    if info.expires is not None:
        _add(element, "expires", date_time(info.expires))
    _add(element, "senderName", language.of(alert.sender_name))
    _add(element, "headline", _marked(language.of(info.headline), drill))
    _add(element, "description", _marked(language.of(info.description), drill))
    _add(element, "instruction", _marked(language.of(info.instruction), drill))
    _add(element, "web", web)
    for name, value in sorted(info.parameters.items()):  # a store may not keep their order
        _add_pair(element, "parameter", name, value)
    for area in info.areas:
        _add_area(element, area, language)


def _add_meaning(element: etree._Element, alert: Alert, info: AlertInfo) -> None:
    """Level NONE means "lifted" in a Cancel; elsewhere it means that there is no level."""
    if info.level is AlertLevel.NONE and alert.message_type is not MessageType.CANCEL:
        for tag in ("urgency", "severity", "certainty"):
            _add(element, tag, "Unknown")
        return
    meaning = MEANINGS[info.level]
    _add(element, "responseType", meaning.response_type)
    _add(element, "urgency", meaning.urgency)
    _add(element, "severity", meaning.severity)
    _add(element, "certainty", meaning.certainty)


def _add_area(info: etree._Element, area: AlertArea, language: _Language) -> None:
    element = etree.SubElement(info, _tag("area"))
    _add(element, "areaDesc", _first(language, area.name, Name(area.entity or "-", "")))
    for ring in area.polygons:
        _add(element, "polygon", _polygon(ring))
    for scheme, codes in sorted(area.geocodes.items()):
        for code in codes:
            _add_pair(element, "geocode", scheme, code)
    if area.entity:
        _add_pair(element, "geocode", "NGSI-LD", area.entity)


def _first(language: _Language, name: Name, otherwise: Name) -> str:
    """The name in the language, or else in the other one: what the schema wants never fails."""
    return language.of(name) or name.en or name.ja or language.of(otherwise) or otherwise.en


def _polygon(ring: Ring) -> str:
    return " ".join(f"{latitude:.6f},{longitude:.6f}" for longitude, latitude in ring)


def _add_pair(parent: etree._Element, tag: str, name: str, value: str) -> None:
    pair = etree.SubElement(parent, _tag(tag))
    etree.SubElement(pair, _tag("valueName")).text = clean(name)
    etree.SubElement(pair, _tag("value")).text = clean(value)


def _add(parent: etree._Element, tag: str, text: str) -> None:
    """Add an element; one without text is left out, for 3.1 wants no empty optional element."""
    if text:
        etree.SubElement(parent, _tag(tag)).text = clean(text)


def _marked(text: str, drill: str) -> str:
    return drill + text if text and drill and not text.startswith(drill) else text


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
