"""Surfaces: meshes, side by side on one layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas import position_key
from dask_napari.canvas.elements import Block, Rows
from dask_napari.model import Item
from dask_napari.viewer.layers._contrast import Contrast
from dask_napari.viewer.layers._element_stream import PRIVATE, ElementStream
from dask_napari.viewer.layers._layer_stream import LayerContext, StreamStart
from dask_napari.viewer.layers._recent_ranges import RecentRanges, value_range
from dask_napari.viewer.napari_internals import Elements, Surface

VALUE: Final = PRIVATE + "value"
"""Column of the values of vertices."""

Mesh = tuple[npt.NDArray[np.float64], npt.NDArray[np.intp], npt.NDArray[Any]]


class SurfaceStream(ElementStream):
    """Meshes. The layer holds those at the present steps, all as one."""

    set_by_user: ClassVar[tuple[str, ...]] = (*ElementStream.set_by_user, "contrast")

    def __init__(self, context: LayerContext, start: StreamStart) -> None:
        super().__init__(context, start)
        mode = start.spec.contrast if start.spec else "running"
        self.contrast: Contrast = Contrast(mode, by_hand="contrast_limits" in self.options)
        self.ranges: RecentRanges = RecentRanges()

    def block(self, item: Item) -> Block:
        """Return the elements of an item."""
        values = item.arrays.get("values", np.ones(len(item.data))).astype(float)
        faces = item.arrays["faces"].astype(np.intp)
        return Block(item.data, item.calibration.axes, {VALUE: values}, faces)

    def put(self, item: Item, position: Mapping[str, Any], steps: tuple[int, ...] | None) -> bool:
        """Lay an item on the canvas; return whether an axis grew."""
        values = item.arrays.get("values", np.ones(len(item.data)))
        found = value_range(values)
        grew = super().put(item, position, steps)
        self.ranges.extend(position_key(position), found)
        return grew

    @property
    def large(self) -> bool:
        """Return whether the layer holds only the elements in view."""
        return True

    def at(self) -> list[float | None]:
        """Return the index in view on each axis; an axis shown in space cannot repeat a mesh."""
        return [0.0 if index is None else index for index in super().at()]

    def element_index(self, value: Any) -> int | None:
        """Return the index, in the layer, of the vertex that napari names; None for none."""
        return None if value is None or value[1] is None else int(value[1])

    def make(self, rows: Rows, arguments: dict[str, Any]) -> Elements:
        """Make the napari layer."""
        arguments = {"contrast_limits": self.ranges.limits, **arguments}
        layer = Surface(self._mesh(rows), **arguments)
        self.contrast.attach(layer, lambda surface: surface.vertex_values)
        return layer

    def load(self, rows: Rows, kept: int) -> None:
        """Give the napari layer its elements."""
        assert isinstance(self.layer, Surface)
        self.layer.data = self._mesh(rows)

    def update(self, now: float, *, force: bool = False) -> bool:
        """Bring the napari layer up to date; return whether it was redrawn."""
        drawn = super().update(now, force=force)
        if self.layer is not None:
            self.contrast.follow(self.ranges)
        return drawn

    def _mesh(self, rows: Rows) -> Mesh:
        """Return the meshes as one, each one's faces counting from its own vertices."""
        faces = [span.extra + span.start for span in rows.spans]
        if not len(rows):
            # napari takes no empty surface; a triangle without an area is as good.
            return np.zeros((3, self.ndim)), np.arange(3)[np.newaxis], np.zeros(3)
        joined = np.concatenate(faces) if faces else np.empty((0, 3), np.intp)
        return rows.coordinates, joined, rows.columns[VALUE]
