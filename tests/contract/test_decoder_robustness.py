"""Whatever the bytes: a decoder or feed yields what can be stored, or raises UndecodablePayload.

Random bytes, and payloads of the plugin's own cases with a part cut, doubled, swapped or replaced
by something nasty. What survives the change must still be fit for the store: finite numbers, no
NUL in a text, times in aware UTC.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityos.errors import UndecodablePayload
from cityos.plugins.contract import Receipt
from cityos.plugins.discovery import FoundPlugin, discover
from cityos.plugins.manifest import Kind
from cityos.testing import builders as b
from cityos.testing import case_files
from cityos.testing.cases import cases_of

ROOT = Path(__file__).parents[2]
ADAPTERS = [
    plugin
    for plugin in discover([ROOT / "adapters"], entry_points=False).found.values()
    if plugin.manifest.kind is not Kind.SERVICE
]
LARGEST_SEED = 30_000
NASTY = (
    b"NaN",
    b"1e999",
    b"-1e999",
    b"9" * 5000,
    b"null",
    b"true",
    b'""',
    b"[]",
    b"{}",
    b'"\\u0000"',
    b'"\\ud800"',
    b"\x00",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"<a>" * 100_000,
    b'"12000-01-01T00:00:00Z"',
    b"0001-01-01T00:00:00+09:00",
    b"9999-12-31T23:59:59-09:00",
    b"1970-01-01T00:00:00",
    b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>",
    b"&b;",
    b"\xc2\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00",
)
pytestmark = pytest.mark.parametrize("plugin", ADAPTERS, ids=lambda found: found.manifest.id)

quickly = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow],
)


@quickly
@given(payload=st.binary(max_size=400))
def test_random_bytes(plugin: FoundPlugin, payload: bytes) -> None:
    check(reader(plugin), payload, b.receipt())


@quickly
@given(data=st.data())
def test_damaged_payloads(plugin: FoundPlugin, data: st.DataObject) -> None:
    seed, receipt = data.draw(st.sampled_from(seeds(plugin)))
    check(reader(plugin), data.draw(damaged(seed)), receipt)


@pytest.mark.parametrize("payload", [b"", *NASTY], ids=lambda payload: repr(payload[:12]))
def test_nasty_payloads(plugin: FoundPlugin, payload: bytes) -> None:
    check(reader(plugin), payload, b.receipt())


def check(read: Callable[[bytes, Receipt], Iterable[object]], payload: bytes, to: Receipt) -> None:
    refused: UndecodablePayload | None = None
    results: list[object] = []
    try:
        results = list(read(payload, to))
    except UndecodablePayload as error:
        refused = error
    for result in results:
        assert_storable(result)
    if refused is not None:
        assert refused.path.startswith(("$", "/")), "a JSONPath, or an XPath into an XML document"
        assert_storable([refused.path, refused.detail, refused.hint])
        assert refused.detail


def assert_storable(value: Any) -> None:
    match value:
        case str():
            assert "\0" not in value
            value.encode()  # raises for half of a surrogate pair
        case float():
            assert math.isfinite(value)
        case datetime():
            assert value.utcoffset() == timedelta(0)
        case dict():
            for item in (*value.keys(), *value.values()):
                assert_storable(item)
        case list() | tuple():
            for item in value:
                assert_storable(item)
        case _ if is_dataclass(value):
            for field in fields(value):
                assert_storable(getattr(value, field.name))


def reader(plugin: FoundPlugin) -> Callable[[bytes, Receipt], Iterable[object]]:
    loaded: Any = plugin.load()
    method: Callable[[bytes, Receipt], Iterable[object]]
    method = loaded.read if plugin.manifest.kind is Kind.FEED else loaded.decode
    return method


def seeds(plugin: FoundPlugin) -> list[tuple[bytes, Receipt]]:
    """The payloads of the plugin's cases that are read, the large ones left out."""
    good = [case for case in cases_of(plugin) if (case.folder / case_files.EXPECTED).exists()]
    found = [(case_files.payload(case.folder), case_files.receipt(case.folder)) for case in good]
    return [seed for seed in found if len(seed[0]) <= LARGEST_SEED]


@st.composite
def damaged(draw: st.DrawFn, seed: bytes) -> bytes:
    payload = bytearray(seed)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(payload)))
        end = draw(st.integers(start, min(len(payload), start + 40)))
        instead = draw(
            st.one_of(
                st.just(b""),
                st.binary(max_size=8),
                st.sampled_from(NASTY),
                st.just(bytes(payload[start:end]) * 2),
                st.just(bytes(reversed(payload[start:end]))),
            )
        )
        payload[start:end] = instead
    return bytes(payload)
