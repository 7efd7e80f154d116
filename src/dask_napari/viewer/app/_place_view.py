"""The view of one place: its sliders, and its tile in a mosaic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dask_napari.catalog import CatalogueEntry
from dask_napari.model import NoPlace
from dask_napari.viewer.app._sliders import Sliders

if TYPE_CHECKING:
    import napari

    from dask_napari.viewer.layers import Layers


SHARE: Final = 0.4
"""Share of the canvas that a tile fills when the view goes to it: its neighbours stay in sight."""


def show_place(
    viewer: napari.viewer.Viewer, layers: Layers, sliders: Sliders, entry: CatalogueEntry
) -> None:
    """Move the sliders to the position of an entry, and the camera to its tile in a mosaic."""
    position = {**entry.meta.at}
    sliders.go_to(position)
    mosaic = layers.mosaic
    cell = mosaic.cell(position)
    if not cell:
        return
    try:
        y, x = mosaic.offset(cell)
    except (KeyError, ValueError, NoPlace):
        return  # nothing has come from there, and its place is not known before
    height, width = mosaic.tile
    camera = viewer.scene.camera
    camera.center = (*camera.center[:-2], y + height / 2, x + width / 2)
    if height and width:
        canvas_height, canvas_width = viewer.canvas.size
        wanted = SHARE * min(canvas_height / height, canvas_width / width)
        camera.zoom = max(camera.zoom, wanted)
