"""Records: an OME-Zarr of the items that arrive while a computation runs, and its replay.

Needs zarr: ``pip install dask-napari[record]``.
"""

from __future__ import annotations

from dask_napari.record._reader import Record, replay
from dask_napari.record._recorder import Recorder
from dask_napari.record._writing import write_items

__all__ = [
    "Record",
    "Recorder",
    "replay",
    "write_items",
]
