"""Which observed property, of which thing, a SenML name stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from adapters.senml.resolve import Resolved
from cityos.domain.observed_property import PROPERTIES
from cityos.errors import UndecodablePayload

_SEPARATORS: Final = re.compile(r"[:/]")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a name stands for, as a device's settings say it.

    ``entity`` is a name of the device's registration (None: by the name, see ``Settings``),
    ``sum`` the property that the record's sum is of (empty: the sum is left out).
    """

    property: str = ""
    entity: str | None = None
    dataset: str = ""
    sum: str = ""
    ignore: bool = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device's settings for this adapter.

    ``names`` maps a full name, or the last segment of one, to a property or a rule.
    ``one_entity`` says that all names are of the device's own entity; else what stands before the
    last segment is the thing's name, and has to be registered for the device.
    """

    names: dict[str, str | Rule] = {}
    one_entity: bool = False


DEFAULTS: Final = Settings()

_ALIASES: Final = {
    "temperature": "air_temperature",
    "temp": "air_temperature",
    "humidity": "relative_humidity",
    "hum": "relative_humidity",
    "pressure": "atmospheric_pressure",
    "waterlevel": "water_level",
    "rain_rate": "rainfall_rate",
    "windspeed": "wind_speed",
    "winddirection": "wind_direction",
    "light": "illuminance",
    "noise": "sound_level",
    "pm25": "pm2_5",
    "power": "active_power",
    "location": "position",
    "lat": "position",
    "lon": "position",
}

_SURE_UNITS: Final = {
    # the registry gives these one meaning
    "%RH": "relative_humidity",
    "%EL": "battery_level",
    "lat": "position",
    "lon": "position",
}
_LIKELY_UNITS: Final = {
    # only for a record without a name of its own, which says nothing to the contrary
    **_SURE_UNITS,
    "Cel": "air_temperature",
    "K": "air_temperature",
    "lx": "illuminance",
    "Pa": "atmospheric_pressure",
    "hPa": "atmospheric_pressure",
    "W": "active_power",
    "V": "voltage",
    "A": "current",
}


def settings_of(settings: Mapping[str, Any]) -> Settings:
    """Return a device's settings.

    Raises:
        UndecodablePayload: they are not of the form that this adapter knows.
    """
    if not settings:
        return DEFAULTS
    try:
        read = msgspec.convert(dict(settings), Settings)
        for name, said in read.names.items():
            rule = said if isinstance(said, Rule) else Rule(property=said)
            for wanted in (rule.property, rule.sum):
                if wanted and wanted not in PROPERTIES:
                    message = f"names.{name}: {wanted!r} is no observed property"
                    raise msgspec.ValidationError(message)  # noqa: TRY301 - one way to say so
    except msgspec.ValidationError as error:
        raise UndecodablePayload(
            f"the device's settings for senml are wrong: {error}",
            hint="this is the operator's to mend; adapters/senml/README.md has the form",
        ) from error
    return read


def rule_of(record: Resolved, settings: Settings) -> Rule:
    """Return what the record's name stands for, ``entity`` and ``property`` filled in.

    The full name counts before the last segment, the settings before the defaults, and the name
    before the unit.

    Raises:
        UndecodablePayload: neither settings nor defaults know it.
    """
    thing, segment = _split(record)
    said = settings.names.get(record.name, settings.names.get(segment) if segment else None)
    rule = said if isinstance(said, Rule) else Rule(property=said or "")
    if rule.ignore:
        return rule
    entity = rule.entity if rule.entity is not None or settings.one_entity else thing
    name = rule.property or _default(record, segment)
    if not name and not (rule.sum and record.value is None):
        raise UndecodablePayload(
            f"{record.name[:80]!r} is not known to be an observed property",
            path=f"$[{record.place}].{'n' if record.own else 'bn'}",
            hint="name it after a property of GET /v1/observed-properties, or have it mapped (or "
            "ignored) in the device's settings: names",
        )
    return msgspec.structs.replace(rule, property=name, entity=entity)


def _split(record: Resolved) -> tuple[str | None, str]:
    """Return the thing (None: the device's own entity) and the segment that names the property.

    A record without a name of its own is all thing: ``urn:dev:ow:10e2073a01080063`` has no
    segment that could name a property.
    """
    if not record.own:
        return record.name.rstrip(":/") or None, ""
    segment = _SEPARATORS.split(record.own)[-1]
    thing = record.name[: len(record.name) - len(segment)].rstrip(":/")
    return thing or None, segment


def _default(record: Resolved, segment: str) -> str:
    word = segment.lower().replace("-", "_").replace(".", "_")
    if word in PROPERTIES:
        return word
    units = _SURE_UNITS if segment else _LIKELY_UNITS
    return _ALIASES.get(word) or units.get(record.unit or "", "")
