"""A city's alerts as other systems read them: from the Atom feed, and retained on MQTT."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import httpx2
from lxml import etree

from tests.city_processes import City, until, vendor

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
ATOM = "{http://www.w3.org/2005/Atom}"


def chain_on_the_feed(
    city: City, status: str, schema: etree.XMLSchema, *, length: int = 0
) -> list[etree._Element]:
    """All alerts of the Atom feed, oldest first, each valid against the OASIS schema."""

    def documents() -> list[etree._Element] | None:
        feed = city.get(f"/v1/alerts.atom?status={status}")
        assert feed.status_code == 200
        links = [
            str(entry.find(f"{ATOM}link").get("href"))  # type: ignore[union-attr]
            for entry in etree.fromstring(feed.content).iter(f"{ATOM}entry")
        ]
        if len(links) < length:
            return None
        return [etree.fromstring(httpx2.get(link, timeout=10.0).content) for link in links]

    alerts = until(documents, f"{length} alerts on the feed", city=city)
    for alert in alerts:
        schema.assertValid(alert)
    return list(reversed(alerts))


def canonical(alert: etree._Element) -> bytes:
    return etree.tostring(alert, method="c14n")


def message_type(alert: etree._Element) -> str:
    return alert.findtext(f"{CAP}msgType") or ""


def alert_levels(chain: Sequence[etree._Element]) -> list[str]:
    levels = []
    for alert in chain:
        values = {
            parameter.findtext(f"{CAP}value") or ""
            for parameter in alert.iter(f"{CAP}parameter")
            if parameter.findtext(f"{CAP}valueName") == "alertLevel"
        }
        (level,) = values
        levels.append(level)
    return levels


def check_references(chain: Sequence[etree._Element]) -> None:
    """Each message after the first names the one before: sender,identifier,sent (CAP 3.2.1)."""
    assert chain[0].find(f"{CAP}references") is None
    for before, after in pairwise(chain):
        wanted = ",".join(
            before.findtext(f"{CAP}{name}") or "" for name in ("sender", "identifier", "sent")
        )
        assert wanted in (after.findtext(f"{CAP}references") or "").split()


def retained(city: City, topics: set[str]) -> dict[str, bytes]:
    """What the broker tells somebody who connects now, canonically written."""

    def told() -> dict[str, bytes] | None:
        with vendor(city.broker, "other") as passer_by:
            passer_by.subscribe(f"cityos/v1/{city.tenant}/alerts/#")
            found = until(
                lambda: {m.topic: m.payload for m in passer_by.heard} or None, "retained alerts"
            )
        return found if topics <= found.keys() else None

    found = until(told, f"retained messages on {topics}", city=city)
    assert found.keys() == topics
    return {topic: canonical(etree.fromstring(payload)) for topic, payload in found.items()}
