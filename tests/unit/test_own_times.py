"""A dated payload says the same whenever it is received: what it said when it came."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityos.domain.observation import Observation
from cityos.errors import UndecodablePayload
from cityos.plugins.discovery import discover
from cityos.rehearsal.own_times import dated
from cityos.testing import builders as b

DECODERS = discover([Path(__file__).parents[2] / "adapters"], entry_points=False).decoders
CAME_AT = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC)
LATER = CAME_AT + timedelta(days=40, microseconds=77)


def read(adapter: str, payload: bytes, received_at: datetime) -> list[Observation]:
    """What ingest makes of it: without a time of its own a reading has that of receipt."""
    receipt = b.receipt(received_at=received_at)
    return [
        said._replace(observed_at=said.observed_at or received_at)
        for said in DECODERS[adapter][1].decode(payload, receipt)
    ]


def check(adapter: str, payload: bytes) -> None:
    now = dated(adapter, payload, CAME_AT)
    assert read(adapter, now, LATER) == read(adapter, payload, CAME_AT)
    assert dated(adapter, now, LATER) == now


datasets = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
own_times = st.none() | st.just("2026-11-21T00:00:00.5+09:00") | st.just("2026-11-22T00:00:00Z")
readings = st.fixed_dictionaries(
    {"property": st.just("water_level"), "value": st.floats(0, 9)},
    optional={"time": own_times, "dataset": datasets},
)
seconds = (
    st.just(0)
    | st.integers(-100_000, 100_000)
    | st.floats(-1e6, 1e6)
    | st.just(1.7e9)
    | st.floats(1.6e9, 1.8e9)
)
records = st.fixed_dictionaries(
    {"n": st.just("water_level"), "v": st.floats(0, 9)},
    optional={"t": seconds, "bt": seconds, "bu": st.just("m")},
)
packs = st.lists(records | st.fixed_dictionaries({"bt": seconds}), min_size=1, max_size=8)
CBOR = {"bt": -3, "bu": -4, "n": 0, "v": 2, "t": 6}


@given(readings | st.lists(readings, min_size=1, max_size=5))
def test_readings_of_our_own_convention(said: Any) -> None:
    check("cityos_json", json.dumps(said).encode())


@given(packs)
def test_packs_of_senml(pack: list[dict[str, Any]]) -> None:
    check("senml", json.dumps(pack).encode())


@given(packs, st.booleans())
def test_packs_of_senml_in_cbor(pack: list[dict[str, Any]], as_numbers: bool) -> None:
    labelled = [{CBOR[k] if as_numbers else k: v for k, v in record.items()} for record in pack]
    check("senml", cbor2.dumps(labelled))


@pytest.mark.parametrize(
    ("adapter", "payload"),
    [
        (
            "cityos_json",
            b'[ {"property":"water_level","value":1.50,"time":"2026-11-22T00:00:00Z"}]',
        ),
        ("senml", b'[ {"bt":1.7e9,"n":"water_level","v":1.50},{"n":"water_level","v":2,"t":-60}]'),
        ("senml", cbor2.dumps([{-3: 1_700_000_000, 0: "water_level", 2: 1.5}])),
        ("jma_xml", b"<Report/>"),
        ("acme", b'{"value": 1}'),
    ],
)
def test_what_has_a_time_or_another_format_stays_byte_for_byte(
    adapter: str, payload: bytes
) -> None:
    assert dated(adapter, payload, CAME_AT) == payload


@pytest.mark.parametrize("adapter", ["cityos_json", "senml"])
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[1]",
        b'"x"',
        b"\xff\xfe",
        b'[{"t": "now", "v": 1}]',
        b'[{"bt": null}]',
        b'[{"t": -1e300}]',
        cbor2.dumps([{6: True}]),
        cbor2.dumps([{6: float("nan")}]),
        cbor2.dumps({6: 1}),
        cbor2.dumps([{2: datetime(2026, 1, 1, tzinfo=UTC)}, 5]),
        b"\x81" * 100,
    ],
)
def test_what_was_refused_is_refused_again(adapter: str, payload: bytes) -> None:
    with pytest.raises(UndecodablePayload):
        read(adapter, payload, CAME_AT)
    with pytest.raises(UndecodablePayload):
        read(adapter, dated(adapter, payload, CAME_AT), LATER)


@given(st.sampled_from(["cityos_json", "senml"]), st.binary(max_size=60))
def test_nothing_is_raised_for_what_a_device_wrote(adapter: str, payload: bytes) -> None:
    assert isinstance(dated(adapter, payload, CAME_AT), bytes)
