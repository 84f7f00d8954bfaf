from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityos.ingest.packets import PUBACKS, publish, split

topics = st.binary(min_size=1, max_size=200)
payloads = st.binary(max_size=20_000)
messages = st.lists(st.tuples(topics, payloads), max_size=8)


def packet(topic: bytes, payload: bytes, packet_id: int, properties: bytes | None) -> bytes:
    """A QoS 1 PUBLISH, made by the book."""
    extra = b"" if properties is None else varint(len(properties)) + properties
    body = len(topic).to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big") + extra + payload
    return b"\x32" + varint(len(body)) + body


def varint(number: int) -> bytes:
    digits = bytearray()
    while True:
        number, digit = divmod(number, 128)
        digits.append(digit | (128 if number else 0))
        if not number:
            return bytes(digits)


@given(messages, st.booleans(), st.binary(max_size=300), st.integers(1, 65535))
def test_every_packet_is_read_as_it_was_written(
    sent: list[tuple[bytes, bytes]], mqtt5: bool, properties: bytes, packet_id: int
) -> None:
    run = b"".join(
        packet(topic, payload, packet_id, properties if mqtt5 else None) for topic, payload in sent
    )
    found = split(run, mqtt5=mqtt5)
    assert found.messages == sent
    assert found.acks == [PUBACKS[packet_id]] * len(sent)
    assert found.used == len(run)


@given(messages, st.data())
def test_a_run_cut_anywhere_loses_nothing(
    sent: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    run = b"".join(packet(topic, payload, 7, None) for topic, payload in sent)
    cut = data.draw(st.integers(0, len(run)))
    first = split(run[:cut], mqtt5=False)
    second = split(run[first.used : cut] + run[cut:], mqtt5=False)
    assert first.messages + second.messages == sent


@given(topics, payloads)
def test_what_the_spool_keeps_is_read_back(topic: bytes, payload: bytes) -> None:
    found = split(publish(topic, payload), mqtt5=False)
    assert found.messages == [(topic, payload)]
    assert found.acks == []


def test_packets_of_other_kinds_are_handed_on_in_order() -> None:
    run = b"\xd0\x00" + packet(b"t", b"p", 3, None) + b"\x90\x03\x00\x01\x01"
    found = split(run, mqtt5=False)
    assert found.others == [(0xD0, b""), (0x90, b"\x00\x01\x01")]
    assert found.messages == [(b"t", b"p")]


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_read_or_refused_but_never_loop(noise: bytes, mqtt5: bool) -> None:
    try:
        found = split(noise, mqtt5=mqtt5)
    except (ValueError, IndexError):
        return
    assert 0 <= found.used <= len(noise)


def test_a_length_of_five_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="four bytes"):
        split(b"\x30\xff\xff\xff\xff\x01" + bytes(10), mqtt5=False)


def test_what_the_broker_had_kept_is_acknowledged_and_left_out() -> None:
    kept = bytearray(packet(b"t", b"old", 9, None))
    kept[0] |= 0x01
    found = split(bytes(kept) + packet(b"t", b"new", 10, None), mqtt5=False)
    assert found.messages == [(b"t", b"new")]
    assert found.acks == [PUBACKS[9], PUBACKS[10]]
    assert found.retained == 1
