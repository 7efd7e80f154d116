"""Clicks on the canvas, which open the dock's panel of what is under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from dask_napari.viewer.layers import Layers, PointedEntry, Pointer

if TYPE_CHECKING:
    import napari

LEFT: Final = 1

SLACK: Final = 4.0
"""Pixels of the screen that the mouse may move within a click; a hand is never still."""


class Clicks:
    """Show what the user clicks, while no tool of a layer is in use.

    A drag moves the camera, and a click with a tool, or with a key held down, is that tool's.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        layers: Layers,
        show: Callable[[PointedEntry | None], None],
    ) -> None:
        self._viewer = viewer
        self._layers = layers
        self._show = show
        viewer.mouse_drag_callbacks.append(self._on_press)

    def __repr__(self) -> str:
        return f"<Clicks on {self._layers}>"

    def close(self) -> None:
        """Let go of the viewer."""
        if self._on_press in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_press)

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        active = self._viewer.layers.selection.active
        is_in_use = active is not None and str(active.mode) != "pan_zoom"
        if event.button != LEFT or event.modifiers or is_in_use:
            return
        y, x = event.pos
        pointer = Pointer(event.position, event.view_direction, event.dims_displayed)
        yield
        while event.type == "mouse_move":
            yield
        if abs(event.pos[0] - y) <= SLACK and abs(event.pos[1] - x) <= SLACK:
            self._show(self._layers.pointed.topmost(self._viewer.layers, pointer))
