"""Canvases of points, shapes, tracks, vectors and surfaces."""

from __future__ import annotations

from dask_napari.canvas.elements._blocks import Block, Rows, Shift
from dask_napari.canvas.elements._growing_columns import GrowingColumns
from dask_napari.canvas.elements._ragged_canvas import RaggedCanvas

__all__ = [
    "Block",
    "GrowingColumns",
    "RaggedCanvas",
    "Rows",
    "Shift",
]
