"""Sensor Measurement Lists, RFC 8428: what many gateways and LwM2M devices speak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from adapters.senml import pack
from adapters.senml.names import Rule, rule_of, settings_of
from adapters.senml.resolve import Resolved, resolve
from adapters.senml.units import LATITUDE, LONGITUDE, SUMS, UCUM
from cityos.domain.observation import Observation, Position, Value
from cityos.domain.observed_property import PROPERTIES, ValueKind
from cityos.errors import UndecodablePayload
from cityos.plugins.contract import Receipt, decoder

_Point: TypeAlias = tuple[str, str | None, str, datetime | None]
"""Property, entity, dataset and time: what a longitude and its latitude share."""

_DEGREES: Final = (LONGITUDE, LATITUDE)


@decoder
@dataclass(frozen=True, slots=True)
class SenML:
    """A pack in JSON or CBOR. The device's settings may map its names, see README."""

    def decode(self, payload: bytes, receipt: Receipt) -> Sequence[Observation]:
        """Return what the records say, in their order.

        A longitude and a latitude of one thing and time are one position, in the place of the
        second of them. Times relative to now (RFC 8428, 4.5.3) count from the receipt.

        Raises:
            UndecodablePayload: the pack breaks RFC 8428, or a record cannot be mapped; its path
                is the record. Nothing of the pack is read.
        """
        settings = settings_of(receipt.settings)
        observations: list[Observation] = []
        halves: dict[_Point, tuple[Resolved, float]] = {}
        for record in resolve(pack.read(payload, receipt.content_type), receipt.received_at):
            rule = rule_of(record, settings)
            if rule.ignore:
                continue
            if record.unit in _DEGREES:
                position = _position(record, rule, halves)
                if position is not None:
                    observations.append(position)
                continue
            observations += _of_sum(record, rule)
            if record.value is not None and rule.property:
                observations.append(_of_value(record, rule))
        for record, _ in halves.values():
            other = LATITUDE if record.unit == LONGITUDE else LONGITUDE
            raise _refusal(
                record, "u", f"no {other} of the same time", "a position needs both, at one time"
            )
        return observations


def _of_value(record: Resolved, rule: Rule) -> Observation:
    value, unit = record.value, None
    if record.is_data or value is None:
        raise _refusal(
            record,
            "vd",
            "data is no value that an observed property can have",
            "have the name ignored in the device's settings: names",
        )
    if isinstance(value, float):
        if record.unit is not None:
            unit = _ucum(record)
        value = _switch(value, rule.property)
    return _observation(record, rule, value, unit if isinstance(value, float) else None)


def _of_sum(record: Resolved, rule: Rule) -> list[Observation]:
    """The integral over time, if the settings say what it is of; else it is left out.

    A record that has nothing but a sum must be mapped: it would vanish without a word.
    """
    if record.sum is None or not rule.sum:
        if record.sum is not None and record.value is None:
            raise _refusal(
                record,
                "s",
                "it is not known what the sum is of",
                "have it mapped in the device's settings: names, sum",
            )
        return []
    known = SUMS.get(record.unit or "")
    if known is None:
        raise _refusal(
            record,
            "u",
            f"the sum of {record.unit!r} over time is no observed property",
            f"sums of {', '.join(SUMS)} are read",
        )
    unit, factor = known
    of_sum = Rule(property=rule.sum, entity=rule.entity, dataset=rule.dataset)
    return [_observation(record, of_sum, record.sum * factor, unit)]


def _position(
    record: Resolved, rule: Rule, halves: dict[_Point, tuple[Resolved, float]]
) -> Observation | None:
    """Return the position when its second half comes; keep the first half in ``halves``."""
    if not isinstance(record.value, float):
        raise _refusal(record, "v", f"{record.unit} needs a number", "degrees in WGS 84")
    point = (rule.property, rule.entity, rule.dataset, record.at)
    earlier = halves.pop(point, None)
    if earlier is None:
        halves[point] = (record, record.value)
        return None
    first, degrees = earlier
    if first.unit == record.unit:
        raise _refusal(record, "u", f"two {record.unit} of one thing and time", "one of each")
    is_latitude = record.unit == LATITUDE
    longitude, latitude = (degrees, record.value) if is_latitude else (record.value, degrees)
    return _observation(record, rule, Position(longitude, latitude), None)


def _switch(value: float, observed_property: str) -> float | bool:
    """A switch is 0.0 or 1.0 in SenML (registry, note 1), true or false with us."""
    prop = PROPERTIES.get(observed_property)
    if prop is not None and prop.kind is ValueKind.BOOLEAN and value in (0.0, 1.0):
        return value == 1.0
    return value


def _ucum(record: Resolved) -> str:
    unit = UCUM.get(record.unit or "")
    if unit is None:
        shown = str(record.unit)[:40].replace("\0", "�")
        raise _refusal(
            record,
            "u",
            f"{shown!r} is no unit of SenML that has a UCUM code",
            "a unit of the IANA registries of RFC 8428 and RFC 8798, such as m, Cel or %RH",
        )
    return unit


def _observation(record: Resolved, rule: Rule, value: Value, unit: str | None) -> Observation:
    return Observation(rule.property, value, unit, record.at, rule.entity, rule.dataset)


def _refusal(record: Resolved, label: str, detail: str, hint: str) -> UndecodablePayload:
    return UndecodablePayload(detail, path=f"$[{record.place}].{label}", hint=hint)
