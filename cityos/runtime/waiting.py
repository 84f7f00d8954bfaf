"""Waiting for a server to start: who hears that it takes long, and how it is called off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from cityos.errors import SetupFailed


class CalledOff(SetupFailed):
    """The city was asked to stop while a server was starting."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """``say`` gets news for a person; ``called_off`` ends the waiting, from any thread."""

    say: Callable[[str], None] = lambda _news: None
    called_off: threading.Event = field(default_factory=threading.Event)

    def pause(self, time_s: float) -> None:
        """Sleep for a moment between two looks.

        Raises:
            CalledOff: nobody waits for the server any more.
        """
        # not Event.wait: it holds a lock that a signal's handler in the same thread would want
        if self.called_off.is_set():
            raise CalledOff
        time.sleep(time_s)


PATIENT: Final = Waiting()
"""Tells nobody and is never called off."""


def unfailing(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return ``say`` that loses what cannot be said: a full disk must not end the city."""

    def try_to_say(news: str) -> None:
        # rich raises SystemExit where the reader of a pipe has gone, and is silent from then on
        with suppress(OSError, SystemExit):
            say(news)

    return try_to_say
