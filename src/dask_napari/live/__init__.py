"""The client's side: ``watch`` opens the viewer and registers the sinks, ``Live`` holds both."""

from __future__ import annotations

from dask_napari.live._cluster_attachment import ClusterAttachment
from dask_napari.live._live import Live
from dask_napari.live._viewer_process import ViewerFailed, ViewerProcess
from dask_napari.live._watch import watch

__all__ = [
    "ClusterAttachment",
    "Live",
    "ViewerFailed",
    "ViewerProcess",
    "watch",
]
