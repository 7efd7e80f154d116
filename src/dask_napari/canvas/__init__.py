"""The sparse, growing, N-dimensional array-likes behind the layers; numpy only."""

from __future__ import annotations

from dask_napari.canvas._axes import CanvasAxes, CanvasAxis
from dask_napari.canvas._changes import CanvasPlace, Change, Signature
from dask_napari.canvas._layer_split import split
from dask_napari.canvas._mosaic import Cell, Heading, Mosaic, TileLayout
from dask_napari.canvas.elements._blocks import Block, Rows
from dask_napari.canvas.elements._ragged_canvas import RaggedCanvas
from dask_napari.canvas.pixels._canvas import Canvas, Laid
from dask_napari.canvas.pixels._tiles import Held, Hold
from dask_napari.canvas.pixels._views import CanvasView, Level

__all__ = [
    "Block",
    "Canvas",
    "CanvasAxes",
    "CanvasAxis",
    "CanvasPlace",
    "CanvasView",
    "Cell",
    "Change",
    "Heading",
    "Held",
    "Hold",
    "Laid",
    "Level",
    "Mosaic",
    "RaggedCanvas",
    "Rows",
    "Signature",
    "TileLayout",
    "split",
]
