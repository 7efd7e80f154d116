"""The dock widget."""

from __future__ import annotations

from dask_napari.viewer.dock._dock import LiveDock

__all__ = [
    "LiveDock",
]
