"""A tile: one block of a canvas, where it lies, and coarser copies of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dask_napari.canvas.pixels._array_handles import InMemoryArray, StoreArray
from dask_napari.canvas.pixels._paintable_array import Indices, PaintableArray
from dask_napari.catalog import ArrayHandle, ValueRange

Window = tuple[range, ...]
"""Indices that are looked at along each spatial axis; steps are positive."""

Cut = tuple[tuple[slice, ...] | None, tuple[slice, ...]]
"""Parts of a window and of a tile that are the same elements; the first is None if it is all of
the window."""


class Tile:
    """Block of a canvas, and where in space it lies.

    Level ``k`` takes every ``2**k``-th element of the canvas along the last two spatial axes,
    counted from the corner of the canvas, not of the tile. So the levels of tiles join without
    seams wherever the tiles lie, and a label stays the label it is.

    The array has the spatial axes, one entry of ``start`` each, then colour if there is one.

    >>> tile = Tile(InMemoryArray(np.arange(6).reshape(1, 6)), (0, 3))
    >>> tile.start_at(1), tile.at(1).tolist()  # columns 4, 6 and 8
    ((0, 2), [[1, 3, 5]])
    """

    __slots__ = ("_coarser", "_store", "array", "number", "shape", "start", "values")

    def __init__(
        self,
        array: ArrayHandle,
        start: tuple[int, ...],
        store: StoreArray = InMemoryArray,
        *,
        values: ValueRange | None = None,
    ) -> None:
        self.array = array
        self.start = start
        self.shape: tuple[int, ...] = array.shape[: len(start)]
        self.number = 0  # of tiles that came before it, which is the order of drawing
        self.values = values
        self._store = store
        self._coarser: list[ArrayHandle] = []

    def __repr__(self) -> str:
        return f"<Tile {self.shape} at {self.start}, {len(self._coarser)} coarser levels>"

    @property
    def end(self) -> tuple[int, ...]:
        """End of the tile along each axis."""
        return tuple(at + n for at, n in zip(self.start, self.shape, strict=True))

    def paint(self, where: Indices, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Paint the elements that lie on the tile, at indices in space; return which do."""
        own = where[len(where) - len(self.start) :]
        inside: npt.NDArray[np.bool_] = np.all(
            [(at <= i) & (i < end) for i, at, end in zip(own, self.start, self.end, strict=True)],
            axis=0,
        )
        if inside.any():
            assert isinstance(self.array, PaintableArray)  # as all arrays of labels
            at = tuple(i[inside] - first for i, first in zip(own, self.start, strict=True))
            self.array.paint(at, values[inside])
            self._coarser = []
        return inside

    def clear_paint(self) -> bool:
        """Show the array as the task made it again; return whether it was painted."""
        if not isinstance(self.array, PaintableArray) or not self.array.is_painted:
            return False
        self.array.clear_paint()
        self._coarser = []
        return True

    def covers(self, point: tuple[int, ...]) -> bool:
        """Return whether the tile has an element at indices in space."""
        own = point[len(point) - len(self.start) :]
        return all(at <= i < at + n for i, at, n in zip(own, self.start, self.shape, strict=True))

    def move(self, start: tuple[int, ...]) -> None:
        """Move the tile to another start."""
        if start != self.start:
            self.start = start
            self._coarser = []  # other elements fall on the coarser grids now

    def start_at(self, level: int) -> tuple[int, ...]:
        """Return the start of the tile at a level."""
        return (*self.start[:-2], *(-(-at >> level) for at in self.start[-2:]))

    def at(self, level: int) -> npt.NDArray[Any]:
        """Return the elements of the tile at a level."""
        # Each level from the one before: all of them together cost little more than the first.
        while len(self._coarser) < level:
            depth = len(self._coarser)
            finer, coarser = self.start_at(depth), self.start_at(depth + 1)
            first = [2 * to - at for at, to in zip(finer[-2:], coarser[-2:], strict=True)]
            skip = (slice(None),) * (len(self.start) - 2)
            part = self.at(depth)[(*skip, slice(first[0], None, 2), slice(first[1], None, 2))]
            self._coarser.append(self._store(np.ascontiguousarray(part), depth + 1))
        return (self._coarser[level - 1] if level else self.array).get()

    def cut(self, window: Window, level: int) -> Cut | None:
        """Return the part of the tile that lies in a window, None if nothing does."""
        own = len(self.start)
        target: list[slice] = [slice(None)] * (len(window) - own)
        source: list[slice] = []
        fills = True
        start = self.start_at(level) if level else self.start
        for axis, part in enumerate(window[len(window) - own :]):
            at, length = start[axis], self.shape[axis]
            if level and axis >= own - 2:
                end = self.start[axis] + length
                length = -(-end >> level) - at
            step = part.step
            first = max(0, -(-(at - part.start) // step))
            last = min(len(part), -(-(at + length - part.start) // step))
            if first >= last:
                return None
            fills &= first == 0 and last == len(part)
            target.append(slice(first, last))
            begin = part.start + first * step - at
            source.append(slice(begin, begin + (last - first - 1) * step + 1, step))
        return (None if fills else tuple(target)), tuple(source)

    def draw(self, picture: npt.NDArray[Any], window: Window, level: int) -> None:
        """Draw the part of the tile that lies in a window into the picture of the window."""
        cut = self.cut(window, level)
        if cut is not None:
            target, source = cut
            picture[... if target is None else target] = self.at(level)[source]
