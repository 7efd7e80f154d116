"""Canvases of images and labels."""

from __future__ import annotations

from dask_napari.canvas.pixels._array_handles import ArrayHandle, StoreArray
from dask_napari.canvas.pixels._canvas import Canvas, PlacedBlock
from dask_napari.canvas.pixels._lazy_arrays import CanvasView, LazyArray

__all__ = [
    "ArrayHandle",
    "Canvas",
    "CanvasView",
    "LazyArray",
    "PlacedBlock",
    "StoreArray",
]
