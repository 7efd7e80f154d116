"""The sparse, growing, N-dimensional array-likes behind the layers; numpy only."""

from __future__ import annotations

from dask_napari.canvas.axes import Axes, Axis
from dask_napari.canvas.canvas import Canvas, Change
from dask_napari.canvas.layout import split
from dask_napari.canvas.view import CanvasView

__all__ = ["Axes", "Axis", "Canvas", "CanvasView", "Change", "split"]
