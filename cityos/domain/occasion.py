"""Is this real? ``Actual`` and ``Exercise`` are types, so that a rehearsal cannot become an order.

Everything that enters the city does so on an occasion, and everything that follows from it
(series, events, proposals, alerts) inherits that occasion. There is no function that turns an
exercise into an actual; the other direction is ``Exercise(run)`` stamped at the entrance.
CAP 1.2, section 3.2.1, ``status``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cityos.errors import InvalidRequest

RESERVED: Final = "urn:cityos:"
PRACTICE_RUN: Final = "practice"
"""Datasets of this kind are given by the engine alone: one of them means an exercise."""
_RUN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Actual:
    """It happens now, for real."""

    @property
    def status(self) -> Literal["Actual"]:
        return "Actual"

    @property
    def run(self) -> str:
        return ""

    @property
    def dataset(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Exercise:
    """A rehearsal. ``run`` names it, so that two rehearsals never mix.

    Raises:
        InvalidRequest: ``run`` is not 1-64 characters of ``a-z 0-9 _ -``.
    """

    run: str

    def __post_init__(self) -> None:
        if not _RUN.fullmatch(self.run):
            message = f"exercise name {self.run!r} must be 1-64 characters of a-z, 0-9, _ or -"
            raise InvalidRequest(message, parameter="run")

    @property
    def status(self) -> Literal["Exercise"]:
        return "Exercise"

    @property
    def dataset(self) -> str:
        """The series of an exercise live apart from those of reality (NGSI-LD ``datasetId``)."""
        return f"{RESERVED}exercise:{self.run}"


Occasion: TypeAlias = Actual | Exercise


def occasion_of(status: str, run: str) -> Occasion:
    """Rebuild the occasion from its stored columns."""
    return Actual() if status == "Actual" else Exercise(run)
