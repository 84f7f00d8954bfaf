"""Records as a person reads them, in a terminal or from a pipe: a block each, no word broken."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len

_INDENT: Final = "   "
_CLINGS: Final = frozenset(("Lm", "Pe", "Pf", "Po"))
"""Unicode categories of what begins no line: ー 々 」 ） 、 。"""


def block(head: Sequence[str], *said: str, width: int) -> Iterator[str]:
    """Yield the head, and below it what is said of it, folded to ``width`` columns.

    Lines end at blanks, and between wide characters as in Japanese, which has no blanks. A word
    that is longer than a line stays whole. What devices sent may hold anything: characters that
    would steer the terminal are shown as a mark.
    """
    texts = ["  ".join(part for part in head if part), *(f"{_INDENT}{text}" for text in said)]
    for text in texts:
        line = ""
        for part in _parts("".join(map(_shown, text))):
            if line.strip() and cell_len(line + part.rstrip()) > width:
                yield line.rstrip()
                line = _INDENT + part.lstrip()
            else:
                line += part
        if line.strip():
            yield line.rstrip()


def some(names: Sequence[object], most: int) -> str:
    """Return the first names, at most ``most``, and how many more there are."""
    more = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {more} more" if more > 0 else "")


def _shown(char: str) -> str:
    is_blank = unicodedata.category(char) == "Zs"  # the wide blank of Japanese, too
    return char if char.isprintable() or is_blank else "\ufffd"


def _parts(text: str) -> Iterator[str]:
    """Yield the parts of a text between which a line may end."""
    start = 0
    for at in range(1, len(text)):
        if _may_part(text[at - 1], text[at]):
            yield text[start:at]
            start = at
    yield text[start:]


def _may_part(before: str, after: str) -> bool:
    if before == " ":
        return after != " "
    return cell_len(before) == cell_len(after) == 2 and unicodedata.category(after) not in _CLINGS  # noqa: PLR2004
