"""Numbers that tell whether an answer may have changed since it was made.

An answer is made of things: a series, all values of an entity, all values of a city. Whoever
makes one takes the number of the thing *before* reading the store; news of the thing changes the
number; so an answer with the present number holds all that was stored before its news came.
"""

from __future__ import annotations

from itertools import count
from typing import Final, TypeAlias

from cityos.domain.history import SeriesKey

Thing: TypeAlias = tuple[str, ...]
"""``(tenant,)``, ``(tenant, entity)`` or ``(tenant, entity, property, dataset)``."""

_MOST: Final = 200_000
"""Things that numbers are kept of, some 40 MB. Past that all answers are made anew."""


class Stamps:
    """Only things that somebody asked about have a number, so news of the rest costs nothing."""

    def __init__(self) -> None:
        self._next = count(1)
        self._numbers: dict[Thing, int] = {}

    def current(self, thing: Thing) -> int:
        number = self._numbers.get(thing)
        if number is None:
            if len(self._numbers) >= _MOST:
                self._numbers.clear()
            number = self._numbers.setdefault(thing, next(self._next))
        return number

    def change(self, tenant: str, series: SeriesKey) -> None:
        """Note that there is news of a series."""
        entity = series.entity
        for thing in (
            (tenant, entity, series.observed_property, series.dataset),
            (tenant, entity),
            (tenant,),
        ):
            if thing in self._numbers:
                self._numbers[thing] = next(self._next)

    def change_all(self) -> None:
        """Note that anything may have changed."""
        self._numbers.clear()
