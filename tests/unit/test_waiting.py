from __future__ import annotations

import time

import pytest

from cityos.runtime.waiting import CalledOff, Waiting, unfailing


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SystemExit(1)])
def test_what_cannot_be_said_is_lost(error: BaseException) -> None:
    said: list[str] = []

    def say(news: str) -> None:
        if not said:
            said.append(news)
            raise error
        said.append(news)

    quiet = unfailing(say)
    quiet("first")
    quiet("second")
    assert said == ["first", "second"]


def test_waiting_ends_when_it_is_called_off() -> None:
    waiting = Waiting()
    waiting.pause(0)
    waiting.called_off.set()
    begun = time.monotonic()
    with pytest.raises(CalledOff, match="asked to stop while a server was starting"):
        waiting.pause(60)
    assert time.monotonic() - begun < 1
