"""The examples of RFC 8428, resolved by the authors of the RFC, against ours (section 4.6)."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.senml import pack
from adapters.senml.decoder import SenML
from adapters.senml.resolve import Resolved, resolve
from cityos.domain.observation import Position
from cityos.testing import builders as b

EXAMPLES = Path(__file__).parents[3].parent / "shared/data/sensors/senml"
RESOLVED = sorted(path.name.partition(".")[0] for path in EXAMPLES.glob("*.gen.resolved.json"))
BINARY = sorted(path.name for path in EXAMPLES.glob("*.gen.cbor"))
LAST = "gen.resolved.json"

needs_examples = pytest.mark.skipif(
    not RESOLVED, reason="the SenML examples of ../shared/data are not here"
)


@needs_examples
@pytest.mark.parametrize("name", RESOLVED)
def test_json_resolves_to_what_the_authors_resolved(name: str) -> None:
    theirs = json.loads((EXAMPLES / f"{name}.{LAST}").read_bytes())
    # Examples without a time were resolved when the RFC's text was built: that was their now.
    now = datetime.fromtimestamp(theirs[0]["t"], UTC)
    records = resolve(pack.read((EXAMPLES / f"{name}.json").read_bytes(), ""), now)
    ours = [_as_rfc(record, now) for record in records if not record.is_data]
    assert ours == [_in_microseconds(record) for record in theirs]


@needs_examples
@pytest.mark.parametrize("name", BINARY)
def test_cbor_says_the_same_as_json(name: str) -> None:
    json_form = (EXAMPLES / f"{name.partition('.')[0]}.json").read_bytes()
    from_cbor = pack.read((EXAMPLES / name).read_bytes(), "application/senml+cbor")
    assert from_cbor == pack.read(json_form, "application/senml+json")
    assert resolve(pack.read((EXAMPLES / name).read_bytes(), ""), b.NOON) == resolve(
        pack.read(json_form, ""), b.NOON
    )


@needs_examples
def test_example_13_a_light_that_goes_off_a_tenth_of_a_second_later() -> None:
    """Section 5.1.7: t is added to bt; there is no resolved form of this example."""
    records = resolve(pack.read((EXAMPLES / "ex13.json").read_bytes(), ""), b.NOON)
    start = datetime.fromtimestamp(1320078429, UTC)
    assert [(r.name, r.unit, r.value) for r in records] == [
        ("2001:db8::3", "/", 0.5),
        ("2001:db8::4", "/", 0.5),
        ("2001:db8::3", "/", 0.0),
        ("2001:db8::4", "/", 0.0),
    ]
    assert [r.at and (r.at - start).total_seconds() for r in records] == [0, 0, 0.1, 0.1]


@needs_examples
def test_example_5_becomes_positions_and_humidity_of_the_named_thing() -> None:
    """Section 5.1.3: position in records of its own, tied to the others by its time."""
    observations = SenML().decode((EXAMPLES / "ex5.gen.cbor").read_bytes(), b.receipt())
    assert [(o.observed_property, o.unit) for o in observations] == [
        ("relative_humidity", "%"),
        ("position", None),
        ("relative_humidity", "%"),
        ("position", None),
        ("relative_humidity", "%"),
        ("position", None),
        ("battery_level", "%"),
        ("relative_humidity", "%"),
        ("position", None),
    ]
    assert {o.entity for o in observations} == {"urn:dev:ow:10e2073a01080063"}
    assert observations[1].value == Position(24.30621, 60.07965)
    assert observations[1].observed_at == datetime(2011, 10, 31, 13, 24, 24, tzinfo=UTC)


def _as_rfc(record: Resolved, now: datetime) -> dict[str, Any]:
    label = {str: "vs", bool: "vb"}.get(type(record.value), "v")
    said = {"n": record.name, "t": (record.at or now).timestamp(), label: record.value}
    return _in_microseconds(said if record.unit is None else {**said, "u": record.unit})


def _in_microseconds(record: dict[str, Any]) -> dict[str, Any]:
    """Times to the microsecond, which is what we keep; without links, which the RFC dropped."""
    kept = {key: value for key, value in record.items() if key != "l"}
    return {**kept, "t": round(kept["t"] * 1e6)}
