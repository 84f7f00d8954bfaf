from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityos.domain.observation import Observation, Position, Value
from cityos.domain.observed_property import PROPERTIES, ValueKind
from cityos.domain.unit import UNITS, convert
from cityos.errors import Rejected
from cityos.ingest.checks import checked_value

LEVEL = PROPERTIES["water_level"]


def check(value: Value, unit: str | None = None, name: str = "water_level") -> Value:
    return checked_value(Observation(name, value, unit), PROPERTIES[name])


def test_a_value_comes_out_in_the_unit_of_its_property() -> None:
    assert check(150.0, "cm") == pytest.approx(1.5)
    assert check(3, None) == 3.0
    assert check(68.0, "[degF]", "air_temperature") == pytest.approx(20.0)
    assert check(0.5, "1", "relative_humidity") == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("value", "unit", "name", "reason", "says"),
    [
        (True, None, "water_level", "wrong_type", "a boolean"),
        ("1.2", None, "water_level", "wrong_type", "a text"),
        ([1.2], None, "water_level", "wrong_type", "an array"),
        (math.nan, None, "water_level", "not_finite", "finite"),
        (math.inf, None, "water_level", "not_finite", "finite"),
        pytest.param(10**5000, None, "water_level", "not_finite", "finite", id="5,000 digits"),
        (1e6, None, "water_level", "out_of_range", "-20 to 100 m"),
        (1.0, "Cel", "water_level", "unit_not_convertible", "temperature"),
        (1.0, "furlong", "water_level", "unknown_unit", "'furlong'"),
        (1.0, None, "position", "wrong_type", "position"),
        (Position(200.0, 0.0), None, "position", "out_of_range", "not on Earth"),
        (Position(math.nan, 0.0), None, "position", "out_of_range", "not on Earth"),
        ("x\x00y", None, "status_text", "out_of_range", "NUL"),
        ("x" * 10_001, None, "status_text", "out_of_range", "10000"),
        (1.0, None, "open", "wrong_type", "boolean"),
    ],
)
def test_a_refusal_says_what_is_wrong(
    value: Value, unit: str | None, name: str, reason: str, says: str
) -> None:
    with pytest.raises(Rejected) as refused:
        check(value, unit, name)
    assert refused.value.reason == reason
    assert says in refused.value.detail


@given(st.sampled_from(sorted(UNITS)), st.floats(-1e9, 1e9))
def test_converting_there_and_back_changes_nothing(code: str, value: float) -> None:
    for other in UNITS.values():
        if other.dimension == UNITS[code].dimension:
            back = convert(convert(value, code, other.code), other.code, code)
            assert back == pytest.approx(value, rel=1e-9, abs=1e-6)


def test_every_property_has_a_unit_of_the_table_and_a_range() -> None:
    for prop in PROPERTIES.values():
        assert prop.unit in UNITS
        assert prop.label_en
        assert prop.label_ja
        if prop.kind is ValueKind.NUMBER:
            assert prop.minimum < prop.maximum
