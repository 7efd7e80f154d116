"""Viewpoint: the index on each axis that the viewer shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dask_napari.canvas import CanvasAxes

if TYPE_CHECKING:
    import napari


def viewpoint(viewer: napari.viewer.Viewer, axes: CanvasAxes) -> list[float | None]:
    """Return the index on each axis, sliders and space; None for one that is shown whole.

    An axis that napari does not have yet is looked at from its beginning.
    """
    dims = viewer.dims
    offset = dims.ndim - len(axes.labels)
    lengths = axes.shape
    at: list[float | None] = []
    for turn in range(len(axes.labels)):
        axis = turn + offset
        if axis < 0:
            at.append(0.0)
        elif axis in dims.displayed:
            at.append(None)
        else:
            point = float(dims.point[axis])  # along axes in space, in the world
            at.append(min(max(point, 0.0), lengths[turn] - 1.0) if turn < len(lengths) else point)
    return at
