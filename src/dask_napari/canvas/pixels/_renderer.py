"""Renderer: the pixels of the planes that are seen together, and the overview that it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from dask_napari.canvas.pixels._lazy_arrays import Selector
from dask_napari.canvas.pixels._planes import Plane
from dask_napari.canvas.pixels._tiles import Tile, Window
from dask_napari.model import filled


class Overview:
    """Picture of a plane at the coarsest level, kept since each redraw of a large canvas needs it.

    The blank picture has the spatial axes, then colour if there is one; the window is all of the
    plane at the level.
    """

    def __init__(self, plane: Plane, level: int, picture: npt.NDArray[Any], window: Window) -> None:
        self.plane = plane
        self.level = level
        self.window = window
        self.picture = picture
        self.version = plane.version
        plane.draw(picture, window, level)

    def __repr__(self) -> str:
        return f"<Overview {self.picture.shape}, level {self.level}, of {self.plane}>"

    def is_current(self, plane: Plane, level: int, window: Window, dtype: object) -> bool:
        """Return whether the overview is the picture of a plane as it is now."""
        return (
            self.plane is plane
            and self.version == plane.version
            and self.level == level
            and self.window == window
            and self.picture.dtype == dtype
        )

    def add(self, tile: Tile, old: Tile | None) -> bool:
        """Draw a tile that was put on the plane; false if the overview has to be drawn anew."""
        if old is not None:
            if (old.start, old.shape) != (tile.start, tile.shape):
                return False
            # The tile keeps the number of the one that it replaces, so that others may lie on it.
            where = tuple(map(range, tile.start, tile.end))
            if any(other is not tile for other in self.plane.tiles_in(where)):
                return False
        tile.draw(self.picture, self.window, self.level)
        return True


class Renderer:
    """Drawing of planes, with an overview that is kept for the next redraw.

    Pictures may be parts of the tiles themselves, unless ``copies`` is true.
    """

    def __init__(self, colour: int, fill: float, *, copies: bool = False) -> None:
        self.colour = colour
        self.fill = fill
        self.copies = copies
        self._overview: Overview | None = None

    def __repr__(self) -> str:
        return f"<Renderer colour={self.colour} fill={self.fill}, {self._overview}>"

    def background(self, lengths: Sequence[int], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return an array of the fill value, or of 0 where the type cannot hold the value."""
        return filled(lengths, dtype, self.fill)

    def render(
        self,
        planes: list[Plane],
        window: Window,
        level: int,
        dtype: np.dtype[Any],
        coarsest: tuple[int, ...] = (),
    ) -> npt.NDArray[Any]:
        """Return the part of some planes that lies in a window.

        Planes on top come first. ``coarsest`` is the shape in space, and colour, of the level if it
        is the coarsest one.
        """
        if len(planes) == 1:
            if coarsest and len(window) == 2:
                picture = self._overview_of(planes[0], level, dtype, coarsest)
                return picture[tuple(map(_as_slice, window))]
            tile = planes[0].only_tile(window, level)
            if tile is not None:
                return tile.astype(dtype, copy=self.copies)
        colour = [self.colour] if self.colour else []
        picture = self.background([*map(len, window), *colour], dtype)
        for plane in reversed(planes):
            plane.draw(picture, window, level)
        return picture

    def _overview_of(
        self, plane: Plane, level: int, dtype: np.dtype[Any], shape: tuple[int, ...]
    ) -> npt.NDArray[Any]:
        window = range(shape[0]), range(shape[1])
        if self._overview is None or not self._overview.is_current(plane, level, window, dtype):
            self._overview = Overview(plane, level, self.background(shape, dtype), window)
        return self._overview.picture

    def add(self, plane: Plane, tile: Tile, old: Tile | None) -> None:
        """Draw a tile that was put on a plane into the overview of that plane."""
        overview = self._overview
        if overview is None or overview.plane is not plane:
            return
        self._overview = None
        with suppress(MemoryError):  # the tile is on its plane: the next look draws it anew
            if overview.add(tile, old):
                self._overview = overview


def upward_window(space: Sequence[Selector], colour: Sequence[Selector]) -> tuple[Window, Any]:
    """Return selectors in space as ranges that run upwards, and the key that undoes the change.

    >>> upward_window((3, range(5, 1, -2)), ())
    ((range(3, 4), range(3, 7, 2)), (0, slice(None, None, -1)))
    """
    window = tuple(_upwards(part) for part in space)
    key = tuple(
        0 if isinstance(part, int) else slice(None, None, -1 if part.step < 0 else None)
        for part in space
    )
    return window, key + tuple(
        part if isinstance(part, int) else _as_slice(part) for part in colour
    )


def _upwards(part: Selector) -> range:
    if isinstance(part, int):
        return range(part, part + 1)
    return part if part.step > 0 else part[::-1]


def _as_slice(part: range) -> slice:
    """Return the slice that takes the indices of a range."""
    # A range that runs down to 0 stops at -1, which a slice would read as "the last one".
    return slice(part.start, part.stop if part.stop >= 0 else None, part.step)
