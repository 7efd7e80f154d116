"""The coarsest level of a plane as one picture, to which each new tile is added as it comes."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from dask_napari.canvas.pixels._planes import Plane
from dask_napari.canvas.pixels._tiles import Tile, Window


class Overview:
    """What a viewer asks for at each redraw of a large canvas, kept rather than drawn anew.

    Parameters
    ----------
    plane : Plane
        Of which it is a picture.
    level : int
        Of the pyramid.
    picture : numpy.ndarray
        Blank; the spatial axes, then colour if there is one.
    window : tuple of range
        All of the plane at that level.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_napari.canvas.pixels._tiles import HeldInMemory
    >>> plane = Plane()
    >>> overview = Overview(plane, 1, np.zeros((1, 2), int), (range(1), range(2)))
    >>> tile = Tile(HeldInMemory(np.array([[7, 8]])), (0, 2))
    >>> overview.add(tile, plane.put(((), (0, 2)), tile)), overview.picture.tolist()
    (True, [[0, 7]])
    """

    def __init__(self, plane: Plane, level: int, picture: npt.NDArray[Any], window: Window) -> None:
        self.plane = plane
        self.level = level
        self.window = window
        self.picture = picture
        self.version = plane.version
        plane.draw(picture, window, level)

    def shows(self, plane: Plane, level: int, window: Window, dtype: object) -> bool:
        """Whether this is what is asked for, as it is now."""
        return (
            self.plane is plane
            and self.version == plane.version
            and self.level == level
            and self.window == window
            and self.picture.dtype == dtype
        )

    def add(self, tile: Tile, old: Tile | None) -> bool:
        """Draw a tile that was put on the plane, for an old one; false if that takes more."""
        if old is not None:
            if (old.start, old.shape) != (tile.start, tile.shape):
                return False
            # It keeps the turn of the one that it replaces, so that others may lie on it.
            where = tuple(map(range, tile.start, tile.end))
            if any(other is not tile for other in self.plane.within(where)):
                return False
        tile.draw(self.picture, self.window, self.level)
        return True
