from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityos.identity import api_keys

PEPPER = bytes(range(32))


def test_a_key_reads_back() -> None:
    key = api_keys.new()

    assert api_keys.read(str(key)) == key
    assert str(key).startswith("ck_")
    assert set(str(key)) <= set(string.ascii_letters + string.digits + "_")


def test_keys_do_not_repeat() -> None:
    made = [api_keys.new() for _ in range(500)]

    assert len({key.id for key in made}) == 500
    assert len({key.secret for key in made}) == 500


def test_the_secret_does_not_show() -> None:
    key = api_keys.new()

    assert key.secret not in repr(key)


def test_the_digest_depends_on_secret_and_pepper() -> None:
    key, other = api_keys.new(), api_keys.new()

    assert len(key.digest(PEPPER)) == 32
    assert key.digest(PEPPER) == key.digest(PEPPER)
    assert key.digest(PEPPER) != key.digest(bytes(32))
    assert key.digest(PEPPER) != api_keys.KeyText(key.id, other.secret).digest(PEPPER)
    assert key.digest(PEPPER) != api_keys.KeyText(other.id, key.secret).digest(PEPPER)


@given(st.integers(3, 64), st.sampled_from(string.ascii_letters + string.digits))
def test_one_wrong_letter_is_noticed(place: int, letter: str) -> None:
    text = "ck_abcdefghijkm_" + str(api_keys.KeyText("abcdefghijkm", "S" * 43))[16:]
    assert api_keys.read(text) is not None
    if text[place] in (letter, "_"):
        return

    assert api_keys.read(text[:place] + letter + text[place + 1 :]) is None


@pytest.mark.parametrize("text", ["", "ck_", "Bearer x", "ck_日本_x", "ck_" + "a" * 1_000_000])
def test_what_is_no_key(text: str) -> None:
    assert api_keys.read(text) is None


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert api_keys.read(text) is None
