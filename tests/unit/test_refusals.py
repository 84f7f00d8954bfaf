"""What the operator reads of refused payloads: little, and soon."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from cityos.errors import Unavailable
from cityos.ingest.feedback import Feedback
from cityos.ingest.metrics import IngestMetrics
from cityos.ingest.refusals import Refusals
from cityos.ports import DeadLetter
from cityos.testing.builders import NOON
from cityos.testing.clock import ChosenClock


def letter(device: str = "gauge", reason: str = "out_of_range") -> DeadLetter:
    vendor = "acme" if device else ""
    return DeadLetter("town", 1, NOON, vendor, device, "t", b"x", reason, "w", "$", "h")


def test_the_first_is_said_at_once_and_the_rest_once_a_minute() -> None:
    clock = ChosenClock(NOON)
    refusals = Refusals(clock)
    with capture_logs() as logs:
        refusals.say()
        refusals.count([letter()])
        refusals.say()
        for _ in range(59):
            clock.advance(1)
            refusals.count([letter(), letter(), letter("", "unknown_topic")])
            refusals.say()
        assert [(line["refused"], line["why"]) for line in logs] == [
            (1, "acme/gauge: 1 out_of_range")
        ]
        clock.advance(1)
        refusals.say()
        clock.advance(120)
        refusals.say()
    assert [(line["refused"], line["why"]) for line in logs[1:]] == [
        (177, "acme/gauge: 118 out_of_range; unknown topics: 59 unknown_topic")
    ]
    assert "cityos dead-letters list" in logs[0]["event"]
    assert {line["log_level"] for line in logs} == {"warning"}


def test_a_flood_of_made_up_devices_is_counted_and_not_remembered() -> None:
    refusals = Refusals(ChosenClock(NOON))
    refusals.count([letter("known")] * 9)
    refusals.count(letter(f"made-up-{number}") for number in range(5000))
    assert len(refusals._counts) == 100
    with capture_logs() as logs:
        refusals.say()
    (line,) = logs
    assert line["refused"] == 5009
    assert line["why"].startswith("acme/known: 9 out_of_range; acme/made-up-0: 1 out_of_range; ")
    assert line["why"].endswith("; 4996 more")


class Away:
    """A broker that takes nothing."""

    def publish(self, *_: Any, **__: Any) -> None:
        raise Unavailable("away")


def test_it_is_said_also_while_the_devices_cannot_be_told() -> None:
    feedback = Feedback(Away(), ChosenClock(NOON), IngestMetrics(CollectorRegistry()))
    with capture_logs() as logs:
        feedback.start()
        feedback.tell([letter()])
        feedback.tell([letter("", "unknown_topic")])
        feedback.stop()
    assert sum(line["refused"] for line in logs) == 2
