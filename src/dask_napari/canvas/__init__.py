"""The sparse, growing, N-dimensional array-likes behind the layers; numpy only."""

from __future__ import annotations

from dask_napari.canvas._axes import CanvasAxes, CanvasAxis
from dask_napari.canvas._mosaic import Mosaic
from dask_napari.canvas._mosaic_axis import Cell
from dask_napari.canvas._positions import (
    PositionIndex,
    PositionKey,
    PutResult,
    position_key,
    split_position,
)
from dask_napari.canvas._world import World, WorldSpan, check_pixels

__all__ = [
    "CanvasAxes",
    "CanvasAxis",
    "Cell",
    "Mosaic",
    "PositionIndex",
    "PositionKey",
    "PutResult",
    "World",
    "WorldSpan",
    "check_pixels",
    "position_key",
    "split_position",
]
