"""The sparse, growing, N-dimensional array-likes behind the layers; numpy only."""

from __future__ import annotations

from dask_napari.canvas.axes import Axes, Axis
from dask_napari.canvas.canvas import Canvas, Change, Laid
from dask_napari.canvas.layout import split
from dask_napari.canvas.mosaic import Heading, Mosaic, NoPlace
from dask_napari.canvas.ragged import Block, RaggedCanvas, Rows
from dask_napari.canvas.tile import Held, Hold
from dask_napari.canvas.view import CanvasView, Level

__all__ = [
    "Axes",
    "Axis",
    "Block",
    "Canvas",
    "CanvasView",
    "Change",
    "Heading",
    "Held",
    "Hold",
    "Laid",
    "Level",
    "Mosaic",
    "NoPlace",
    "RaggedCanvas",
    "Rows",
    "split",
]
