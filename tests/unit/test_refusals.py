"""What the operator reads of refused payloads: little, and soon."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from cityos.errors import Unavailable
from cityos.ingest.clock_watch import ClockWatch
from cityos.ingest.feedback import Feedback
from cityos.ingest.metrics import IngestMetrics
from cityos.ingest.refusals import Refusals
from cityos.ports import DeadLetter
from cityos.testing.builders import NOON
from cityos.testing.clock import ChosenClock


def letter(device: str = "gauge", reason: str = "out_of_range") -> DeadLetter:
    vendor = "acme" if device else ""
    return DeadLetter("town", 1, NOON, vendor, device, "t", b"x", reason, "w", "$", "h")


def test_the_first_is_named_at_once_and_the_sum_is_said_once_a_minute() -> None:
    clock = ChosenClock(NOON)
    refusals = Refusals(clock)
    with capture_logs() as logs:
        refusals.say()
        refusals.count([letter("g1"), letter("g2")])
        refusals.say()
        for _ in range(59):
            clock.advance(1)
            refusals.count([letter("g1"), letter("g2"), letter("", "unknown_topic")])
            refusals.say()
        (first,) = logs
        assert first["why"] == "acme/g1: out_of_range: w"
        assert "refused" not in first, "it cannot know how many there are"
        clock.advance(1)
        refusals.say()
        assert [(line["refused"], line["why"]) for line in logs[1:]] == [
            (179, "acme: 120 out_of_range; unknown topics: 59 unknown_topic")
        ]
        clock.advance(30)
        refusals.count([letter()])
        refusals.say()
        assert len(logs) == 2, "the next sum is a minute after the last"
        clock.advance(30)
        refusals.say()
        assert logs[2]["refused"] == 1
    assert all("cityos dead-letters list" in line["event"] for line in logs)
    assert {line["log_level"] for line in logs} == {"warning"}


def test_a_single_one_has_no_sum_and_the_next_is_named_at_once_again() -> None:
    clock = ChosenClock(NOON)
    refusals = Refusals(clock)
    with capture_logs() as logs:
        for device in ("g1", "g2"):
            refusals.count([letter(device)])
            refusals.say()
            clock.advance(61)
            refusals.say()
        refusals.say(now=True)
    assert [line["why"] for line in logs] == [
        "acme/g1: out_of_range: w",
        "acme/g2: out_of_range: w",
    ]


def test_a_flood_of_made_up_vendors_is_counted_and_not_remembered() -> None:
    refusals = Refusals(ChosenClock(NOON))
    refusals.count([letter("known")] * 9)
    refusals.count(letter()._replace(vendor=f"made-up-{number}") for number in range(5000))
    assert len(refusals._counts) == 100
    with capture_logs() as logs:
        refusals.say(now=True)
    _, line = logs
    assert line["refused"] == 5009
    assert line["why"].startswith("acme: 9 out_of_range; made-up-0: 1 out_of_range; ")
    assert line["why"].endswith("; 4996 more")


class Away:
    """A broker that takes nothing."""

    def publish(self, *_: Any, **__: Any) -> None:
        raise Unavailable("away")


def test_it_is_said_also_while_the_devices_cannot_be_told() -> None:
    clock, metrics = ChosenClock(NOON), IngestMetrics(CollectorRegistry())
    watch = ClockWatch(clock, metrics, lambda *_: None)
    feedback = Feedback(Away(), clock, metrics, watch)
    with capture_logs() as logs:
        feedback.start()
        feedback.tell([letter()])
        feedback.tell([letter("", "unknown_topic")])
        feedback.stop()
    assert "why" in logs[0]
    assert [line["refused"] for line in logs[1:]] == [2]
