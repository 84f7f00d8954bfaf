"""Which representation a caller gets (RFC 9110, 12.5.1). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from cityos.api.errors import NotAcceptable

JSON: Final = "application/json"
CSV: Final = "text/csv"
GEOJSON: Final = "application/geo+json"
CAP: Final = "application/cap+xml"

_LONGEST: Final = 1000


@lru_cache(maxsize=256)
def choose(accept: str, offered: Sequence[str]) -> str:
    """Return the media type of ``offered`` that ``accept`` likes best; the first at a tie.

    Raises:
        NotAcceptable: none will do.
    """
    if not accept.strip():
        return offered[0]
    ranges = [_range(part) for part in accept[:_LONGEST].split(",")]
    best, best_quality = "", 0.0
    for media_type in offered:
        quality = _quality(media_type, ranges)
        if quality > best_quality:
            best, best_quality = media_type, quality
    if not best:
        message = f"Accept must allow one of: {', '.join(offered)}"
        raise NotAcceptable(message, parameter="Accept")
    return best


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                quality = 0.0
    return name, quality


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The most specific range that matches decides."""
    family = media_type.partition("/")[0]
    for wanted in (media_type, f"{family}/*", "*/*"):
        for name, quality in ranges:
            if name == wanted:
                return quality
    return 0.0
