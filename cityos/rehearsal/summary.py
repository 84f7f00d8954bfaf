"""What a replay did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cityos.rehearsal.outcome import Outcome
from cityos.rehearsal.recording import Skipped


@dataclass(slots=True)
class Summary:
    """``first`` and ``last`` are recorded times; ``refused`` maps a broker's reason to a count.

    ``silence_cut`` is recorded time in which nothing was said, and which was not waited for.
    ``outcome`` is what the city made of it; None while that is not known.
    """

    run: str
    titles: Sequence[str]
    published: int = 0
    first: datetime | None = None
    last: datetime | None = None
    took_s: float = 0.0
    silence_cut: timedelta = timedelta(0)
    stopped: bool = False
    skipped: Skipped = field(default_factory=Skipped)
    refused: Mapping[str, int] = field(default_factory=dict)
    outcome: Outcome | None = None

    def count(self, time: datetime) -> None:
        """Count a published message of ``time``."""
        self.published += 1
        self.first = time if self.first is None else min(self.first, time)
        self.last = time if self.last is None else max(self.last, time)
