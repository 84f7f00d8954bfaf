from __future__ import annotations

import json

from cityos.runtime.trouble import Trouble
from cityos.testing.builders import NOON
from cityos.testing.clock import ChosenClock


def line(level: str, event: str, **rest: str) -> bytes:
    return json.dumps({"level": level, "event": event, **rest}).encode()


def test_warnings_and_errors_are_told_once_with_their_reason() -> None:
    said: list[str] = []
    clock = ChosenClock(NOON)
    trouble = Trouble(said.append, clock)
    for _ in range(3):
        trouble.hear("feeds", line("warning", "the source cannot be reached", reason="no route"))
    trouble.hear("api", line("error", "first line\nsecond line"))
    trouble.hear("api", line("info", "all is well"))
    assert said == ["feeds: the source cannot be reached (no route)", "api: first line"]


def test_what_the_city_does_without_is_a_note() -> None:
    said: list[str] = []
    trouble = Trouble(said.append, ChosenClock(NOON))
    away = line(
        "warning",
        "the source cannot be reached",
        reason="no route",
        meanwhile="the city runs without it",
    )
    for _ in range(3):
        trouble.hear("feeds", away)
    assert said == ["note: the city runs without it (no route)"]


def test_what_goes_on_is_told_again_after_a_while() -> None:
    said: list[str] = []
    clock = ChosenClock(NOON)
    trouble = Trouble(said.append, clock)
    trouble.hear("feeds", line("warning", "away"))
    clock.advance(11 * 60)
    trouble.hear("feeds", line("warning", "away"))
    assert len(said) == 2


def test_lines_that_are_no_events_and_endless_ones_do_no_harm() -> None:
    said: list[str] = []
    trouble = Trouble(said.append, ChosenClock(NOON))
    for bad in (
        b"",
        b"\xff",
        b'"level": "error"',
        b'["level": "error"]',
        line("error", "x" * 5000),
    ):
        trouble.hear("api", bad)
    for number in range(1000):
        trouble.hear("api", line("error", f"event {number}"))
    assert len(said) == 1001
    assert max(len(text) for text in said) <= 301
    assert len(trouble._said) == 200
