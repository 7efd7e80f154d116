"""The camera: all there is stays in sight, until the user looks closer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari


class CameraFit:
    """Fit the view when what is shown has grown, or the room for it has changed.

    napari does so once, for the first layer: before the docks take their part of the window, and
    before a plate has its headings. A camera that somebody has moved is theirs from then on.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = viewer
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
        self._viewer.reset_view()
        self._fitted, self._left, self._size = wanted, self._camera, self._viewer.canvas.size

    @property
    def _wanted(self) -> tuple[object, ...]:
        """All that the view depends on."""
        viewer = self._viewer
        extent = viewer.layers.extent.world[:, list(viewer.dims.displayed)]
        return viewer.canvas.size, viewer.dims.displayed, extent.tolist()

    @property
    def _camera(self) -> tuple[object, ...]:
        camera = self._viewer.scene.camera
        return camera.center, camera.zoom, camera.angles
