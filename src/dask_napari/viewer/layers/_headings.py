"""Names of rows and columns beside a plate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Points

from dask_napari.viewer.napari_internals import selection_kept

if TYPE_CHECKING:
    import napari

    from dask_napari.canvas import Mosaic


NAME: Final = "plate"

TEXT_SIZE: Final = 10
"""Points; napari draws text in the size of the screen, not of the plate."""


class Headings:
    """Napari layer of text; made when there is a plate, and again only if the plate changes."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._shown: tuple[object, ...] = ()

    def __repr__(self) -> str:
        return f"<Headings: {max(0, len(self._shown) - 1)}>"

    def update(self, mosaic: Mosaic, unit: str) -> None:
        """Show the headings of a mosaic, whose coordinates are in ``unit``."""
        headings = mosaic.headings
        wanted = (unit, *headings)
        if wanted == self._shown or not (headings or self._shown):
            return
        if self._layer is not None and self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)
        self._layer, self._shown = None, ()
        if not headings:
            return
        self._layer = Points(
            np.array([(heading.y, heading.x) for heading in headings]),
            name=NAME,
            features={"name": [heading.text for heading in headings]},
            text={"string": "{name}", "size": TEXT_SIZE, "color": "white", "anchor": "center"},
            size=0,
            face_color="transparent",
            border_color="transparent",
            units=(unit, unit),
        )
        self._layer.editable = False
        with selection_kept(self._viewer.layers):
            self._viewer.add_layer(self._layer)
        self._shown = wanted
