"""The napari layers: one a stream, made once and updated."""

from __future__ import annotations

from dask_napari.viewer.layers._layer_stream import CannotShow
from dask_napari.viewer.layers._layers import Layers

__all__ = [
    "CannotShow",
    "Layers",
]
