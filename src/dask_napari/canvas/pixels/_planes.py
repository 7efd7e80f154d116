"""A plane: the tiles that lie at one place of the sliders, and how they are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any, Final

import numpy.typing as npt

from dask_napari.canvas.pixels._tiles import Tile, Window

Key = tuple[tuple[Any, ...], tuple[int, ...]]
"""Cell in the mosaic and origin of a tile: what tells the tiles of a plane apart."""

INDEX_ABOVE: Final = 16
"""Tiles of a plane above which a grid of cells tells which are in a window; few are faster
without."""


class Plane:
    """Tiles, found by where they lie; later ones lie on top.

    Tiles with fewer axes than a window are the same all along those they lack.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_napari.canvas.pixels._tiles import HeldInMemory
    >>> plane = Plane()
    >>> old = plane.put(((), (0, 0)), Tile(HeldInMemory(np.ones((2, 2))), (0, 0)))
    >>> old = plane.put(((), (0, 2)), Tile(HeldInMemory(np.full((2, 2), 2.0)), (0, 2)))
    >>> picture = np.zeros((1, 3))
    >>> plane.draw(picture, (range(0, 1), range(1, 4)))
    >>> picture.tolist()
    [[1.0, 2.0, 2.0]]
    """

    __slots__ = ("_cells", "_pitch", "tiles", "version")

    def __init__(self) -> None:
        self.tiles: dict[Key, Tile] = {}
        self.version = -1
        """Of the mosaic by which the tiles lie."""
        self._cells: dict[tuple[int, ...], list[Key]] | None = None
        self._pitch: tuple[int, ...] = ()

    def put(self, key: Key, tile: Tile) -> Tile | None:
        """Lay a tile; return the one that it replaces."""
        old = self.tiles.get(key)
        tile.turn = len(self.tiles) if old is None else old.turn
        self.tiles[key] = tile
        if old is None and self._cells is not None:
            self._enter(key, tile)
        elif old is not None and (old.start, old.shape) != (tile.start, tile.shape):
            self._cells = None
        return old

    def moved(self) -> None:
        """Forget where tiles were, after they have been moved."""
        self._cells = None

    def seen(self, window: Window, level: int = 0) -> Iterable[Tile]:
        """Tiles that may lie in a window, in the order in which they came."""
        if not all(map(len, window)):
            return ()
        if len(self.tiles) <= INDEX_ABOVE:
            return self.tiles.values()
        if self._cells is None:
            self._make_cells()
            assert self._cells is not None
        spans: list[range] = []
        for pitch, part in zip(self._pitch, window[-len(self._pitch) :], strict=True):
            scale = 1 << level if len(spans) >= len(self._pitch) - 2 else 1
            first, last = part[0] * scale, part[-1] * scale
            spans.append(range(first // pitch, last // pitch + 1))
        if math.prod(map(len, spans)) > len(self.tiles):
            return self.tiles.values()
        found = {key for cell in product(*spans) for key in self._cells.get(cell, ())}
        return sorted((self.tiles[key] for key in found), key=lambda tile: tile.turn)

    def _make_cells(self) -> None:
        tiles = self.tiles.values()
        ndim = min(len(tile.shape) for tile in tiles)
        # As large as the largest tile, so that each lies in few cells.
        self._pitch = tuple(max(tile.shape[axis] for tile in tiles) for axis in range(-ndim, 0))
        self._cells = {}
        for key, tile in self.tiles.items():
            self._enter(key, tile)

    def _enter(self, key: Key, tile: Tile) -> None:
        assert self._cells is not None
        ndim = len(self._pitch)
        if len(tile.shape) < ndim:
            self._cells = None
            return
        places = zip(tile.start[-ndim:], tile.end[-ndim:], self._pitch, strict=True)
        spans = [range(first // pitch, (last - 1) // pitch + 1) for first, last, pitch in places]
        for cell in product(*spans):
            self._cells.setdefault(cell, []).append(key)

    def sole(self, window: Window, level: int = 0) -> npt.NDArray[Any] | None:
        """Return a part of the only tile in a window if it fills it, without a copy."""
        tiles = iter(self.seen(window, level))
        only = None
        for tile in tiles:
            cut = tile.cut(window, level)
            if cut is None:
                continue
            if only is not None or cut[0] is not None:
                return None
            only = tile, cut[1]
        if only is None or len(only[0].start) < len(window):
            return None
        tile, source = only
        return tile.at(level)[source]

    def within(self, window: Window) -> Iterator[Tile]:
        """Tiles of which some element lies in a window."""
        return (tile for tile in self.seen(window) if tile.cut(window, 0) is not None)

    def draw(self, picture: npt.NDArray[Any], window: Window, level: int = 0) -> None:
        """Draw the tiles that lie in a window."""
        for tile in self.seen(window, level):
            tile.draw(picture, window, level)
