"""A feed of alerts as Atom (RFC 4287), each entry with a link to its CAP document. Pure.

A feed holds the alerts of one status. That of an exercise says so in its own title and in the
title of every entry, for a reader may show nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lxml import etree

from cityos.api.cap.mapping import MEDIA_TYPE as CAP_MEDIA_TYPE
from cityos.api.cap.mapping import clean, headline
from cityos.domain.alert import Alert
from cityos.domain.entity import Name

NAMESPACE: Final = "http://www.w3.org/2005/Atom"
MEDIA_TYPE: Final = "application/atom+xml"
_CAP: Final = "urn:oasis:names:tc:emergency:cap:1.2"

_TITLES: Final = {
    "Actual": "{ja}の警報・避難情報 / Alerts of {en}",
    "Exercise": "【訓練】{ja}の警報・避難情報（訓練です）"
    " / [EXERCISE] Alerts of {en}, never to be acted on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What a feed is about. ``document_url`` gives the address of an alert's CAP document.

    ``since`` is when the feed came to be: its last change as long as it has no entry (4.2.15).
    ``next_url`` is the page of older alerts, empty on the last page.
    """

    tenant: str
    name: Name
    since: datetime
    status: str
    self_url: str
    document_url: Callable[[Alert], str]
    next_url: str = ""


def feed_document(feed: Feed, alerts: Sequence[Alert]) -> bytes:
    """Return the feed of these alerts, newest first, as UTF-8.

    Raises:
        ValueError: an alert is of another status than the feed.
    """
    default: Any = {None: NAMESPACE}  # no prefix; the stubs of lxml know prefixes only
    root = etree.Element(_tag("feed"), nsmap=default)
    _add(root, "id", f"urn:cityos:{feed.tenant}:alerts:{feed.status.lower()}")
    _add(root, "title", _TITLES[feed.status].format(en=feed.name.en, ja=feed.name.ja))
    _add(root, "updated", _time(max((alert.sent for alert in alerts), default=feed.since)))
    author = etree.SubElement(root, _tag("author"))
    _add(author, "name", feed.name.ja)
    _link(root, "self", feed.self_url, MEDIA_TYPE)
    if feed.next_url:
        _link(root, "next", feed.next_url, MEDIA_TYPE)
    for alert in alerts:
        if alert.status != feed.status:
            message = f"{alert.identifier} is {alert.status}, the feed is {feed.status}"
            raise ValueError(message)
        _add_entry(root, feed, alert)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _add_entry(root: etree._Element, feed: Feed, alert: Alert) -> None:
    entry = etree.SubElement(root, _tag("entry"))
    _add(entry, "id", alert.identifier)
    _add(entry, "title", _both(headline(alert)))
    _add(entry, "updated", _time(alert.sent))
    _add(entry, "published", _time(alert.sent))
    author = etree.SubElement(entry, _tag("author"))
    _add(author, "name", alert.sender_name.ja or alert.sender_name.en or alert.sender)
    for scheme, term in (("status", alert.status), ("msgType", alert.message_type.value)):
        etree.SubElement(entry, _tag("category"), scheme=f"{_CAP}:{scheme}", term=term)
    _link(entry, "alternate", feed.document_url(alert), CAP_MEDIA_TYPE)
    summaries = [_both(info.description) for info in alert.infos]
    _add(entry, "summary", "\n".join(text for text in summaries if text) or "-")


def _both(name: Name) -> str:
    """Atom has one title, the city's people two languages."""
    return " / ".join(dict.fromkeys(text for text in (name.ja, name.en) if text))


def _link(parent: etree._Element, relation: str, url: str, media_type: str) -> None:
    etree.SubElement(parent, _tag("link"), rel=relation, href=clean(url), type=media_type)


def _add(parent: etree._Element, tag: str, text: str) -> None:
    etree.SubElement(parent, _tag(tag)).text = clean(text)


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
