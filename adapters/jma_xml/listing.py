"""JMA's Atom feeds (気象庁防災情報XML PULL型): which of the listed telegrams to fetch.

High-frequency feeds (extra.xml, eqvol.xml, regular.xml) list the last minutes and are renewed
every minute, the long-term ones (..._l.xml) list some days. A telegram's address names it:
``.../20210916071312_0_VPWW54_360000.xml`` is a VPWW54 for the region 360000.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from adapters.jma_xml.document import Element, each, text, time
from adapters.jma_xml.telegrams import TELEGRAMS, Telegram
from adapters.jma_xml.weather_kinds import NEW_SCHEME_FROM
from cityos.plugins.contract import Fetch

ATOM: Final = "http://www.w3.org/2005/Atom"

_ADDRESS: Final = re.compile(r"https?://[^\s/]+/\S*?_([A-Z]{4}[0-9]{2})_(\d{6})\.xml")
_FLOOD_FORECAST: Final = "VXKO"
_REPLACED: Final = ("VPWW53", "VPWW54")
"""Sent on beside VPWW55 to VPWW61 since the scheme of 2026, with less in them."""
_HEADQUARTERS: Final = "010000"
_LONG_TERM: Final = "_l.xml"
_BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Entry:
    url: str
    telegram: Telegram
    region: str
    updated: datetime


def is_listing(root: Element) -> bool:
    return root.tag == f"{{{ATOM}}}feed"


def links(root: Element, prefectures: Sequence[str]) -> list[Fetch]:
    """Return the telegrams to fetch, oldest first.

    ``prefectures`` are codes of two digits; telegrams that are for one region alone are left out
    if it is in none of them; empty stands for the whole country. Of a long-term feed only the
    newest is taken where each states all that stands in its region.

    Raises:
        UndecodablePayload: an entry has a time that cannot be.
    """
    entries = [entry for element in each(root, "entry") if (entry := _entry(element))]
    wanted = [entry for entry in entries if _is_wanted(entry, prefectures)]
    wanted.sort(key=lambda entry: entry.updated)
    if _is_long_term(root):
        newest = {
            (entry.telegram.code, entry.region): entry for entry in wanted if entry.telegram.whole
        }
        wanted = [
            entry
            for entry in wanted
            if newest.get((entry.telegram.code, entry.region), entry) is entry
        ]
    return [Fetch(url) for url in dict.fromkeys(entry.url for entry in wanted)]


def _entry(element: Element) -> _Entry | None:
    links = [link.get("href", "") for link in each(element, "link")]
    for url in (*links, text(element, "id")):
        match = _ADDRESS.fullmatch(url)
        if match is None:
            continue
        code = "VXKOii" if match[1].startswith(_FLOOD_FORECAST) else match[1]
        telegram = TELEGRAMS.get(code)
        if telegram is None:
            return None
        return _Entry(url, telegram, match[2], time(element, "updated") or _BEFORE_ALL)
    return None


def _is_wanted(entry: _Entry, prefectures: Sequence[str]) -> bool:
    if entry.telegram.code in _REPLACED and entry.updated >= NEW_SCHEME_FROM:
        return False
    if not prefectures or not entry.telegram.regional or entry.region == _HEADQUARTERS:
        return True
    return entry.region[:2] in prefectures


def _is_long_term(root: Element) -> bool:
    return any(
        link.get("rel") == "self" and link.get("href", "").endswith(_LONG_TERM)
        for link in each(root, "link")
    )
