"""Objects in case files: what is written comes back, what does not fit is refused."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from cityos.domain.alert import Bulletin
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.event import Event
from cityos.domain.observation import Observation, Position, Quality, Reading
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import Assessment
from cityos.errors import InvalidPlugin
from cityos.plugins.contract import Fetch, Receipt
from cityos.testing import builders as b
from cityos.testing.plain import from_plain, to_plain

FEED_RESULTS = list[Observation | Bulletin | Fetch]


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (b.reading("urn:x:1", "water_level", 1.5, quality=Quality.LATE), Reading),
        (b.reading("urn:x:1", "position", Position(138.0, 34.0)), Reading),
        (b.stored(b.reading("urn:x:1", "open", value=True), occasion=Exercise("r1")), Event),
        (b.received(b.alert()), Event),
        (b.assessment("flood/x", AlertLevel.NONE), Assessment),
        (b.receipt(settings={"names": {"a": {"property": "open"}}}), Receipt),
        ([b.bulletin(valid_until=b.NOON), Fetch("https://x.example")], FEED_RESULTS),
        ([Observation("open", value=False, observed_at=b.NOON)], FEED_RESULTS),
        ((1.0, 2.0), tuple[float, float]),
        ({"flood": (Hazard.FLOOD,)}, Mapping[str, tuple[Hazard, ...]]),
    ],
)
def test_what_is_written_comes_back(value: object, hint: Any) -> None:
    assert from_plain(to_plain(value, hint), hint) == value


def test_what_is_written_is_short_and_readable() -> None:
    reading = b.reading("urn:x:1", "water_level", 1.5, quality=Quality.LATE | Quality.CORRECTED)
    assert to_plain(b.stored(reading), Event) == {
        "type": "ObservationStored",
        "id": 1,
        "occasion": {"type": "Actual"},
        "at": "2026-09-01T12:00:00Z",
        "reading": {
            "entity": "urn:x:1",
            "observed_property": "water_level",
            "value": 1.5,
            "unit": "m",
            "observed_at": "2026-09-01T12:00:00Z",
            "received_at": "2026-09-01T12:00:00Z",
            "quality": ["corrected", "late"],
        },
    }
    plain = to_plain(b.info(Hazard.TSUNAMI, AlertLevel.EVACUATE))
    assert (plain["hazard"], plain["level"]) == ("tsunami", 4)


def test_a_default_of_another_type_is_written() -> None:
    """0 equals False in Python; in a file they are two things."""
    assert to_plain(Observation("open", value=False))["value"] is False


@pytest.mark.parametrize(
    ("document", "hint", "says"),
    [
        ({"value": 1}, Observation, "$: Observation needs observed_property"),
        ({"observed_property": "open", "valeu": 1}, Observation, "$: Observation has no valeu"),
        ([{"type": "Fetch", "url": 5}], FEED_RESULTS, "$[0].url: must be str"),
        ([{"url": "https://x"}], FEED_RESULTS, "type is one of Observation, Bulletin, Fetch"),
        ("2026-01-01T00:00:00", datetime, "a time with an offset"),
        ("yesterday", datetime, "a time such as"),
        ("fire", Hazard, "one of ['flood'"),
        (9, AlertLevel, "one of [0, 1, 2, 3, 4, 5]"),
        (["lost"], Quality, "a list of some of"),
        (True, float, "must be a number"),
        (1.5, int, "must be a whole number"),
        ([1.0], tuple[float, float], "an array of 2"),
        ({}, list[int], "an array"),
        ([], dict[str, int], "an object"),
        ("x", Observation, "an object (Observation)"),
        (None, str | int, "must be"),
    ],
)
def test_what_does_not_fit_is_refused(document: object, hint: Any, says: str) -> None:
    with pytest.raises(InvalidPlugin) as caught:
        from_plain(document, hint)
    assert says in str(caught.value)


def test_a_time_is_utc_whatever_its_offset() -> None:
    expected = datetime(2026, 9, 1, 3, tzinfo=UTC)
    assert from_plain("2026-09-01T12:00:00+09:00", datetime) == expected
    assert from_plain("2026-09-01T12:00:00+09:00", datetime).tzinfo is UTC
