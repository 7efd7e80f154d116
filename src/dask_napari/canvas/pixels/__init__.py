"""Canvases of images and labels: sparse, growing, lazily sliced."""

from __future__ import annotations

from dask_napari.canvas.pixels._canvas import Canvas, Laid
from dask_napari.canvas.pixels._tiles import Held, Hold
from dask_napari.canvas.pixels._views import CanvasView, Level

__all__ = [
    "Canvas",
    "CanvasView",
    "Held",
    "Hold",
    "Laid",
    "Level",
]
