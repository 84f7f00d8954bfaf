"""The feed of alerts against RFC 4287 and RFC 5005."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from cityos.api.cap.atom import NAMESPACE, Feed, feed_document
from cityos.api.cap.conformance import AtomClause
from cityos.domain.alert import Alert, ExerciseAlert, MessageType
from cityos.domain.entity import Name
from cityos.testing import builders as a

ATOM = {"a": NAMESPACE}
SINCE = a.NOON - timedelta(days=30)


def feed(alerts: Sequence[Alert], status: str = "Actual", next_url: str = "") -> Any:
    about = Feed(
        tenant="yaizu",
        name=Name("Yaizu City", "焼津市"),
        since=SINCE,
        status=status,
        self_url="https://city.example.jp/v1/alerts.atom?status=Actual",
        document_url=lambda alert: f"https://city.example.jp/v1/alerts/{alert.identifier}.cap",
        next_url=next_url,
    )
    return etree.fromstring(feed_document(about, alerts))


def exercise(identifier: str) -> ExerciseAlert:
    return ExerciseAlert(
        identifier=identifier,
        sender="yaizu.example.jp",
        sent=a.NOON,
        message_type=MessageType.ALERT,
        infos=(a.info(),),
        run="drill",
    )


@pytest.mark.parametrize("clause", AtomClause)
def test_every_clause_that_we_claim_is_named_by_a_test(clause: AtomClause) -> None:
    assert f'"""{clause.name}' in Path(__file__).read_text()


def test_the_feed_has_what_an_atom_feed_must_have() -> None:
    """FEED."""
    root = feed([a.alert("urn:x:2", a.NOON + timedelta(minutes=1)), a.alert("urn:x:1")])
    assert root.findtext("a:id", "", ATOM) == "urn:cityos:yaizu:alerts:actual"
    title = root.findtext("a:title", "", ATOM)
    assert title == "焼津市の警報・避難情報 / Alerts of Yaizu City"
    assert root.findtext("a:author/a:name", "", ATOM) == "焼津市"
    updated = datetime.fromisoformat(root.findtext("a:updated", "", ATOM))
    assert updated == a.NOON + timedelta(minutes=1)
    link = root.find("a:link[@rel='self']", ATOM)
    assert link.get("href") == "https://city.example.jp/v1/alerts.atom?status=Actual"


def test_an_entry_has_a_stable_id_and_leads_to_the_document() -> None:
    """ENTRY."""
    alert = a.alert("urn:cityos:yaizu:1", message_type=MessageType.UPDATE)
    first, second = feed([alert]), feed([a.alert("urn:x:2"), alert])
    entries = [root.findall("a:entry", ATOM)[-1] for root in (first, second)]
    assert etree.tostring(entries[0]).strip() == etree.tostring(entries[1]).strip()
    entry = entries[0]
    assert entry.findtext("a:id", "", ATOM) == "urn:cityos:yaizu:1"
    assert entry.findtext("a:title", "", ATOM) == "headline"
    assert entry.findtext("a:summary", "", ATOM) == "description"
    link = entry.find("a:link[@rel='alternate']", ATOM)
    assert link.get("type") == "application/cap+xml"
    assert link.get("href") == "https://city.example.jp/v1/alerts/urn:cityos:yaizu:1.cap"
    terms = {
        one.get("scheme").rpartition(":")[2]: one.get("term") for one in entry.iter("{*}category")
    }
    assert terms == {"status": "Actual", "msgType": "Update"}


def test_an_empty_feed_was_last_changed_when_it_came_to_be() -> None:
    """UPDATED."""
    assert etree.tostring(feed([])) == etree.tostring(feed([]))
    assert datetime.fromisoformat(feed([]).findtext("a:updated", "", ATOM)) == SINCE
    assert datetime.fromisoformat(feed([a.alert()]).findtext("a:updated", "", ATOM)) == a.NOON


def test_older_alerts_are_a_page_away() -> None:
    """PAGES."""
    assert feed([a.alert()]).find("a:link[@rel='next']", ATOM) is None
    link = feed([a.alert()], next_url="https://city.example.jp/older").find(
        "a:link[@rel='next']", ATOM
    )
    assert link.get("href") == "https://city.example.jp/older"


def test_the_feed_of_exercises_says_so_everywhere() -> None:
    root = feed([exercise("urn:x:1")], status="Exercise")
    for title in root.iter("{*}title"):
        assert "EXERCISE" in title.text
        assert "訓練" in title.text


@pytest.mark.parametrize("status", ["Actual", "Exercise"])
def test_exercises_and_actual_alerts_are_never_in_one_feed(status: str) -> None:
    with pytest.raises(ValueError, match="the feed is"):
        feed([exercise("urn:x:1"), a.alert("urn:x:2")], status=status)
