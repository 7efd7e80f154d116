"""Layers of napari: one a stream, made once and updated."""

from __future__ import annotations

from dask_napari.viewer.layers._contrast import Contrast
from dask_napari.viewer.layers._layers import Layers
from dask_napari.viewer.layers._pointed_entries import PointedEntry
from dask_napari.viewer.layers._pointed_place import Pointer
from dask_napari.viewer.layers._task_sentence import (
    place_text,
    shortened,
    state_text,
    worker_text,
)

__all__ = [
    "Contrast",
    "Layers",
    "PointedEntry",
    "Pointer",
    "place_text",
    "shortened",
    "state_text",
    "worker_text",
]
