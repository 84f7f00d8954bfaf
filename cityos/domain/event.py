"""What happened in the city, as services hear of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from cityos.domain.alert import Alert
from cityos.domain.observation import Reading
from cityos.domain.occasion import Occasion


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationStored:
    """A reading is in the store for the first time."""

    id: int
    occasion: Occasion
    at: datetime
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertReceived:
    """Another authority's alert is in the store for the first time."""

    id: int
    occasion: Occasion
    at: datetime
    alert: Alert


Event: TypeAlias = ObservationStored | AlertReceived
