"""Pointer in the window, and the places of items that it is on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dask_napari.canvas import CanvasAxes
from dask_napari.model import Coordinate
from dask_napari.viewer.napari_internals import data_position


class PointedPlace(NamedTuple):
    """Position and origin of an item whose pixels or elements a pointer may be on.

    Attributes
    ----------
    has_item : bool
        Whether the item is laid out there, not only expected.
    """

    position: Mapping[str, Coordinate]
    origin: tuple[int, ...] = ()
    has_item: bool = True


class Pointer(NamedTuple):
    """Position of the pointer, and the view, as napari tells them.

    Attributes
    ----------
    position : sequence of float
        Place in the world, on all axes of the viewer.
    view_direction : optional
        Direction in which the viewer looks, in the world; for three axes in space.
    displayed : sequence of int, optional
        Numbers of the axes that are shown in space.
    """

    position: Sequence[float]
    view_direction: Any = None
    displayed: Sequence[int] | None = None

    def on(self, layer: Any) -> tuple[float, ...] | None:
        """Return the place on a layer, in pixels: in 3D, of the voxel that the pointer hits."""
        return data_position(layer, self.position, self.view_direction, self.displayed)

    def sliders(
        self, axes: CanvasAxes, indices: Sequence[float] | None = None
    ) -> dict[str, Coordinate]:
        """Return the coordinate on each slider, of indices on all axes or of the position."""
        names, count = axes.names, len(axes.labels)
        at = self.position if indices is None else indices
        found: dict[str, Coordinate] = {}
        for name, index in zip(names, at[len(at) - count :], strict=False):
            if not np.isnan(index) and 0 <= (nearest := round(float(index))) < len(axes[name]):
                found[name] = axes[name][nearest]
        return found


PointedPlaces = Iterator[PointedPlace]
