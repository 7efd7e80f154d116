"""Registry of the kinds: a new one is a module with an ``OutputKind``, and a row here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dask_napari.coerce._images import IMAGE, LABELS
from dask_napari.coerce._output_kind import OutputKind
from dask_napari.coerce._points import POINTS
from dask_napari.coerce._shapes import SHAPES
from dask_napari.coerce._surfaces import SURFACE
from dask_napari.coerce._tracks import TRACKS
from dask_napari.coerce._vectors import VECTORS

OUTPUT_KINDS: Final[Mapping[str, OutputKind]] = {
    "image": IMAGE,
    "labels": LABELS,
    "points": POINTS,
    "shapes": SHAPES,
    "tracks": TRACKS,
    "vectors": VECTORS,
    "surface": SURFACE,
}
