"""Points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dask_napari.canvas.elements import Block, Rows
from dask_napari.model import Item
from dask_napari.viewer.layers._element_stream import ElementStream, features
from dask_napari.viewer.napari_internals import Elements, Points, current_color

LOOKS = {
    "size": "current_size",
    "symbol": "current_symbol",
    "border_width": "current_border_width",
    "shown": "",
    "face_color": "current_face_color",
    "border_color": "current_border_color",
}
"""Settings of each point, and where napari keeps those of new points."""


class PointsStream(ElementStream):
    """Points."""

    editable: ClassVar[bool] = True
    may_be_empty: ClassVar[bool] = True
    colours: ClassVar[tuple[str, ...]] = ("face", "border")

    def block(self, item: Item) -> Block:
        """Return the elements of an item."""
        return Block(item.data, item.calibration.axes, item.features)

    def element_index(self, value: Any) -> int | None:
        """Return the index, in the layer, of the element that napari names; None for none."""
        return None if value is None else int(value)

    def element_place(self, value: Any) -> Sequence[float] | None:
        """Return where an element lies on all axes, None if napari does not tell."""
        assert isinstance(self.layer, Points)
        place: list[float] = self.layer.data[int(value)].tolist()
        return place

    def make(self, rows: Rows, arguments: dict[str, Any]) -> Elements:
        """Make the napari layer."""
        if arguments.get("border_width") == 0:
            # vispy gives points that it enlarges to two pixels a border all the same, so that
            # from afar nothing else is seen of them.
            arguments = {"canvas_size_limits": (0, 10_000), **arguments}
        return Points(rows.coordinates, ndim=self.ndim, features=features(rows), **arguments)

    def looks(self, layer: Any) -> dict[str, npt.NDArray[Any]]:
        """Return the looks of each point, by the attribute for new points."""
        return {
            current: np.asarray(getattr(layer, name))
            for name, current in LOOKS.items()
            if current and str(getattr(layer, f"{name}_mode", "direct")) == "direct"
        }

    def complete(self) -> tuple[Any, dict[str, Any]] | None:
        """Return data and arguments of all elements; None if the layer holds them."""
        if not self.large:
            return None
        rows, looks = self.canvas.all_rows(), {"shown": True}
        looks |= {name: getattr(self.layer, current) for name, current in LOOKS.items() if current}
        table = features(rows)
        return rows.coordinates, {**looks, "features": table, "properties": table}

    def load(self, rows: Rows, kept: int) -> None:
        """Give the napari layer its elements; the first ``kept`` are those it has."""
        layer = self.layer
        assert isinstance(layer, Points)
        looks: dict[str, Any] = {}
        for name, current in LOOKS.items():
            if name.endswith("color") and str(getattr(layer, f"{name}_mode")) != "direct":
                continue  # it follows from the features
            values = np.asarray(getattr(layer, name))
            new = getattr(layer, current) if current else True
            if name.endswith("color"):
                new = current_color(layer, "face" if name == "face_color" else "border")
            if len(values) and not ((values == values[0]).all() and np.all(values[0] == new)):
                looks[name] = self.carried(values, rows, new)
        layer.widen(rows.coordinates.shape[1])
        layer.data = rows.coordinates
        if (table := features(rows)) or len(layer.features.columns):
            layer.features = table
        for name, values in looks.items():
            setattr(layer, name, values)
