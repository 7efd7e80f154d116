"""What arrives, in files: an OME-Zarr that grows while a computation runs, and back from there.

Needs zarr: ``pip install dask-napari[record]``.
"""

from dask_napari.record.reader import Record
from dask_napari.record.recorder import Recorder
from dask_napari.record.replay import replay

__all__ = ["Record", "Recorder", "replay"]
