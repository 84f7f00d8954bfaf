"""The loops of dispatch: waiting, outages, and ending together."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from cityos.dispatch import loop
from cityos.dispatch.loop import delay_s, run_steadily, run_together
from cityos.errors import Unavailable


@given(attempts=st.integers(0, 10_000), first_s=st.floats(0.01, 10), most_s=st.floats(10, 600))
def test_a_delay_doubles_up_to_its_limit_and_is_jittered(
    attempts: int, first_s: float, most_s: float
) -> None:
    whole = min(most_s, first_s * 2 ** min(attempts, 30))
    assert whole / 2 <= delay_s(attempts, first_s, most_s) <= whole


def test_delays_are_not_all_the_same() -> None:
    assert len({delay_s(3, 1.0, 60.0) for _ in range(20)}) > 1


def _script(answers: Iterator[bool | Exception], stop: threading.Event) -> loop.Callable[[], bool]:
    def step() -> bool:
        answer = next(answers, None)
        if answer is None:
            stop.set()
            return False
        if isinstance(answer, Exception):
            raise answer
        return answer

    return step


def test_it_waits_only_when_nothing_is_left() -> None:
    stop, waits = threading.Event(), []
    step = _script(iter([True, True, False, True]), stop)
    run_steadily("test", step, waits.append, stop)
    assert waits == [loop.LOOK_AGAIN_S] * 2


def test_an_outage_is_logged_when_it_begins_and_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "_OUTAGE_FIRST_S", 0.001)
    away = Unavailable("the database does not answer")
    stop = threading.Event()
    step = _script(iter([away, away, away, True, away, True]), stop)
    with capture_logs() as logs:
        run_steadily("test", step, lambda _timeout_s: None, stop)
    assert [(entry["log_level"], entry.get("reason", "")) for entry in logs] == [
        ("warning", str(away)),
        ("info", ""),
    ] * 2


def test_an_outage_while_waiting_is_an_outage_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_OUTAGE_FIRST_S", 0.001)
    stop = threading.Event()
    waits = iter([Unavailable("away")])

    def wait(_timeout_s: float) -> None:
        raise next(waits)

    run_steadily("test", _script(iter([False]), stop), _until_used_up(wait), stop)
    assert stop.is_set()


def _until_used_up(wait: loop.Callable[[float], None]) -> loop.Callable[[float], None]:
    def guarded(timeout_s: float) -> None:
        try:
            wait(timeout_s)
        except StopIteration:
            return

    return guarded


def test_a_fault_of_ours_is_not_an_outage() -> None:
    def step() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_steadily("test", step, lambda _timeout_s: None, threading.Event())


def test_loops_end_when_they_are_told_to() -> None:
    stop, ended = threading.Event(), []

    def patient(stop: threading.Event) -> None:
        stop.wait(10)
        ended.append(threading.current_thread().name)

    timer = threading.Timer(0.05, stop.set)
    timer.start()
    run_together({"one": patient, "two": patient}, stop)
    assert sorted(ended) == ["one", "two"]
    timer.join()


def test_one_that_breaks_ends_them_all_and_is_heard() -> None:
    stop = threading.Event()

    def broken(_stop: threading.Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_together({"patient": lambda stop: stop.wait(10), "broken": broken}, stop)
    assert stop.is_set()
