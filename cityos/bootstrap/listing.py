"""Records as a person reads them, in a terminal or from a pipe: a block each, no word broken."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

_INDENT: Final = "   "


def block(head: Sequence[str], *said: str, width: int) -> Iterator[str]:
    """Yield the head, and below it what is said of it, folded at blanks to ``width`` columns.

    A word that is longer than that stays whole. What devices sent may hold anything: characters
    that would steer the terminal are shown as a mark.
    """
    texts = ["  ".join(part for part in head if part), *(f"{_INDENT}{text}" for text in said)]
    for text in texts:
        yield from textwrap.wrap(
            "".join(char if char.isprintable() else "\ufffd" for char in text),
            width,
            subsequent_indent=_INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
