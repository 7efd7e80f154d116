"""Canvases of images and labels."""

from __future__ import annotations

from dask_napari.canvas.pixels._array_handles import StoreArray, storable
from dask_napari.canvas.pixels._canvas import Canvas
from dask_napari.canvas.pixels._lazy_arrays import CanvasView, LazyArray
from dask_napari.canvas.pixels._paintable_array import PaintableArray

__all__ = [
    "Canvas",
    "CanvasView",
    "LazyArray",
    "PaintableArray",
    "StoreArray",
    "storable",
]
