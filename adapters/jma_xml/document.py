"""Bytes to a checked XML tree, and typed reads out of it.

Nothing outside the document is ever touched: no entity, no DTD, no network. Whatever the bytes
are, only ``UndecodablePayload`` comes out.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from lxml import etree

from cityos.errors import UndecodablePayload

Element = etree._Element  # noqa: SLF001 - lxml gives its element type no public name

MAX_TELEGRAM_BYTES: Final = 2 * 1024 * 1024
"""The largest telegrams, a nationwide VXSE53 and a VPWP50, have 0.3 to 0.5 MB."""
MAX_LISTING_BYTES: Final = 16 * 1024 * 1024
"""The long-term listings hold several days of entries of about 600 bytes each."""

_MAX_TEXT: Final = 20_000
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2199
_DURATION: Final = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?)?")
_SPACE: Final = re.compile(r"[^\S\n]*\n\s*")


def parse(document: bytes) -> Element:
    """Return the root element.

    Raises:
        UndecodablePayload: not well-formed XML, too large, or with a document type declaration
            (JMA's telegrams have none; it is the way in for entity bombs and file reading).
    """
    if len(document) > MAX_LISTING_BYTES:
        raise _too_large(document, MAX_LISTING_BYTES)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        message = f"not well-formed XML: {str(error)[:200]}"
        raise UndecodablePayload(
            message, hint="send the telegram as JMA published it, unpacked"
        ) from error
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr]
        raise UndecodablePayload(
            "the document has a DOCTYPE", hint="JMA telegrams have none; remove it"
        )
    if not root.tag.startswith("{http://www.w3.org/2005/Atom}") and (
        len(document) > MAX_TELEGRAM_BYTES
    ):
        raise _too_large(document, MAX_TELEGRAM_BYTES)
    return root


def _too_large(document: bytes, limit: int) -> UndecodablePayload:
    return UndecodablePayload(f"the document has {len(document)} bytes, the limit is {limit}")


@cache
def _any_namespace(path: str) -> str:
    return "/".join(step if step == "." else f"{{*}}{step}" for step in path.split("/"))


def each(element: Element | None, path: str) -> list[Element]:
    """Return the elements under ``path`` (local names joined by /), in document order."""
    return [] if element is None else element.findall(_any_namespace(path))


def first(element: Element | None, path: str) -> Element | None:
    return None if element is None else element.find(_any_namespace(path))


def content(element: Element | None) -> str:
    """Return the element's own text, without the spaces around it and around its lines."""
    if element is None or element.text is None:
        return ""
    return _SPACE.sub("\n", element.text.strip())[:_MAX_TEXT]


def text(element: Element | None, path: str) -> str:
    """Return the text of the first element under ``path``, empty where there is none."""
    return content(first(element, path))


def required(element: Element, path: str) -> str:
    """Return the text under ``path``.

    Raises:
        UndecodablePayload: there is none.
    """
    found = text(element, path)
    if not found:
        message = f"{path} is missing or empty"
        raise UndecodablePayload(
            message, path=f"{_place(element)}/{path}", hint="the telegram is not complete"
        )
    return found


def time(element: Element | None, path: str) -> datetime | None:
    """Return the time under ``path`` in aware UTC, None where there is none.

    Raises:
        UndecodablePayload: it is no xs:dateTime with an offset in the years 2000 to 2199.
    """
    found = text(element, path)
    if element is None or not found:
        return None
    try:
        moment = datetime.fromisoformat(found)
    except ValueError as error:
        raise _no_time(element, path, found) from error
    # the years first: an offset at the end of time overflows
    if moment.tzinfo is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise _no_time(element, path, found)
    return moment.astimezone(UTC)


def required_time(element: Element, path: str) -> datetime:
    """Return the time under ``path`` in aware UTC.

    Raises:
        UndecodablePayload: there is none, or it is no time with an offset.
    """
    required(element, path)
    moment = time(element, path)
    if moment is None:  # pragma: no cover - required() has seen to it
        raise _no_time(element, path, "")
    return moment


def duration(element: Element | None, path: str) -> timedelta | None:
    """Return the xs:duration under ``path`` (days, hours, minutes), None where there is none."""
    match = _DURATION.fullmatch(text(element, path))
    if match is None or match.lastindex is None:
        return None
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def number(element: Element | None) -> float | None:
    """Return the element's number; JMA writes NaN or nothing for "not known": None."""
    try:
        value = float(content(element))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _no_time(element: Element, path: str, found: str) -> UndecodablePayload:
    return UndecodablePayload(
        f"{found[:40]!r} is not a time that can be",
        path=f"{_place(element)}/{path}",
        hint="write xs:dateTime with an offset, for example 2026-11-22T10:00:00+09:00",
    )


def _place(element: Element) -> str:
    steps = [etree.QName(step).localname for step in element.iterancestors()]
    return "/" + "/".join([*reversed(steps), etree.QName(element).localname])
