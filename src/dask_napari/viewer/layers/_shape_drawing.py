"""Drawing of one shape into an array of numbers, in steps of bounded work."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from skimage import draw

from dask_napari.viewer.layers._polygon_crossings import edges_of, has_rings

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.int32]

STEP: Final = 1 << 17
"""Pixels of one step of a drawing; they take some 5 ms."""

EDGE: Final = 8
"""Pixels for which the work on an edge in one row, or on a short line, stands."""

SMALL: Final = 1 << 15
"""Vertices times pixels up to which scikit-image is faster: it tests each pixel for each edge."""


def draw_shape(pixels: Pixels, vertices: Floats, kind: str, number: int) -> Iterator[None]:
    """Draw a number into the inside, or the line, of a shape whose vertices are y and x.

    Yields between steps, as a large shape of many vertices takes long.

    >>> pixels = np.zeros((3, 4), np.int32)
    >>> corners = np.array([[0, 1], [0, 2], [1, 2], [1, 1.0]])
    >>> for _ in draw_shape(pixels, corners, "rectangle", 7):
    ...     pass
    >>> pixels.tolist()
    [[0, 7, 7, 0], [0, 7, 7, 0], [0, 0, 0, 0]]
    """
    if kind in ("line", "path"):
        yield from _lines(pixels, np.rint(vertices), number)
        return
    if kind == "ellipse":  # the corners of its box, which may be turned
        middle = vertices.mean(0)
        across = (vertices[1] - vertices[0]) / 2, (vertices[3] - vertices[0]) / 2
        angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)[:, np.newaxis]
        vertices = middle + np.cos(angles) * across[0] + np.sin(angles) * across[1]
    low, high = np.floor(vertices.min(0)), np.ceil(vertices.max(0))
    if np.prod(high - low + 1) * len(vertices) > SMALL or has_rings(vertices):
        yield from _fill(pixels, vertices, number)
    else:
        pixels[draw.polygon(vertices[:, 0], vertices[:, 1], pixels.shape)] = number
    box = tuple(slice(max(0, int(a)), max(0, int(b) + 1)) for a, b in zip(low, high, strict=True))
    if (pixels[box] == number).any():
        return
    # What is smaller than a pixel is not lost.
    at = np.rint(vertices.mean(0) if np.prod(high - low + 1) < SMALL else vertices[0]).astype(int)
    _write(pixels, at[:1], at[1:], number)


def _lines(pixels: Pixels, vertices: Floats, number: int) -> Iterator[None]:
    """Draw the lines from each vertex to the next."""
    done = 0
    for start, stop in itertools.pairwise(vertices):
        length = int(np.abs(stop - start).max())
        for first in range(0, length + 1, STEP):
            along = np.arange(first, min(first + STEP, length + 1))[:, np.newaxis]
            places = np.rint(start + along * ((stop - start) / max(length, 1))).astype(int)
            _write(pixels, places[:, 0], places[:, 1], number)
            done += len(along) + 64 * EDGE
            if done >= STEP:
                done = 0
                yield


def _fill(pixels: Pixels, vertices: Floats, number: int) -> Iterator[None]:
    """Fill a polygon, where its outline is crossed an odd number of times on the way from outside.

    Pixels on the outline belong to it.
    """
    starts, stops = edges_of(vertices)
    low, high = np.minimum(starts[:, 0], stops[:, 0]), np.maximum(starts[:, 0], stops[:, 0])
    top, bottom = max(0, int(np.ceil(low.min()))), min(len(pixels) - 1, int(high.max()))
    rows = max(1, STEP // max(pixels.shape[1], EDGE * len(vertices)))
    for first in range(top, bottom + 1, rows):
        lines = np.arange(first, min(first + rows, bottom + 1), dtype=float)
        near = (low <= lines[-1]) & (high >= lines[0])
        band = pixels[first : first + len(lines)]
        inside = np.zeros(band.shape, bool)
        y, ends = lines[:, np.newaxis], (low[near], high[near])
        # An edge ends below its last row, or above its first: together they have both.
        for crossed in ((ends[0] <= y) & (y < ends[1]), (ends[0] < y) & (y <= ends[1])):
            inside |= _between(crossed, lines, starts[near], stops[near], band.shape[1])
        flat = near & (low == high)
        for row, left, right in zip(low[flat], starts[flat, 1], stops[flat, 1], strict=True):
            if row == np.rint(row):
                one, other = sorted((left, right))
                inside[
                    int(row) - first, max(0, int(np.ceil(one))) : max(0, int(np.floor(other)) + 1)
                ] = True
        band[inside] = number
        yield


def _between(
    crossed: npt.NDArray[np.bool_], lines: Floats, starts: Floats, stops: Floats, width: int
) -> npt.NDArray[np.bool_]:
    """Return the pixels of lines between one crossing of the outline and the next."""
    row, edge = np.nonzero(crossed)
    (y0, x0), (y1, x1) = starts[edge].T, stops[edge].T
    x = x0 + (lines[row] - y0) / (y1 - y0) * (x1 - x0)
    order = np.lexsort((x, row))
    row, x = row[order], x[order]
    begin = np.clip(np.ceil(x[::2]), 0, width).astype(int)
    end = np.clip(np.floor(x[1::2]) + 1, 0, width).astype(int)
    line = row[::2] * (width + 1)
    more = np.bincount(line + begin, minlength=len(lines) * (width + 1))
    less = np.bincount(line + np.maximum(begin, end), minlength=len(more))
    inside: npt.NDArray[np.bool_] = np.cumsum(more - less).reshape(len(lines), -1)[:, :-1] > 0
    return inside


def _write(pixels: Pixels, y: npt.NDArray[Any], x: npt.NDArray[Any], number: int) -> None:
    inside = (y >= 0) & (x >= 0) & (y < pixels.shape[0]) & (x < pixels.shape[1])
    pixels[y[inside], x[inside]] = number
