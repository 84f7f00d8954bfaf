"""When this server's clock is doubted, and what an operator reads then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from cityos.domain import topic
from cityos.ingest.clock_watch import ClockWatch
from cityos.ingest.metrics import IngestMetrics
from cityos.ports import DeadLetter
from cityos.testing.builders import NOON
from cityos.testing.clock import ChosenClock


class SetClock(ChosenClock):
    def set(self, now: datetime) -> None:
        self._now = now


class Watched:
    def __init__(self, now: datetime = NOON) -> None:
        self.clock = SetClock(now)
        self.registry = CollectorRegistry()
        self.notices: dict[str, str] = {}
        self.watch = ClockWatch(self.clock, IngestMetrics(self.registry), self.notices.__setitem__)

    @property
    def doubted(self) -> bool:
        return bool(self.registry.get_sample_value("cityos_clock_doubted"))

    def look(self) -> list[Any]:
        with capture_logs() as logs:
            self.watch.look()
        return logs

    def shown(self) -> list[str]:
        return [text for text in self.notices.values() if text]


@pytest.fixture
def watched() -> Watched:
    return Watched()


def refused(device: str, *, run: str = "", reason: str = "implausible_time") -> DeadLetter:
    where = topic.observations("town", "acme", device, run)
    return DeadLetter("town", 1, NOON, "acme", device, where, b"x", reason, "time T", "$", "h")


def test_a_right_clock_is_not_doubted(watched: Watched) -> None:
    watched.watch.is_past(NOON + timedelta(minutes=4))
    for _ in range(3):
        assert watched.look() == []
        watched.clock.advance(3600)
    assert watched.notices == {}
    assert not watched.doubted


def test_a_clock_before_what_is_past_is_named_until_it_is_set(watched: Watched) -> None:
    watched.watch.is_past(NOON + timedelta(hours=3))
    (line,) = watched.look()
    assert line["log_level"] == "error"
    assert "it says 2026-09-01T12:00:00Z, and 2026-09-01T15:00:00Z is over" in line["why"]
    assert watched.doubted
    watched.clock.advance(300)
    assert watched.look() == [], "once in ten minutes"
    watched.clock.advance(300)
    assert len(watched.look()) == 1
    assert len(watched.shown()) == 1
    watched.clock.set(NOON + timedelta(hours=3))
    watched.look()
    assert not watched.doubted
    assert [text.split(" (")[0] for text in watched.shown()] == ["this server's clock was set"]


def test_a_clock_that_has_lost_its_time_needs_no_store_to_be_known() -> None:
    assert len(Watched(datetime(2000, 1, 1, tzinfo=UTC)).look()) == 1


@pytest.mark.parametrize(("by", "how"), [(3 * 3600, "3:00:00 behind"), (-90, "0:01:30 ahead")])
def test_a_clock_that_was_set_leaves_the_command_that_mends_it(by: float, how: str) -> None:
    watched = Watched()
    watched.clock.advance(1000)
    assert watched.look() == []
    watched.clock.set(watched.clock.now() + timedelta(seconds=by))
    (line,) = watched.look()
    assert f"it was {how}; " in line["why"]
    wanted = "--since 2026-09-01T12:00:00Z --until 2026-09-01T12:17:40Z"
    assert f"cityos dead-letters replay --clock-was-wrong {wanted}`" in line["why"]
    assert watched.look() == []


def test_a_clock_that_is_held_right_was_not_set(watched: Watched) -> None:
    for _ in range(100):
        watched.clock.set(watched.clock.now() + timedelta(seconds=2))
        assert watched.look() == []


def test_many_devices_refused_for_their_time_put_the_clock_in_doubt(watched: Watched) -> None:
    watched.watch.count([refused(f"g{n}") for n in (1, 2, 3, 1, 2, 3)])
    watched.watch.count([refused("g4", reason="out_of_range"), refused("g5", run="typhoon")])
    assert watched.look() == [], "three are a few, a recorded day's times are its own"
    watched.watch.count([refused("g6")])
    (line,) = watched.look()
    assert (
        "it says 2026-09-01T12:00:00Z; 4 devices in five minutes, of vendor acme;" in line["why"]
    )
    assert line["why"].endswith("the last, g6: time T")
    assert watched.doubted
    assert len(watched.shown()) == 1
    watched.clock.advance(301)
    assert watched.look() == []
    assert not watched.doubted
    assert watched.shown() == []
