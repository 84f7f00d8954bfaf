"""Our own JSON convention: what a device sends that can choose its payload.

This is the hot path of ingest. Checks that nearly every message passes cost one comparison;
whatever fails one is looked at again, at leisure, to say what is wrong and where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from adapters.cityos_json import payload as wire
from adapters.cityos_json.refusal import no_such_time, refusal, refuse_nul
from cityos.domain.observation import Observation, Position, Value
from cityos.plugins.contract import Receipt, decoder

_decode: Final = msgspec.json.Decoder(wire.Payload).decode
_tuple: Final = tuple.__new__
_BACKSLASH: Final = 0x5C
"""An escape: the only way for a NUL into a JSON text."""


@decoder
@dataclass(frozen=True, slots=True)
class CityOSJSON:
    """One reading, or an array of up to 1,000. The schema is ``payload_schema()``."""

    def decode(self, payload: bytes, receipt: Receipt) -> Sequence[Observation]:  # noqa: ARG002
        """Return the readings in the order of the payload.

        Whether a value fits its property, a unit converts and a time is plausible is the same
        question for every adapter: ingest answers it, for each reading by itself.

        Raises:
            UndecodablePayload: not JSON, or not of the schema; nothing of it is read.
        """
        try:
            message = _decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise refusal(error, payload) from error
        if _BACKSLASH in payload:
            refuse_nul(message)
        if type(message) is wire.Reading:
            return (_observation(message, ""),)
        return [_observation(reading, index) for index, reading in enumerate(message)]

    @staticmethod
    def payload_schema() -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of a payload, for the published description."""
        return wire.schema()


def _observation(reading: wire.Reading, index: int | str) -> Observation:
    value, observed_at = reading.value, reading.observed_at
    if observed_at is not None and observed_at.tzinfo is not UTC:
        observed_at = _utc(observed_at, index)
    # what the named tuple's own constructor does, without the call that leads there
    return _tuple(
        Observation,
        (
            reading.observed_property,
            value if type(value) is float else _other(value),
            reading.unit,
            observed_at,
            reading.entity,
            reading.dataset,
        ),
    )


def _other(value: float | str | bool | wire.PositionValue) -> Value:  # noqa: FBT001
    if isinstance(value, wire.PositionValue):
        return Position(value.longitude, value.latitude)
    return value


def _utc(observed_at: datetime, index: int | str) -> datetime:
    try:
        return observed_at.astimezone(UTC)
    except OverflowError as error:
        raise no_such_time(index) from error
