"""Plane: the tiles at one position on the sliders, and how they are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, Final

import numpy.typing as npt

from dask_napari.canvas.pixels._tiles import Tile, Window

TileKey = tuple[tuple[Any, ...], tuple[int, ...]]
"""Cell in the mosaic and origin of a tile, by which the tiles of a plane are told apart."""

INDEX_ABOVE: Final = 16
"""Tiles of a plane above which a grid of cells tells which are in a window; few are faster
without."""


class Plane:
    """Tiles at one position on the sliders, found by where they lie; later ones lie on top.

    Tiles with fewer axes than a window are the same all along those they lack.
    """

    __slots__ = ("_cells", "_pitch", "tiles", "version")

    def __init__(self, version: int = -1) -> None:
        self.tiles: dict[TileKey, Tile] = {}
        self.version = version  # of the mosaic, by which the tiles lie
        self._cells: dict[tuple[int, ...], list[TileKey]] | None = None
        self._pitch: tuple[int, ...] = ()

    def put(self, key: TileKey, tile: Tile) -> Tile | None:
        """Add a tile; return the one that it replaces."""
        old = self.tiles.get(key)
        tile.number = len(self.tiles) if old is None else old.number
        self.tiles[key] = tile
        if old is None and self._cells is not None:
            self._enter(key, tile)
        elif old is not None and (old.start, old.shape) != (tile.start, tile.shape):
            self._cells = None
        return old

    def __repr__(self) -> str:
        return f"<Plane of {len(self.tiles)} tiles>"

    def rearrange(self, start_of: Callable[[TileKey], tuple[int, ...]], version: int) -> None:
        """Move all tiles to where a version of the mosaic puts them."""
        for key, tile in self.tiles.items():
            tile.move(start_of(key))
        self.version = version
        self._cells = None

    def tiles_near(self, window: Window, level: int = 0) -> Iterable[Tile]:
        """Return the tiles that may lie in a window, in the order in which they came."""
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
        return sorted((self.tiles[key] for key in found), key=lambda tile: tile.number)

    def keys_at(self, point: tuple[int, ...], keys: list[TileKey] | None = None) -> list[TileKey]:
        """Return the keys of the tiles at indices in space, that of the topmost tile first.

        Other ``keys`` than some are not looked at. Nothing is changed by that, so that other
        threads may ask.
        """
        cells, pitch = self._cells, self._pitch
        near = keys
        if near is None and cells is not None and len(pitch) <= len(point):
            own = point[len(point) - len(pitch) :]
            near = list(cells.get(tuple(at // n for at, n in zip(own, pitch, strict=True)), ()))
        found = ((key, self.tiles.get(key)) for key in (list(self.tiles) if near is None else near))
        over = [(tile.number, key) for key, tile in found if tile and tile.covers(point)]
        return [key for _, key in sorted(over, key=lambda each: each[0], reverse=True)]

    def _make_cells(self) -> None:
        tiles = self.tiles.values()
        ndim = min(len(tile.shape) for tile in tiles)
        # As large as the largest tile, so that each lies in few cells.
        self._pitch = tuple(max(tile.shape[axis] for tile in tiles) for axis in range(-ndim, 0))
        self._cells = {}
        for key, tile in self.tiles.items():
            self._enter(key, tile)

    def _enter(self, key: TileKey, tile: Tile) -> None:
        assert self._cells is not None
        ndim = len(self._pitch)
        if len(tile.shape) < ndim:
            self._cells = None
            return
        places = zip(tile.start[-ndim:], tile.end[-ndim:], self._pitch, strict=True)
        spans = [range(first // pitch, (last - 1) // pitch + 1) for first, last, pitch in places]
        for cell in product(*spans):
            self._cells.setdefault(cell, []).append(key)

    def only_tile(self, window: Window, level: int = 0) -> npt.NDArray[Any] | None:
        """Return the part of a tile that fills a window alone, without a copy; else None."""
        only = None
        for tile in self.tiles_near(window, level):
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

    def tiles_in(self, window: Window) -> Iterator[Tile]:
        """Yield the tiles that have elements in a window."""
        return (tile for tile in self.tiles_near(window) if tile.cut(window, 0) is not None)

    def draw(self, picture: npt.NDArray[Any], window: Window, level: int = 0) -> None:
        """Draw the tiles that lie in a window."""
        for tile in self.tiles_near(window, level):
            tile.draw(picture, window, level)
