"""Tracks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas.elements import Block, Rows
from dask_napari.model import ARRIVAL_AXIS, Item, Refusal
from dask_napari.viewer.layers._element_stream import PRIVATE, ElementStream, features
from dask_napari.viewer.layers._layer_stream import LayerContext, StreamStart
from dask_napari.viewer.napari_internals import Elements, Tracks

NUMBER: Final = PRIVATE + "number"
"""Column of the numbers of tracks, as the item has them."""

GROUP: Final = PRIVATE + "group"
"""Column of which tracks share their numbers."""

MAX_NUMBER: Final = 1_000_000
"""Largest number that napari gets: it keeps tables as long as that."""

DEFAULT_AXES: Final = ("t", "z", "y", "x")

Ids = npt.NDArray[np.int64]


class TracksStream(ElementStream):
    """Tracks. The layer holds those at the present steps, at all times.

    napari's tracks have axes of their own, time and space. Time may be any of the viewer's
    sliders; the other sliders pick which tracks are there. Items at one place but for the time
    share their numbers, so that tracks may come frame by frame.
    """

    set_by_user: ClassVar[tuple[str, ...]] = (*ElementStream.set_by_user, "_colour")

    _time = ""
    _step: float | None = None
    _colour = "track_id"

    def __init__(self, context: LayerContext, start: StreamStart) -> None:
        super().__init__(context, start)
        self._groups: dict[frozenset[Any], int] = {}

    def block(self, item: Item) -> Block:
        """Return the elements of an item."""
        numbers = item.data[:, 0]
        count = item.data.shape[1] - 1
        axes = item.calibration.axes or (DEFAULT_AXES[:1] + DEFAULT_AXES[5 - count :])
        if len(axes) != count or axes[0] in DEFAULT_AXES[1:]:
            raise Refusal(
                "tracks without a time", f"the first of the axes {axes} has to be the time"
            )
        graph = item.arrays.get("graph")
        columns: dict[str, npt.NDArray[Any]] = dict(item.features)
        columns[NUMBER] = numbers.astype(np.int64)
        group = self._groups.get(self._place(item, axes[0]), len(self._groups))
        columns[GROUP] = np.full(len(numbers), group, np.int64)
        return Block(item.data[:, 1:], axes, columns, None if graph is None else (group, graph))

    def corners(self, item: Item) -> npt.NDArray[Any]:
        """Return the vertices of tracks."""
        return item.data[:, 1:]

    def put(self, item: Item, position: Mapping[str, Any], steps: tuple[int, ...] | None) -> bool:
        """Lay an item on the canvas; return whether an axis grew."""
        grew = super().put(item, position, steps)
        self._groups.setdefault(self._place(item, self._time), len(self._groups))
        return grew

    @staticmethod
    def _place(item: Item, time: str) -> frozenset[Any]:
        """Return the place of an item but for the time."""
        place = item.position or {ARRIVAL_AXIS: item.provenance.key}
        return frozenset(each for each in place.items() if each[0] != time)

    def _calibrate(self, axes: tuple[str, ...]) -> None:
        self._time = axes[0]
        super()._calibrate(axes)

    # -- the layer's own axes ----------------------------------------------------------------

    @property
    def large(self) -> bool:
        """Return whether the layer holds only the elements in view."""
        return True

    @property
    def ndim(self) -> int:
        """Time and the axes in space."""
        return 1 + min(3, len(self._space()))

    def _space(self) -> list[str]:
        return [name for name in self.axes.spatial if name != self._time]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the axes of the layer."""
        return self.axes.labels[-self.ndim :]

    @property
    def layer_axes(self) -> int:
        """Number of leading axes of the layer that are sliders."""
        return max(0, self.ndim - len(self.axes.spatial))

    def at(self) -> list[float | None]:
        """Return the index in view on each axis: all times, and nothing repeated."""
        labels = self.axes.labels
        return [
            None if name == self._time else (0.0 if index is None else index)
            for name, index in zip(labels, super().at(), strict=True)
        ]

    def now(self) -> float | None:
        """Return the time that the viewer shows, None for all times."""
        if self._time not in self.axes.labels:
            return None
        return super().at()[self.axes.labels.index(self._time)]

    def _attach(self, layer: Any) -> None:
        super()._attach(layer)
        layer.now = self.now

    def update(self, now: float, *, force: bool = False) -> bool:
        """Bring the napari layer up to date; return whether it was redrawn."""
        drawn = super().update(now, force=force)
        step = self.now()
        if step != self._step and self.layer is not None:
            # The axis of time need not be one of the layer's, so that napari may not see it move.
            self.layer.events.set_data()
            self._step = step
        return drawn

    # -- the napari layer --------------------------------------------------------------------

    def make(self, rows: Rows, arguments: dict[str, Any]) -> Elements:
        """Make the napari layer."""
        data, table, graph = self._tables(rows)
        colour = arguments.pop("color_by", "track_id")
        layer = Tracks(data, features=table, graph=graph, **arguments)
        if colour in layer.features:
            layer.color_by = colour
        self._colour = colour
        return layer

    def load(self, rows: Rows, kept: int) -> None:
        """Give the napari layer its elements."""
        layer = self.layer
        assert isinstance(layer, Tracks)
        if layer.color_by != "track_id" or self._colour not in layer.features:
            self._colour = layer.color_by if layer.color_by != "track_id" else self._colour
        else:
            self._colour = "track_id"  # by the user's hand
        data, table, graph = self._tables(rows)
        with warnings.catch_warnings():
            # It forgets the features with every change of data, and warns of the colours.
            warnings.simplefilter("ignore", UserWarning)
            layer.data = data
            layer.features = table
        layer.graph = graph
        if self._colour in layer.features:
            layer.color_by = self._colour

    def _tables(
        self, rows: Rows
    ) -> tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[Any]], dict[int, list[int]]]:
        """Return data, features and graph for napari."""
        table = features(rows)
        if not len(rows):
            # It takes no empty tracks; one of a single vertex draws nothing.
            return np.zeros((1, 1 + self.ndim)), _blanks(table), {}
        labels = self.axes.labels
        inner = [labels.index(name) for name in (self._time, *self._space()[-3:])]
        ids, edges = _distinct(rows)
        data = np.column_stack([ids, rows.coordinates[:, inner]])
        return data, table, edges


def _blanks(table: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return one row of a table that has none."""
    return {
        name: np.zeros(1, column.dtype) if column.dtype.kind in "biuf" else np.full(1, "")
        for name, column in table.items()
    }


def _distinct(rows: Rows) -> tuple[Ids, dict[int, list[int]]]:
    """Number tracks so that those of different groups differ; and link them as they were."""
    numbers, groups = rows.columns[NUMBER], rows.columns[GROUP]
    single = bool((groups == groups[0]).all())
    if single and numbers.min() >= 0 and numbers.max() <= MAX_NUMBER:
        ids = numbers
        known = {(int(groups[0]), number): number for number in np.unique(numbers).tolist()}
    else:
        pairs, inverse = np.unique(np.stack([groups, numbers], 1), axis=0, return_inverse=True)
        ids = inverse.reshape(-1) + 1
        known = {(group, number): at + 1 for at, (group, number) in enumerate(pairs.tolist())}
    edges: dict[int, list[int]] = {}
    for group, graph in rows.extras:
        for child, parent in graph.tolist():
            one, other = known.get((group, child)), known.get((group, parent))
            # A track whose frames have not come yet has nothing to be linked to.
            if one is not None and other is not None and other not in edges.get(one, []):
                edges.setdefault(one, []).append(other)
    return ids, edges
