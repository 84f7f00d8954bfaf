from __future__ import annotations

import pytest
from rich.cells import cell_len

from cityos.bootstrap.listing import block, some

HEAD = ("17", "2026-11-22 10:17:50Z", "unknown_device", "acme/gauge-with-a-name-of-its-own", "")


def test_a_record_is_a_block_in_which_no_word_is_broken() -> None:
    said = "$ no device 'gauge-with-a-name-of-its-own' of vendor 'acme' is registered"
    assert list(block(HEAD, said, width=60)) == [
        "17  2026-11-22 10:17:50Z  unknown_device",
        "   acme/gauge-with-a-name-of-its-own",
        "   $ no device 'gauge-with-a-name-of-its-own' of vendor",
        "   'acme' is registered",
    ]


def test_what_is_longer_than_a_line_stays_whole() -> None:
    urn = "urn:ngsi-ld:WaterLevelGauge:yaizu:" + "x" * 60
    assert urn in " ".join(block(("1",), f"$[0] no {urn} here", width=40)).split()


def test_what_a_device_sent_does_not_steer_the_terminal() -> None:
    (_, line) = block(("1",), "$ not \x1b[2J known [/b]", width=80)
    assert line == "   $ not \ufffd[2J known [/b]"


def test_japanese_has_no_blanks_and_is_folded_all_the_same() -> None:
    said = "$[0].value 水位計の値が大きすぎます。単位はメートルです。「センチ」ではありません。"
    lines = list(block(("1",), said, width=30))
    assert lines == [
        "1",
        "   $[0].value 水位計の値が大き",
        "   すぎます。単位はメートルで",
        "   す。「センチ」ではありませ",
        "   ん。",
    ]
    assert max(map(cell_len, lines)) <= 30
    assert "".join(line[3:] for line in lines[1:]) == said


def test_a_line_begins_with_no_closing_mark() -> None:
    assert list(block(("水位です。次",), width=8)) == ["水位で", "   す。", "   次"]


def test_a_blank_of_any_width_is_a_blank() -> None:
    (line,) = block(("焼津市\u3000河川課", "10\u00a0m"), width=80)
    assert line == "焼津市\u3000河川課  10\u00a0m"


@pytest.mark.parametrize(
    ("count", "said"), [(0, ""), (2, "0, 1"), (3, "0, 1, 2"), (5, "0, 1, 2 and 2 more")]
)
def test_of_many_names_some_are_told(count: int, said: str) -> None:
    assert some(range(count), 3) == said
