"""From a SenML name to a property and a thing: settings, then the name, then the unit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.senml.decoder import SenML
from adapters.senml.units import SUMS, UCUM
from cityos.domain.observation import Observation
from cityos.domain.observed_property import PROPERTIES
from cityos.domain.unit import UNITS, convert
from cityos.errors import UndecodablePayload
from cityos.testing import builders as b


def decode(*records: dict[str, Any], **settings: object) -> list[Observation]:
    return list(SenML().decode(json.dumps(records).encode(), b.receipt(settings=settings)))


def property_of(name: str, unit: str = "", **record: object) -> str:
    (observation,) = decode({"bn": "gw:", "n": name, "u": unit or "m", "v": 1, **record})
    return observation.observed_property


@pytest.mark.parametrize("name", sorted(PROPERTIES))
def test_every_property_is_known_by_its_own_name(name: str) -> None:
    (observation,) = decode({"n": name, "v": 1})
    assert observation.observed_property == name
    assert observation.entity is None


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("temp", "Cel", "air_temperature"),
        ("Temperature", "K", "air_temperature"),
        ("wind-speed", "m/s", "wind_speed"),
        ("PM2.5", "ug/m3", "pm2_5"),
        ("sensors/1/humidity", "%RH", "relative_humidity"),
        ("whatever", "%RH", "relative_humidity"),
        ("bat", "%EL", "battery_level"),
    ],
)
def test_short_forms_and_units_of_one_meaning(name: str, unit: str, expected: str) -> None:
    assert property_of(name, unit) == expected


def test_a_name_of_its_own_is_not_overruled_by_a_likely_unit() -> None:
    """A road's temperature in Cel is not the air's: the record's name says that it is another."""
    with pytest.raises(UndecodablePayload, match="'gw:road' is not known"):
        property_of("road", "Cel")


def test_without_a_name_of_its_own_the_unit_decides() -> None:
    (observation,) = decode({"bn": "urn:dev:ow:10e2073a01080063", "u": "Cel", "v": 21})
    assert observation.observed_property == "air_temperature"
    assert observation.entity == "urn:dev:ow:10e2073a01080063"


@pytest.mark.parametrize(
    ("record", "entity"),
    [
        ({"n": "water_level"}, None),
        ({"bn": "gauge-7:", "n": "water_level"}, "gauge-7"),
        ({"bn": "gauge-7/", "n": "water_level"}, "gauge-7"),
        ({"bn": "2001:db8::2/", "n": "a/water_level"}, "2001:db8::2/a"),
        ({"n": "gauge-7:water_level"}, "gauge-7"),
    ],
)
def test_what_stands_before_the_last_segment_is_the_thing(
    record: dict[str, Any], entity: str | None
) -> None:
    (observation,) = decode({**record, "v": 1})
    assert (observation.observed_property, observation.entity) == ("water_level", entity)
    (own,) = decode({**record, "v": 1}, one_entity=True)
    assert own.entity is None


def test_the_full_name_counts_before_the_last_segment_and_both_before_the_defaults() -> None:
    names = {"temp": "status_text", "gw:temp": {"property": "air_temperature", "entity": "roof"}}
    records = ({"bn": "gw:", "n": "temp", "v": 1}, {"bn": "x:", "n": "temp", "vs": "warm"})
    first, second = decode(*records, names=names)
    assert (first.observed_property, first.entity) == ("air_temperature", "roof")
    assert (second.observed_property, second.entity) == ("status_text", "x")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"one_entity": "yes"}, "Expected `bool`"),
        ({"nmaes": {}}, "unknown field `nmaes`"),
        ({"names": {"a": {"prop": "open"}}}, "unknown field `prop`"),
        ({"names": {"a": {"property": "open", "sum": "energy"}}}, "'energy' is no observed"),
        ({"names": ["a"]}, "Expected `object`"),
    ],
)
def test_wrong_settings_are_the_operators_to_mend(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UndecodablePayload, match="settings for senml are wrong") as caught:
        decode({"n": "open", "v": 1}, **settings)
    assert says in caught.value.detail


# RFC 8798, table 2: one of the secondary unit in the primary one, for units that we convert.
SECONDARY = {
    ("min", "s"): 60,
    ("h", "s"): 3600,
    ("kW", "W"): 1000,
    ("Wh", "J"): 3600,
    ("kWh", "J"): 3_600_000,
    ("mV", "V"): 1 / 1000,
    ("mA", "A"): 1 / 1000,
    ("hPa", "Pa"): 100,
    ("mm", "m"): 1 / 1000,
    ("cm", "m"): 1 / 100,
    ("km", "m"): 1000,
    ("km/h", "m/s"): 1 / 3.6,
    ("/100", "/"): 1 / 100,
}


@pytest.mark.parametrize(("secondary", "primary"), SECONDARY)
def test_ucum_codes_convert_as_the_registry_says(secondary: str, primary: str) -> None:
    scale = SECONDARY[secondary, primary]
    assert convert(1.0, UCUM[secondary], UCUM[primary]) == pytest.approx(scale, rel=1e-12)


def test_units_of_our_own_properties_can_be_sent_in_senml() -> None:
    """As the property's unit or one that converts; JMA's intensity has no unit anywhere else."""
    dimensions = {UNITS[code].dimension for code in UCUM.values() if code in UNITS}
    missing = {
        prop.unit for prop in PROPERTIES.values() if UNITS[prop.unit].dimension not in dimensions
    }
    assert missing == {"[JMA_intensity]"}


def test_sums_are_energy() -> None:
    for unit, factor in SUMS.values():
        assert UNITS[unit].dimension == "energy"
        assert factor in (1.0, 1000.0)
