"""The viewer as a program: the window, the pump, napari's menu."""

from __future__ import annotations

from dask_napari.viewer.app._layer_commands import clear_paint, freeze
from dask_napari.viewer.app._layer_writers import write_csv, write_tiff, write_zarr
from dask_napari.viewer.app._live_viewer import LiveViewer
from dask_napari.viewer.app._plugin import LiveWidget
from dask_napari.viewer.app._run import announce, run

__all__ = [
    "LiveViewer",
    "LiveWidget",
    "announce",
    "clear_paint",
    "freeze",
    "run",
    "write_csv",
    "write_tiff",
    "write_zarr",
]
