"""Images and labels: a canvas behind one napari layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dask_napari.canvas import Axes, Canvas
from dask_napari.stream.item import Item, LayerSpec
from dask_napari.viewer.contrast import RunningContrast
from dask_napari.viewer.stream import CannotShow, Stream

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer


class PixelStream(Stream):
    """Images or labels.

    Parameters
    ----------
    name, viewer, axes, item, spec, options
        See :class:`~dask_napari.viewer.stream.Stream`.
    """

    def __init__(
        self,
        name: str,
        viewer: napari.viewer.Viewer,
        axes: Axes,
        item: Item,
        spec: LayerSpec | None,
        options: dict[str, Any],
    ) -> None:
        super().__init__(name, viewer, axes, item, spec, options)
        colour = item.data.shape[-1] if item.rgb else 0
        self.canvas = Canvas(axes, labels=item.kind == "labels", colour=colour)
        follows = item.kind == "image" and not item.rgb and "contrast_limits" not in options
        self.contrast = RunningContrast(fixed=not follows)

    def put(self, item: Item, sliders: Mapping[str, Any], steps: tuple[int, ...] | None) -> bool:
        """Lay an item on the canvas; true if an axis grew."""
        if item.rgb != bool(self.canvas.colour):
            raise CannotShow("colour and grey images on one layer")
        order = tuple(self.spec.axes) if self.spec else ()
        change = self.canvas.put(sliders, item.data, order=order, names=item.calibration.axes)
        self.contrast.observe(item.data)
        self.grew |= change.grew
        self.touched |= self.layer is None or steps is None or self.canvas.seen(change.place, steps)
        return change.grew

    @property
    def ndim(self) -> int:
        """Number of axes of the napari layer."""
        return self.canvas.ndim - bool(self.canvas.colour)

    def add(self) -> Layer:
        """Make the napari layer."""
        options = {**self.arguments(), "multiscale": False}
        if self.kind == "labels":
            return self.viewer.add_labels(self.canvas, **options, **self.options)
        options["rgb"] = bool(self.canvas.colour)
        if not self.canvas.colour and "contrast_limits" not in self.options:
            options["contrast_limits"] = self.contrast.limits
        layer = self.viewer.add_image(self.canvas, **options, **self.options)
        self.contrast.attach(layer)
        return layer

    def set_data(self) -> None:
        """Make napari ask for shape and type again; it copies nothing."""
        assert self.layer is not None
        self.layer.data = self.layer.data

    def update(self, now: float) -> bool:
        """Bring the napari layer up to date; true if it was redrawn."""
        drawn = super().update(now)
        if self.layer is not None and not self.contrast.fixed:
            self.contrast.apply(self.layer)
        return drawn
