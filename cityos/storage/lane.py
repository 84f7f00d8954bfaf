"""A city on an occasion: the columns that every chain of events, proposals and alerts shares."""

from __future__ import annotations

from typing import NamedTuple

from cityos.domain.alert import ActualAlert, Alert, ExerciseAlert
from cityos.domain.occasion import Occasion, occasion_of
from cityos.storage.documents import decode


class Lane(NamedTuple):
    """Nothing ever crosses from one lane to another: no event, no proposal, no alert."""

    tenant: str
    status: str
    run: str

    @classmethod
    def of(cls, tenant: str, occasion: Occasion) -> Lane:
        return cls(tenant, occasion.status, occasion.run)

    @property
    def occasion(self) -> Occasion:
        return occasion_of(self.status, self.run)


def alert_of(status: str, document: str) -> Alert:
    """Return the stored alert; its column, not its text, says whether it is an Actual."""
    if status == "Actual":
        return decode(document, ActualAlert)
    return decode(document, ExerciseAlert)
