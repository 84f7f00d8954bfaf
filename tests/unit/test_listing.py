from __future__ import annotations

from cityos.bootstrap.listing import block

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
