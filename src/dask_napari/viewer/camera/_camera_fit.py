"""The camera: all there is stays in sight, until the user looks closer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import napari


MARGIN: Final = 0.05
"""Part of the canvas around what is shown, as napari has it."""


class CameraFit:
    """Fit the view when what is shown has grown, or the room for it has changed.

    napari does so once, for the first layer: before the docks take their part of the window, and
    before a plate has its headings. A camera that somebody has moved is theirs from then on.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    room : callable
        Returns the pixels of the screen that are needed beside what is shown.
    """

    def __init__(self, viewer: napari.viewer.Viewer, room: Callable[[], float] = float) -> None:
        self._viewer = viewer
        self._room = room
        self._ours = False
        self._left: object = None
        """The camera as the last fit left it; None if the next is due in any case."""
        self._fitted: object = None
        self._size: object = None

    def __repr__(self) -> str:
        return f"<CameraFit of {self._fitted}{'' if self._ours else ', left to the user'}>"

    def start(self) -> None:
        """Fit the view to what comes next, wherever the camera is now."""
        self._ours, self._left, self._fitted = True, None, None

    def update(self, drawn: bool) -> None:
        """Fit the view if need be; ``drawn`` says whether any layer has changed."""
        if not self._ours or not (drawn or (self._left and self._viewer.canvas.size != self._size)):
            return
        wanted = self._wanted
        if wanted == self._fitted:
            return
        if self._left is not None and self._camera != self._left:
            self._ours = False
            return
        self._viewer.reset_view(margin=self._margin())
        self._fitted, self._left, self._size = wanted, self._camera, self._viewer.canvas.size

    def _margin(self) -> float:
        """Return the part of the canvas beside what is shown, along the axis that it fills."""
        first, last = self._extent()[:, -2:]
        size = np.maximum(1, self._viewer.canvas.size)
        filled = int(np.argmax((last - first) / size))
        return min(0.5, max(MARGIN, 2 * self._room() / float(size[filled])))

    def _extent(self) -> Any:
        viewer = self._viewer
        return viewer.layers.extent.world[:, list(viewer.dims.displayed)]

    @property
    def _wanted(self) -> tuple[object, ...]:
        """All that the view depends on."""
        viewer = self._viewer
        return viewer.canvas.size, viewer.dims.displayed, self._extent().tolist(), self._room()

    @property
    def _camera(self) -> tuple[object, ...]:
        camera = self._viewer.scene.camera
        return camera.center, camera.zoom, camera.angles
