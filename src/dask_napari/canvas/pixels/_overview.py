"""Overview: the coarsest level of a plane as one picture, to which new tiles are added."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from dask_napari.canvas.pixels._planes import Plane
from dask_napari.canvas.pixels._tiles import Tile, Window


class Overview:
    """Picture of a plane at the coarsest level, kept since each redraw of a large canvas needs it.

    The blank picture has the spatial axes, then colour if there is one; the window is all of the
    plane at the level.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_napari.canvas.pixels._array_handles import InMemoryArray
    >>> plane = Plane()
    >>> overview = Overview(plane, 1, np.zeros((1, 2), int), (range(1), range(2)))
    >>> tile = Tile(InMemoryArray(np.array([[7, 8]])), (0, 2))
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
