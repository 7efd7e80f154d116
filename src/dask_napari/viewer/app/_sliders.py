"""The sliders: where the viewer looks, and what that place is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    import napari

    from dask_napari.canvas import CanvasAxes
    from dask_napari.viewer.layers import Layers


FOLLOW_INTERVAL: Final = 0.2
"""Seconds between moves to the newest item; faster, nobody could see any of them."""


class Sliders(QObject):  # type: ignore[misc]
    """Keep the sliders on the coordinates that the user looks at, while axes grow under them.

    Coordinates that come late get an index before others; the user then keeps looking at the
    same coordinate under another index. As long as the user has not moved a slider, or has
    moved all of them to their ends, the viewer follows the newest item.
    """

    following_changed: Signal = Signal(bool)

    def __init__(self, viewer: napari.viewer.Viewer, layers: Layers) -> None:
        super().__init__()
        self._viewer = viewer
        self._layers = layers
        self.following = True
        """Whether the viewer moves to the newest item; set by :meth:`follow`."""
        self._moving = False
        self._shown: dict[str, Any] = {}
        self._described = False
        self._version: tuple[CanvasAxes | None, int] = (None, -1)
        self._followed_at = 0.0
        self._moved_to: Mapping[str, Any] | None = None
        viewer.dims.events.current_step.connect(self._on_step)

    def __repr__(self) -> str:
        return f"<Sliders at {self._shown}{', following' if self.following else ''}>"

    def close(self) -> None:
        """Let go of the viewer; without this, its text would name a place that has been left."""
        self._viewer.dims.events.current_step.disconnect(self._on_step)
        if self._described:
            self._viewer.canvas.overlays.text.visible = self._described = False

    def follow(self, on: bool) -> None:
        """Move to the newest item from now on, or stay."""
        if on != self.following:
            self.following = on
            self.following_changed.emit(on)

    def go_to(self, position: Mapping[str, Any]) -> None:
        """Move to a position, and stay there."""
        self.follow(False)
        names = self._layers.axes.names
        self._shown = {**self._shown, **{n: at for n, at in position.items() if n in names}}
        self._move()

    def update(self, now: float, *, force: bool = False) -> None:
        """Bring the sliders in line with axes that may have grown; at once with ``force``."""
        axes = self._layers.axes
        if not self._layers.streams:
            return
        newest = self._layers.newest
        if self.following and newest is not None and newest[0] is not self._moved_to:
            first = not self._shown
            if first or force or now - self._followed_at >= FOLLOW_INTERVAL:
                self._followed_at = now
                self._moved_to = newest[0]
                self._shown = {**self._shown, **newest[0]}
                self._move()
        if (axes, axes.version) != self._version:
            self._version = axes, axes.version
            self._move()
            self._name_axes()
            self.describe()

    def _move(self) -> None:
        """Go to the coordinates that are, or should be, shown."""
        axes, dims = self._layers.axes, self._viewer.dims
        offset = self._layers.offset
        if offset is None:
            return
        steps = list(dims.current_step)
        for turn, name in enumerate(axes.names):
            coordinate = self._shown.get(name)
            if coordinate is None:
                self._shown[name] = axes[name][0]
            elif axes[name].canonical(coordinate) in axes[name]:
                steps[turn + offset] = axes[name].index(axes[name].canonical(coordinate))
        if steps != list(dims.current_step):
            self._moving = True
            try:
                dims.current_step = tuple(steps)
            finally:
                self._moving = False
        self.describe()

    def _on_step(self) -> None:
        if self._moving:
            return
        axes = self._layers.axes
        steps = self._layers.steps()
        if steps is None or self._version != (axes, axes.version):
            return  # napari's own move while an axis grows, not the user's
        now = axes.coordinates(steps)
        if any(self._shown.get(name) != at for name, at in now.items()):
            self._shown = dict(now)
            self.follow(all(step == size - 1 for step, size in zip(steps, axes.shape, strict=True)))
        self.describe()

    def _name_axes(self) -> None:
        labels, dims = self._layers.axes.labels, self._viewer.dims
        if dims.ndim == len(labels) and tuple(dims.axis_labels) != labels:
            dims.axis_labels = labels

    def describe(self) -> None:
        """Show the names of the current coordinates on the canvas: sliders have only numbers."""
        axes = self._layers.axes
        steps = self._layers.steps()
        if steps is None or not (steps or self._described):
            return
        text = " · ".join(f"{name} {at}" for name, at in axes.coordinates(steps).items())
        overlay = self._viewer.canvas.overlays.text
        if overlay.text != text:
            overlay.text = text
        # Without sliders, as with everything side by side, there is nothing to say any more.
        overlay.visible = self._described = bool(text)
