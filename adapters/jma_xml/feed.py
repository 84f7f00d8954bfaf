"""The feed: an Atom listing yields what to fetch, a telegram yields its bulletin."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.jma_xml.document import parse
from adapters.jma_xml.listing import is_listing, links
from adapters.jma_xml.report import is_report
from adapters.jma_xml.telegrams import read_telegram
from cityos.domain.alert import Bulletin
from cityos.errors import UndecodablePayload
from cityos.plugins.contract import Fetch, Receipt, feed

_PREFECTURE: Final = re.compile(r"[0-4]\d")


@feed
@dataclass(frozen=True, slots=True)
class JmaXml:
    """気象庁防災情報XML.

    ``prefectures`` are two-digit codes (JIS X 0401): of the telegrams that are for one region
    alone, only those for one of them are fetched. An empty list stands for the whole country;
    None: as the device's own settings say, and the whole country where they say nothing.
    Telegrams that reach beyond a region (earthquakes, tsunami, floods of large rivers,
    volcanoes) are fetched in any case, and a telegram that is handed in is always read.

    Raises:
        ValueError: a prefecture is not a code of two digits.
    """

    prefectures: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        wrong = [code for code in self.prefectures or () if not _PREFECTURE.fullmatch(code)]
        if wrong:
            message = f"prefectures: {', '.join(wrong)} not of the form 01 to 47"
            raise ValueError(message)

    def read(self, document: bytes, receipt: Receipt) -> Sequence[Bulletin | Fetch]:
        """Return the bulletin of a telegram, or the telegrams that a listing points to.

        A well-formed telegram of a kind that is not read gives nothing; see README.md.

        Raises:
            UndecodablePayload: neither a telegram nor a listing, or one that does not fit its
                form; or the device's settings do not say which listed telegrams to fetch.
        """
        root = parse(document)
        if is_report(root):
            bulletin = read_telegram(root)
            return () if bulletin is None else (bulletin,)
        if is_listing(root):
            chosen = self.prefectures
            return links(root, _of_device(receipt.settings) if chosen is None else chosen)
        message = f"the root element is {root.tag[:100]}"
        raise UndecodablePayload(
            message,
            path="/",
            hint="send a Report of 気象庁防災情報XML, or one of JMA's Atom feeds",
        )


def _of_device(settings: Mapping[str, Any]) -> Sequence[str]:
    """Return the prefectures that the device's settings name, none for the whole country.

    Raises:
        UndecodablePayload: they are wrong. A slip must not pass for the whole country, and not
            for a prefecture from which no warning ever comes.
    """
    codes = settings.get("prefectures", [])
    if (
        settings.keys() <= {"prefectures"}
        and isinstance(codes, list)
        and all(isinstance(code, str) and _PREFECTURE.fullmatch(code) for code in codes)
    ):
        return codes
    raise UndecodablePayload(
        "the device's settings for jma_xml are wrong",
        path="/",
        hint='they are {} or like {"prefectures": ["22"]}, with codes from 01 to 47',
    )
