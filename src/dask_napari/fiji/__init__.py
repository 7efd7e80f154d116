"""Fiji and ImageJ as a viewer: images as growing hyperstacks, points and shapes as ROIs.

Needs ImageJ or Fiji, and ``javac``, with which the plugin beside this file is compiled.
"""

from __future__ import annotations

from dask_napari.fiji._fiji_viewer import FijiViewer
from dask_napari.fiji._imagej_programs import ImageJPrograms, MissingImageJ

__all__ = ["FijiViewer", "ImageJPrograms", "MissingImageJ"]
