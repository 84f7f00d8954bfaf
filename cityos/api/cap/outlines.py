"""Outlines of areas, as detailed as a document has room for. Pure.

A district's outline may have tens of thousands of corners, more than a broker, a receiver or a
screen takes; the order has to get there. Corners are left out in the order in which they matter
least, by the triangle that each makes with its neighbours (Visvalingam and Whyatt, 1993), over
all rings together.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Final, TypeAlias

Point: TypeAlias = tuple[float, float]
Ring: TypeAlias = tuple[Point, ...]

_RING_PAIRS: Final = 4  # CAP 1.2, 3.2.4 polygon: the least number of coordinate pairs


def fitting(rings: Sequence[Ring], most_pairs: int) -> list[Ring]:
    """Return the rings, closed, with no more than ``most_pairs`` points together.

    A ring that CAP would refuse becomes empty. Where not even triangles fit, all do: a part of an
    area would be a wrong area.
    """
    closed = [_closed(ring) for ring in rings]
    drawn = sum(1 for ring in closed if ring)
    if drawn * _RING_PAIRS > most_pairs:
        return [()] * len(closed)
    excess = sum(map(len, closed)) - most_pairs
    return _thinned(closed, excess) if excess > 0 else closed


def _closed(ring: Ring) -> Ring:
    closed = ring if ring[:1] == ring[-1:] else (*ring, *ring[:1])
    return closed if len(closed) >= _RING_PAIRS else ()


def _thinned(rings: Sequence[Ring], excess: int) -> list[Ring]:
    """Leave out ``excess`` corners, which is possible: the caller has counted."""
    outlines = [_Outline(ring) for ring in rings]
    corners = [
        (outline.matters(corner), number, corner)
        for number, outline in enumerate(outlines)
        for corner in range(outline.left)
    ]
    heapq.heapify(corners)
    while excess and corners:
        weight, number, corner = heapq.heappop(corners)
        outline = outlines[number]
        if outline.left < _RING_PAIRS or weight != outline.weights[corner]:
            continue  # it has to stay, or was weighed again since
        excess -= 1
        for neighbour in outline.leave_out(corner):
            # never less than what went before it, or a fine curve would be eaten up from one end
            again = max(weight, outline.matters(neighbour))
            outline.weights[neighbour] = again
            heapq.heappush(corners, (again, number, neighbour))
    return [outline.ring() for outline in outlines]


class _Outline:
    """A closed ring as a circle of corners that know their neighbours."""

    def __init__(self, ring: Ring) -> None:
        self._points = ring[:-1]
        self.left = len(self._points)
        self._before = [corner - 1 for corner in range(self.left)]
        self._after = [corner + 1 for corner in range(self.left)]
        if self.left:
            self._before[0], self._after[-1] = self.left - 1, 0
        self.weights = [self.matters(corner) for corner in range(self.left)]

    def matters(self, corner: int) -> float:
        """Twice the surface of the triangle of the corner and its neighbours."""
        (ax, ay), (bx, by), (cx, cy) = (
            self._points[one] for one in (self._before[corner], corner, self._after[corner])
        )
        return abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))

    def leave_out(self, corner: int) -> tuple[int, int]:
        """Return the neighbours, which are each other's now."""
        before, after = self._before[corner], self._after[corner]
        self._after[before], self._before[after] = after, before
        self.weights[corner] = -1.0
        self.left -= 1
        return before, after

    def ring(self) -> Ring:
        kept = tuple(
            point for point, weight in zip(self._points, self.weights, strict=True) if weight >= 0
        )
        return (*kept, *kept[:1])
