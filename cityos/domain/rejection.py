"""Why a reading was refused: the closed list behind dead letters, feedback and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Codes are part of the public interface: a vendor's software may branch on them."""

    UNDECODABLE = "undecodable"
    TOO_LARGE = "too_large"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_DEVICE = "unknown_device"
    UNKNOWN_ENTITY = "unknown_entity"
    UNKNOWN_PROPERTY = "unknown_property"
    UNKNOWN_UNIT = "unknown_unit"
    UNIT_NOT_CONVERTIBLE = "unit_not_convertible"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    IMPLAUSIBLE_TIME = "implausible_time"
    RESERVED_NAME = "reserved_name"
    TOO_MANY_SERIES = "too_many_series"
    NO_OBSERVATION = "no_observation"
    ADAPTER_FAILED = "adapter_failed"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One reason for one message: what, where (``path``), and how to fix it (``hint``)."""

    reason: Reason
    detail: str
    path: str = "$"
    hint: str = ""
