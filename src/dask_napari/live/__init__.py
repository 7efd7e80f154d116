"""The client's side: ``watch`` opens the viewer and registers the sinks, ``Live`` holds both."""

from __future__ import annotations

from dask_napari.live.handle import Live
from dask_napari.live.watching import watch

__all__ = ["Live", "watch"]
