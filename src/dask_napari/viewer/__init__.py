"""napari with the canvases as layers; the only package that imports napari and Qt."""

from __future__ import annotations
