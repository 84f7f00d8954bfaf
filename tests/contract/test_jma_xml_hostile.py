"""Whatever the bytes are, only UndecodablePayload comes out, soon, and nothing is reached for."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.jma_xml.feed import JmaXml
from cityos.domain.alert import Bulletin
from cityos.errors import UndecodablePayload
from cityos.plugins.contract import Fetch
from cityos.testing import builders as b

CASES = Path(__file__).parents[2] / "adapters/jma_xml/cases"
INPUTS = sorted(CASES.glob("*/input.xml"))
TELEGRAM = (CASES / "tsunami_warning/input.xml").read_bytes()


def read(document: bytes) -> list[Bulletin | Fetch]:
    return list(JmaXml().read(document, b.receipt()))


@given(st.binary(max_size=400))
def test_random_bytes(document: bytes) -> None:
    with pytest.raises(UndecodablePayload):
        read(document)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_damaged_telegrams(data: st.DataObject) -> None:
    document = bytearray(data.draw(st.sampled_from(INPUTS)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(document)))
        end = data.draw(st.integers(start, min(start + 60, len(document))))
        document[start:end] = data.draw(
            st.sampled_from([b"", b"<", b"</Kind>", b"NaN", b"9" * 400, b"\x00", "ー".encode()])
            | st.binary(max_size=8)
        )
    with suppress(UndecodablePayload):
        read(bytes(document))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_telegrams_with_values_that_make_no_sense(data: st.DataObject) -> None:
    """Well-formed, but any text may stand in any element."""
    text = data.draw(st.sampled_from(INPUTS)).read_text()
    ends = [
        place for place, sign in enumerate(text) if sign == ">" and text[place - 1] not in "/?"
    ]
    place = data.draw(st.sampled_from(ends)) + 1
    close = text.find("<", place)
    junk = data.draw(st.sampled_from(["", "９９", "inf", "1e999", "0001-01-01T00:00:00+23:59"]))
    with suppress(UndecodablePayload):
        read((text[:place] + junk + text[close:]).encode() if close > 0 else text.encode())


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE Report [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE Report SYSTEM "http://127.0.0.1:1/jmx.dtd">',
        '<!DOCTYPE Report [<!ENTITY % p SYSTEM "http://127.0.0.1:1/p"> %p;]>',
        "<!DOCTYPE Report [<!ENTITY a '"
        + "ha" * 1000
        + "'>"
        + "".join(
            f"<!ENTITY {name} '{f'&{before};' * 10}'>"
            for before, name in zip("abcdefgh", "bcdefghi", strict=True)
        )
        + "]>",
        "<!DOCTYPE Report>",
    ],
)
def test_document_type(doctype: str) -> None:
    text = TELEGRAM.decode().replace("<Report", f"{doctype}<Report", 1)
    for document in (text, text.replace("大津波警報・津波警報・", "&i;&a;", 1)):
        with pytest.raises(UndecodablePayload):
            read(document.encode())
        with pytest.raises(UndecodablePayload):
            read(document.replace("UTF-8", "UTF-16").encode("utf-16"))


def test_too_large() -> None:
    padded = TELEGRAM.replace(b"</Report>", b" " * (2 * 1024 * 1024) + b"</Report>")
    with pytest.raises(UndecodablePayload, match="the limit is 2097152"):
        read(padded)
    with pytest.raises(UndecodablePayload, match="the limit is 16777216"):
        read(b"<" + b"a" * (16 * 1024 * 1024))


def test_too_deep() -> None:
    deep = b"<a>" * 100_000 + b"</a>" * 100_000
    with pytest.raises(UndecodablePayload):
        read(deep)


def test_texts_are_cut_to_a_length_that_a_store_can_bear() -> None:
    long = TELEGRAM.replace(b"<Text>", b"<Text>" + "あ".encode() * 300_000, 1)
    [bulletin] = read(long)
    assert isinstance(bulletin, Bulletin)
    assert len(bulletin.infos[0].description.ja) <= 20_000


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_depth_beyond_all_numbers(digits: int) -> None:
    document = TELEGRAM.replace(b"-20000/", b"-%s/" % (b"9" * digits))
    assert document != TELEGRAM
    [bulletin] = read(document)
    assert isinstance(bulletin, Bulletin)
    assert all("depth_km" not in info.parameters for info in bulletin.infos)
