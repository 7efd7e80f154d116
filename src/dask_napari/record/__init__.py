"""What arrives, in files: an OME-Zarr that grows while a computation runs, and back from there.

Needs zarr: ``pip install dask-napari[record]``.
"""

from __future__ import annotations

from dask_napari.record._reader import Record, replay
from dask_napari.record._recorder import Recorder

__all__ = [
    "Record",
    "Recorder",
    "replay",
]
