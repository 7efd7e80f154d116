"""Features of labels: a table an item; napari gets those in view."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas import CanvasAxes, PositionIndex, PositionKey
from dask_napari.canvas.elements import GrowingColumns
from dask_napari.model import Refusal
from dask_napari.viewer.camera import viewpoint

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels


INDEX: Final = "index"
"""Column that names the label, as napari has it."""

Table = dict[str, npt.NDArray[Any]]


class LabelFeatures:
    """Tables of features by place; the sliders of the viewer pick the table in view."""

    def __init__(self, viewer: napari.viewer.Viewer, axes: CanvasAxes) -> None:
        self._viewer = viewer
        self._axes = axes
        self._tables: PositionIndex[dict[Hashable, Table]] = PositionIndex(axes)
        self._version = 0
        self._shown: tuple[object, ...] | None = None
        self.on_layer: bool = False
        """Whether the layer has a table of ours; goes with the layer."""
        self.ambiguous = False
        """Whether tiles side by side use the same numbers, for which napari has one row each."""

    def __repr__(self) -> str:
        return f"<LabelFeatures at {len(self._tables)} places>"

    @staticmethod
    def check(table: Table) -> None:
        """Raise a Refusal if the columns of a table differ in length."""
        if len({len(column) for column in table.values()}) > 1:
            raise Refusal("features of another length")

    def put(self, key: PositionKey, tile: Hashable, table: Table) -> None:
        """Take the table of an item; an item without features takes away an earlier table."""
        if not table and not len(self._tables):
            return
        tiles = self._tables.get(key)
        if tiles is None:
            tiles = {}
            self._tables.set(key, tiles)
        tiles.pop(tile, None)
        self._version += 1
        if table:
            length = len(next(iter(table.values())))
            # Without an index, rows are for the labels from 1 on: 0 is the background.
            tiles[tile] = {INDEX: np.arange(1, length + 1), **table}

    def apply(self, layer: Labels) -> None:
        """Give a layer the table of the labels in view."""
        if not len(self._tables) and not self.on_layer:
            return  # what the layer has is the user's
        at = viewpoint(self._viewer, self._axes)[: len(self._axes)]
        wanted = (self._version, self._axes.structure, self._axes.shifts, *at)
        if wanted == self._shown:
            return
        table = self._seen(at)
        if table or len(layer.features):
            layer.features = table
        self.on_layer = bool(table)
        self._shown = wanted

    def _seen(self, at: list[float | None]) -> Table:
        """Return the tables of one place; those of several would have labels in common."""
        if any(index is None for index in at):
            return {}
        for tiles in self._tables.at(at):
            if tiles:
                table = _joined(list(tiles.values()))
                self.ambiguous |= not table
                return table
        return {}


def _joined(tables: list[Table]) -> Table:
    """Return tables of tiles side by side as one; empty if a label is in several of them."""
    if len(tables) == 1:
        return tables[0]
    columns = GrowingColumns()
    for table in tables:
        columns.append(len(table[INDEX]), table)
    index = columns[INDEX]
    if len(np.unique(index)) < len(index):
        return {}
    return {name: columns[name] for name in columns.names}
