"""What the cases of cityos_json cannot show well: limits, and what a message costs."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.cityos_json.decoder import CityOSJSON
from cityos.domain.observation import Observation, Position, Value
from cityos.errors import UndecodablePayload
from cityos.testing import builders as b

DECODER = CityOSJSON()
READING = {"property": "water_level", "value": 1.5}


def decode(payload: object) -> list[Observation]:
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return list(DECODER.decode(text, b.receipt()))


def refusal(payload: object) -> UndecodablePayload:
    with pytest.raises(UndecodablePayload) as caught:
        decode(payload)
    return caught.value


def test_a_thousand_readings_are_one_message_and_one_more_is_too_many() -> None:
    assert len(decode([READING] * 1000)) == 1000
    error = refusal([READING] * 1001)
    assert (error.path, error.detail) == ("$", "expected an array of length <= 1000")
    assert "1 to 1000 objects" in error.hint


def test_all_is_decoded_or_nothing() -> None:
    """A caller that keeps what came before an error would keep half a message."""
    bad_last = [READING] * 5 + [{**READING, "time": "0001-01-01T00:00:00+09:00"}]
    with pytest.raises(UndecodablePayload):
        DECODER.decode(json.dumps(bad_last).encode(), b.receipt())


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 100_000,
        b'{"property": "water_level", "value": ' + b"[" * 100_000,
        b'{"property": "water_level", "value": ' + b'{"longitude": ' * 100_000,
        b'{"x": ' * 100_000,
        b'{"property": "water_level", "value": ' + b"7" * 5000 + b"}",
        b'{"property": "water_level", "value": -1e' + b"9" * 5000 + b"}",
        b'{"property": "' + b"a" * 200_000 + b'", "value": 1}',
        b'{"' + b"a" * 200_000 + b'": 1}',
    ],
    ids=lambda payload: repr(payload[:50]),
)
def test_a_payload_made_to_hurt_is_refused_in_few_words(payload: bytes) -> None:
    error = refusal(payload)
    assert len(error.path) < 100
    assert len(error.detail) < 200
    assert len(error.hint) < 300


def test_texts_have_limits() -> None:
    assert refusal({**READING, "entity": ""}).path == "$.entity"
    assert refusal({**READING, "entity": "x" * 257}).path == "$.entity"
    assert refusal({**READING, "dataset": "x" * 129}).path == "$.dataset"
    assert refusal([READING, {**READING, "unit": ""}]).path == "$[1].unit"


VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
    st.builds(Position, st.floats(-180, 180), st.floats(-90, 90)),
)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=OFFSETS)  # noqa: DTZ001


@settings(max_examples=150, deadline=None, derandomize=True)
@given(value=VALUES, time=st.none() | TIMES)
def test_every_reading_that_can_be_written_is_read(value: Value, time: datetime | None) -> None:
    plain = (
        {"longitude": value.longitude, "latitude": value.latitude}
        if isinstance(value, Position)
        else value
    )
    reading = {"property": "water_level", "value": plain, "time": time and time.isoformat()}
    (observation,) = decode(reading)
    assert observation.value == value
    assert type(observation.value) is type(value)
    assert observation.observed_at == time
    assert observation.observed_at is None or observation.observed_at.tzinfo is UTC
