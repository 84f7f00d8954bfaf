"""Picks out of the processes' logs what a person at the terminal should hear of, and says it once.

The logs are JSON lines (``cityos.runtime.log_format``); warnings and errors are told, the same
one of the same process at most once in ten minutes. An event that says how the city does
``meanwhile`` is a note: a newcomer without internet has not done anything wrong.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from cityos.ports import Clock

_AGAIN_AFTER_S: Final = 600.0
_MOST_REMEMBERED: Final = 200
_LEVELS: Final = (b'"level": "warning"', b'"level": "error"', b'"level": "critical"')
_WHY: Final = ("reason", "why", "source", "service", "channel")
_LONGEST: Final = 300


class Trouble:
    """Hears the lines of every process's log; ``say`` gets one line of text."""

    def __init__(self, say: Callable[[str], None], clock: Clock) -> None:
        self._say = say
        self._clock = clock
        self._said: OrderedDict[tuple[str, str], float] = OrderedDict()

    def hear(self, name: str, line: bytes) -> None:
        """``line`` is one line of the log of the process ``name``."""
        if not any(level in line for level in _LEVELS):
            return
        try:
            event: dict[str, Any] = json.loads(line)
            what = str(event["event"]).partition("\n")[0]
        except (ValueError, TypeError, KeyError):
            return
        meanwhile = event.get("meanwhile")
        keys = _WHY[:1] if meanwhile else _WHY
        why = ", ".join(str(event[key]) for key in keys if event.get(key))
        now_s = self._clock.monotonic_s()
        said_at_s = self._said.get((name, what))
        if said_at_s is not None and now_s - said_at_s < _AGAIN_AFTER_S:
            return
        self._said[name, what] = now_s
        self._said.move_to_end((name, what))
        if len(self._said) > _MOST_REMEMBERED:
            self._said.popitem(last=False)
        head = f"note: {meanwhile}" if meanwhile else f"{name}: {what}"
        text = f"{head} ({why})" if why else head
        self._say(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
