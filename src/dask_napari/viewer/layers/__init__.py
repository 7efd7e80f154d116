"""Layers of napari: one a stream, made once and updated."""

from __future__ import annotations

from dask_napari.viewer.layers._contrast import Contrast
from dask_napari.viewer.layers._layers import Layers

__all__ = [
    "Contrast",
    "Layers",
]
