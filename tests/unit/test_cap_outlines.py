"""Outlines that are too long for a CAP document: fewer corners, the same shape."""

from __future__ import annotations

import math
import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from cityos.api.cap.outlines import Ring, fitting

SQUARE: Ring = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0))

_points = st.tuples(st.floats(-180, 180), st.floats(-90, 90))
_rings = st.lists(st.lists(_points, max_size=12).map(tuple), max_size=5)


def coast(corners: int, seed: int = 1) -> Ring:
    """A circle of about one degree with a rough edge."""
    chance = random.Random(seed)
    ring = []
    for number in range(corners):
        angle, away = 2 * math.pi * number / corners, 1 + chance.uniform(-0.01, 0.01)
        ring.append((away * math.cos(angle), away * math.sin(angle)))
    return (*ring, ring[0])


def surface(ring: Ring) -> float:
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))) / 2


def test_what_fits_stays_as_it_is() -> None:
    assert fitting([SQUARE, coast(100)], most_pairs=106) == [SQUARE, coast(100)]


def test_an_open_ring_is_closed_and_a_line_is_none() -> None:
    assert fitting([SQUARE[:3], SQUARE[:2], ()], most_pairs=50) == [
        (*SQUARE[:3], SQUARE[0]),
        (),
        (),
    ]


def test_the_corners_that_matter_least_go_first() -> None:
    dented = ((0.0, 0.0), (0.5, 0.001), *SQUARE[1:3], (0.4, 1.01), *SQUARE[3:])
    assert fitting([dented], most_pairs=5) == [SQUARE]


def test_a_long_coast_keeps_its_shape() -> None:
    long = coast(33_000)
    (short,) = fitting([long], most_pairs=500)
    assert len(short) == 500
    assert abs(surface(short) - surface(long)) < 0.02 * surface(long)
    assert set(short) <= set(long)


def test_small_rings_stay_and_the_long_one_pays() -> None:
    island = ((5.0, 5.0), (5.1, 5.0), (5.0, 5.1), (5.0, 5.0))
    short, kept = fitting([coast(1000), island], most_pairs=100)
    assert kept == island
    assert len(short) == 96


def test_where_even_triangles_do_not_fit_there_is_no_outline() -> None:
    """Half of an area would be a wrong area; its codes say the whole."""
    assert fitting([SQUARE] * 10, most_pairs=39) == [()] * 10
    assert [len(ring) for ring in fitting([SQUARE] * 10, most_pairs=40)] == [4] * 10


@settings(deadline=None)
@given(rings=_rings, most_pairs=st.integers(0, 40))
def test_every_ring_is_a_ring_and_all_of_them_fit(rings: list[Ring], most_pairs: int) -> None:
    found = fitting(rings, most_pairs)
    assert found == fitting(rings, most_pairs)
    assert len(found) == len(rings)
    assert sum(map(len, found)) <= most_pairs
    for before, after in zip(rings, found, strict=True):
        assert not after or (len(after) >= 4 and after[0] == after[-1])
        assert set(after) <= set(before)
