"""How often the outline of a polygon crosses itself, which decides how long napari fills it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

ALWAYS_FILLED: Final = 64
"""Vertices of a polygon that napari fills in 4 ms, however its outline runs; it takes 3 ms for a
circle of as many."""

PAIRS_EACH: Final = 64
"""Pairs of edges to compare for each edge; a contour has some 20 where it winds a lot."""

RINGS_LEAST: Final = 8
"""Vertices of a triangle with a hole, and the edges that lead to it."""

MAX_PAIRS: Final = 1 << 20
"""Pairs of edges to compare for one polygon, which take 100 ms."""


def fills_quickly(vertices: npt.NDArray[np.float64]) -> bool:
    """Return whether napari fills a polygon in a time that grows with the number of its vertices.

    napari cuts the edges where they cross: 20 000 vertices at random have tens of millions of
    crossings. The outline may cross itself as often as it has edges. The comparison is bounded
    too: an outline too tangled to compare counts as slow.

    >>> angles = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    >>> fills_quickly(np.stack((np.sin(angles), np.cos(angles)), 1))
    True
    >>> fills_quickly(np.random.default_rng(0).random((5000, 2)))
    False
    """
    if len(vertices) <= ALWAYS_FILLED:
        return True
    starts, stops = edges_of(vertices[(vertices != np.roll(vertices, 1, 0)).any(1)])
    count = len(starts)
    if count <= ALWAYS_FILLED:
        return True
    low, high = np.minimum(starts, stops), np.maximum(starts, stops)
    partners = [_partners(low[:, axis], high[:, axis]) for axis in (0, 1)]
    if max(int(each[1].sum()) for each in partners) > min(PAIRS_EACH * count, MAX_PAIRS):
        return False  # a sweep along that axis has many edges side by side, crossing or not
    order, following = min(partners, key=lambda each: int(each[1].sum()))
    total = int(following.sum())
    place = np.repeat(np.arange(count), following)
    behind = np.arange(total) - np.repeat(np.cumsum(following) - following, following) + 1
    first, second = order[place], order[place + behind]
    near = ((low[first] <= high[second]) & (low[second] <= high[first])).all(1)
    near &= ~np.isin(np.abs(first - second), (1, count - 1))  # neighbours share a vertex
    first, second = first[near], second[near]
    crossing = _split(starts[first], stops[first], starts[second], stops[second])
    crossing &= _split(starts[second], stops[second], starts[first], stops[first])
    return int(crossing.sum()) <= count


def edges_of(
    vertices: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the starts and stops of a polygon's edges, without those that run to and fro.

    Such edges lead to the rings of holes; napari does not draw them.

    >>> square, hole = [(0, 0), (0, 9), (9, 9), (9, 0)], [(3, 3), (3, 5), (5, 5), (3, 3)]
    >>> len(edges_of(np.array([*square, square[0], *hole], float))[0])
    7
    """
    starts, stops = vertices, np.roll(vertices, -1, 0)
    if not has_rings(vertices):
        return starts, stops
    swapped = [tuple(start) > tuple(stop) for start, stop in zip(starts, stops, strict=True)]
    edges = np.concatenate([starts, stops], 1)
    edges[swapped] = np.concatenate([stops, starts], 1)[swapped]
    _, first, counts = np.unique(edges, axis=0, return_index=True, return_counts=True)
    kept = np.sort(first[counts % 2 == 1])
    return (starts[kept], stops[kept]) if len(kept) else (starts, stops)


def has_rings(vertices: npt.NDArray[np.float64]) -> bool:
    """Return whether a polygon comes back to its first vertex, as those with holes do."""
    return len(vertices) >= RINGS_LEAST and bool((vertices[1:-1] == vertices[0]).all(1).any())


def _partners(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the order of the edges along an axis, and how many that follow each reach it."""
    order = np.argsort(low)
    ends = np.searchsorted(low[order], high[order], "right")
    return order, ends - np.arange(1, len(order) + 1)


def _split(
    start: npt.NDArray[Any], stop: npt.NDArray[Any], one: npt.NDArray[Any], other: npt.NDArray[Any]
) -> npt.NDArray[np.bool_]:
    """Return which lines have the ends of the other edges on both sides, or on the line."""
    along, to_one, to_other = stop - start, one - start, other - start
    left = along[:, 0] * to_one[:, 1] - along[:, 1] * to_one[:, 0]
    right = along[:, 0] * to_other[:, 1] - along[:, 1] * to_other[:, 0]
    apart: npt.NDArray[np.bool_] = np.sign(left) * np.sign(right) <= 0
    return apart
