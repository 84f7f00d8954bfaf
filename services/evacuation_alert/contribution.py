"""What one gauge or one bulletin says of a situation."""

from __future__ import annotations

from dataclasses import dataclass

from cityos.domain.alert_level import AlertLevel
from cityos.domain.proposal import Evidence


@dataclass(frozen=True, slots=True)
class Contribution:
    """``was`` is the level that it called for until it left, lifted or lost it: why all goes down.

    NONE where it did nothing of the kind.
    """

    evidence: Evidence
    was: AlertLevel = AlertLevel.NONE

    @property
    def level(self) -> AlertLevel:
        return self.evidence.level
