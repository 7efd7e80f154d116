"""Vectors."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas.elements import Block, Rows
from dask_napari.model import Item
from dask_napari.viewer.layers._element_stream import PRIVATE, ElementStream, features
from dask_napari.viewer.napari_internals import Elements, Vectors, current_color

PROJECTION: Final = PRIVATE + "projection"
"""Column of the vectors themselves, beside that of where they start."""

MAX_SPACE: Final = 8
"""Room for axes in space; a column has one width, and those of 2-D vectors are padded."""


class VectorsStream(ElementStream):
    """Vectors: where each starts, and how far it goes."""

    may_be_empty: ClassVar[bool] = True
    colours: ClassVar[tuple[str, ...]] = ("edge",)

    def block(self, item: Item) -> Block:
        """Return the elements of an item."""
        axes = item.calibration.axes
        inner = self.canvas.spatial_columns(axes, item.data.shape[2])
        projection = np.zeros((len(item.data), MAX_SPACE))
        projection[:, MAX_SPACE - len(inner) :] = item.data[:, 1][:, inner]
        return Block(item.data[:, 0], axes, {**item.features, PROJECTION: projection})

    def corners(self, item: Item) -> npt.NDArray[Any]:
        """Return where vectors start and end."""
        starts, lengths = item.data[:, 0], item.data[:, 1]
        return np.concatenate((starts, starts + lengths))

    def make(self, rows: Rows, arguments: dict[str, Any]) -> Elements:
        """Make the napari layer."""
        table = features(rows)
        return Vectors(self._data(rows), ndim=self.ndim, features=table, **arguments)

    def load(self, rows: Rows, kept: int) -> None:
        """Give the napari layer its elements; the first ``kept`` are those it has."""
        layer = self.layer
        assert isinstance(layer, Vectors)
        colours = None
        if str(layer.edge_color_mode) == "direct" and len(layer.data):
            colours = self.carried(np.asarray(layer.edge_color), rows, current_color(layer, "edge"))
        layer.widen(rows.coordinates.shape[1])
        layer.data = self._data(rows)
        if (table := features(rows)) or len(layer.features.columns):
            layer.features = table
        if colours is not None and len(colours):
            layer.edge_color = colours

    def _data(self, rows: Rows) -> npt.NDArray[np.float64]:
        data = np.zeros((len(rows), 2, rows.coordinates.shape[1]))
        data[:, 0] = rows.coordinates
        space = len(self.axes.spatial)
        data[:, 1, -space:] = rows.columns[PROJECTION][:, -space:]
        return data
