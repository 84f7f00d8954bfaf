"""What a city's supervisor says of itself, kept in a log like those of its processes.

Whoever started it hears the same; but a terminal is closed, and a service has none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from cityos.ports import Clock
from cityos.runtime.bounded_log import BoundedLog
from cityos.runtime.service import log_path

SUPERVISOR: Final = "supervisor"


class NewsLog:
    """The supervisor's own log in the state folder ``home``; lost is what a full disk refuses."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._log = BoundedLog(log_path(home, SUPERVISOR))
        self._clock = clock

    def add(self, text: str, *, level: str = "info") -> None:
        now = self._clock.now().isoformat()
        event = {"timestamp": now, "level": level, "event": text}
        self._log.append(json.dumps(event, ensure_ascii=False).encode() + b"\n")
