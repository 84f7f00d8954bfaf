"""Says once that something is away, and once that it is back."""

from __future__ import annotations

import structlog

from cityos.ports import Clock

_log = structlog.get_logger("feeds")


class SourceWatch:
    """One source, or the broker. Parts of it fail and recover one by one; it is away while any is.

    ``name`` begins both lines: "the source cannot be reached", "the source is back". What is in
    ``context`` is in both; ``meanwhile`` there tells a person how the city does without it. Where
    being away is ``usual`` for a while, nobody is warned of it.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        away: str = "cannot be reached",
        back: str = "is back",
        usual: bool = False,
        **context: str,
    ) -> None:
        self._name = name
        self._clock = clock
        self._away, self._back = away, back
        self._tell = _log.info if usual else _log.warning
        self._context = context
        self._failing: set[str] = set()
        self._away_since_s = 0.0

    @property
    def is_away(self) -> bool:
        return bool(self._failing)

    def failed(self, part: str, reason: str) -> None:
        if not self._failing:
            self._away_since_s = self._clock.monotonic_s()
            self._tell(f"{self._name} {self._away}", **self._context, part=part, reason=reason)
        self._failing.add(part)

    def works(self, part: str) -> float:
        """Return for how many seconds it was away if this brings it back, else 0."""
        if part not in self._failing:
            return 0.0
        self._failing.discard(part)
        if self._failing:
            return 0.0
        away_s = self._clock.monotonic_s() - self._away_since_s
        _log.info(f"{self._name} {self._back}", **self._context, away_s=round(away_s))
        return away_s

    def forget(self, part: str) -> None:
        """The part is gone for good: nothing is said of it any more."""
        self._failing.discard(part)
