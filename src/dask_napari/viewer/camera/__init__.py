"""The view: the camera, and the index on each axis."""

from __future__ import annotations

from dask_napari.viewer.camera._camera_fit import CameraFit
from dask_napari.viewer.camera._viewpoint import viewpoint

__all__ = ["CameraFit", "viewpoint"]
