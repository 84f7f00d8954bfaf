"""The pace of a replay, its name, and what a person is told of it."""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from cityos.domain.occasion import Exercise
from cityos.errors import InvalidRequest
from cityos.rehearsal.outcome import Outcome
from cityos.rehearsal.pacing import Pacer
from cityos.rehearsal.progress import Progress
from cityos.rehearsal.recording import Skipped
from cityos.rehearsal.replay import run_name, speed_of
from cityos.rehearsal.summary import Summary
from cityos.testing.clock import ChosenClock

DAY = datetime(2024, 6, 23, tzinfo=UTC)


class Desk:
    """A clock and the waiting on it; ``stopped`` ends every wait."""

    def __init__(self) -> None:
        self.clock = ChosenClock(datetime(2026, 9, 1, tzinfo=UTC))
        self.stopped = False

    def wait(self, seconds: float) -> bool:
        self.clock.advance(seconds)
        return self.stopped

    def pacer(self, speed: float) -> Pacer:
        return Pacer(self.clock, speed, self.wait)


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 1800.0), (60.0, 30.0), (1000.0, 1.8)])
def test_recorded_time_runs_faster_by_the_speed(speed: float, seconds: float) -> None:
    desk = Desk()
    pacer = desk.pacer(speed)
    for minutes in (0, 10, 10, 20, 30):
        assert pacer.until(DAY + timedelta(minutes=minutes))

    assert desk.clock.monotonic_s() == pytest.approx(seconds)


def test_as_fast_as_possible_waits_for_nothing() -> None:
    desk = Desk()
    pacer = desk.pacer(math.inf)
    for days in (0, 1, 400):
        assert pacer.until(DAY + timedelta(days=days))

    assert desk.clock.monotonic_s() == 0.0


def test_a_year_of_silence_is_not_waited_for() -> None:
    desk = Desk()
    pacer = desk.pacer(60.0)
    pacer.until(DAY)
    pacer.until(DAY + timedelta(days=365))

    assert desk.clock.monotonic_s() == pytest.approx(60.0)
    assert pacer.cut == timedelta(days=365) - timedelta(hours=1)


def test_an_earlier_message_does_not_turn_time_back() -> None:
    desk = Desk()
    pacer = desk.pacer(60.0)
    for minutes in (10, 0, 10, 20):
        pacer.until(DAY + timedelta(minutes=minutes))

    assert desk.clock.monotonic_s() == pytest.approx(10.0)


def test_a_lag_is_not_made_good_by_a_burst() -> None:
    desk = Desk()
    pacer = desk.pacer(60.0)
    pacer.until(DAY)
    desk.clock.advance(100.0)  # the broker held us up
    for minutes in range(1, 11):
        pacer.until(DAY + timedelta(minutes=minutes))

    assert desk.clock.monotonic_s() == pytest.approx(109.0, abs=1.0)


def test_a_stop_ends_the_replay() -> None:
    desk = Desk()
    pacer = desk.pacer(60.0)
    assert pacer.until(DAY)
    desk.stopped = True

    assert not pacer.until(DAY)


@pytest.mark.parametrize(("text", "speed"), [("1", 1.0), ("1000", 1000.0), ("max", math.inf)])
def test_speeds(text: str, speed: float) -> None:
    assert speed_of(text) == speed


@pytest.mark.parametrize("text", ["0", "0.5", "1001", "-1", "fast", "nan", "inf", ""])
def test_no_speeds(text: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 1000"):
        speed_of(text)


@pytest.mark.parametrize(
    "name",
    ["fukui_2024-06-23.csv", "台風.jsonl", ".", "A B.xml", "_x", "x" * 200, "85(82)_02.xml"],
)
def test_a_run_gets_a_name_that_an_exercise_may_have(name: str) -> None:
    run = run_name(Path("recordings") / name, datetime(2026, 9, 1, 12, 30, 5, tzinfo=UTC))

    assert Exercise(run).run == run
    assert run.endswith("-20260901t123005")


def test_a_run_is_named_after_its_file() -> None:
    run = run_name(Path("x/fukui_2024-06-23.csv"), datetime(2026, 9, 1, 12, 30, 5, tzinfo=UTC))

    assert run == "fukui_2024-06-23-20260901t123005"


SLOWER = "a slower --speed leaves time to approve (60: an hour a minute)"


def summary() -> Summary:
    return Summary(
        run="typhoon",
        titles=["river levels of Fukui"],
        published=90,
        first=DAY,
        last=DAY + timedelta(hours=5),
        took_s=12.34,
        silence_cut=timedelta(hours=3),
        stopped=True,
        skipped=Skipped(
            Counter({"no level was measured (*)": 10}),
            {"no level was measured (*)": ["day.csv:7", "day.csv:9"]},
            Counter({"no level was measured (*)": 8}),
        ),
        refused={"Not authorized": 2},
        outcome=Outcome(
            refused=Counter({"undecodable": 3, "unknown_device": 1}), proposals=2, superseded=1
        ),
    )


def test_without_a_terminal_there_are_plain_lines() -> None:
    text = io.StringIO()
    progress = Progress(Console(file=text, width=60))
    with progress.over(100):
        for number in range(1, 91):
            progress.step(number, DAY)
    progress.tell(summary(), ["curl 'http://127.0.0.1:8080/v1/alerts?status=Exercise'"])
    lines = text.getvalue().splitlines()

    assert lines[:2] == [
        "10 of 100 messages, 2024-06-23 09:00 JST",
        "20 of 100 messages, 2024-06-23 09:00 JST",
    ]
    assert lines[9:] == [
        "stopped early: 90 messages published in 12.3 s as exercise typhoon",
        "recorded from 2024-06-23 09:00 to 2024-06-23 14:00 JST",
        "silence left out: 3:00:00",
        "skipped 10: no level was measured (*) (day.csv:7, day.csv:9 and 8 more)",
        "the broker refused 2: Not authorized",
        "refused by the city: 4 (undecodable: 3, unknown_device: 1)",
        "proposals made: 2",
        f"superseded before anybody decided: 1; {SLOWER}",
        "look at it:",
        "  curl 'http://127.0.0.1:8080/v1/alerts?status=Exercise'",
    ]


def test_on_a_terminal_there_is_a_bar() -> None:
    text = io.StringIO()
    progress = Progress(Console(file=text, force_terminal=True, width=100))
    with progress.over(4):
        for number in range(1, 5):
            progress.step(number, DAY)

    assert re.search(r"2024-06-23 09:00 JST.*━.*4/4", text.getvalue())
