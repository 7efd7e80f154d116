"""Table of the elements of a ragged canvas: where each lies, and its features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas._axes import CanvasAxes
from dask_napari.canvas.elements._blocks import Floats, Span
from dask_napari.canvas.elements._growing_columns import GrowingColumns
from dask_napari.model import Coordinate

IN_COLUMN: Final = -1.0
"""Code of a row that has its coordinate on a slider axis in a column of its own. Otherwise the
code is the arrival number of the coordinate; none at all means "repeated along it"."""

MIN_DEAD: Final = 1024
"""Rows of replaced blocks that are worth the work of letting go of them."""


class ElementTable:
    """Rows of all blocks, in the order of arrival.

    Columns of space are numbered from the last axis, ``.0`` being x: that number stays when axes
    come later. Sliders have a code, ``#name``, and their own values, ``=name``.
    """

    def __init__(self) -> None:
        self.features = GrowingColumns()
        self._places = GrowingColumns()
        self._dead = 0
        self._has_shifts = False

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"<ElementTable {len(self)} rows, {self._dead} of them replaced>"

    @property
    def n_live(self) -> int:
        """Number of rows whose blocks were not replaced."""
        return len(self) - self._dead

    @property
    def live(self) -> npt.NDArray[np.intp]:
        """Numbers of the rows whose blocks were not replaced."""
        return np.flatnonzero(self._places["live"]) if self._dead else np.arange(len(self))

    def place_columns(
        self,
        axes: CanvasAxes,
        position: Mapping[str, Coordinate],
        coordinates: Floats,
        names: tuple[str, ...],
        inner: Sequence[str],
        shift: tuple[float, float],
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the columns that say where the elements of a block are."""
        n = len(coordinates)
        places: dict[str, npt.NDArray[Any]] = {"live": np.ones(n, bool)}
        for number, name in enumerate(reversed(inner)):
            places[f".{number}"] = coordinates[:, names.index(name)]
        for name, value in position.items():
            places["#" + name] = np.full(n, axes[name].arrival_number(value), np.float64)
        for column, name in enumerate(names):
            if name not in inner:
                places["#" + name] = np.full(n, IN_COLUMN)
                places["=" + name] = coordinates[:, column]
        if any(shift) or self._has_shifts:
            self._has_shifts = True
            places["shift"] = np.tile(np.asarray(shift, np.float64), (n, 1))
        return places

    def write(
        self,
        span: Span,
        old: Span | None,
        places: Mapping[str, npt.NDArray[Any]],
        features: Mapping[str, npt.NDArray[Any]],
    ) -> None:
        """Write the rows of a block, over those of an earlier one of that length or at the end."""
        length = len(span)
        if old is not None and len(old) == length:
            span.start, span.stop = old.start, old.stop
            self._places.replace(old.start, places, length)
            self.features.replace(old.start, features, length)
            return
        if old is not None:
            self._places["live"][old.start : old.stop] = False
            self._dead += len(old)
        span.start, span.stop = len(self), len(self) + length
        self._places.append(length, places)
        self.features.append(length, features)

    def compact(self, spans: Iterable[Span]) -> bool:
        """Let go of the rows of replaced blocks if they are many; true if rows were renumbered."""
        if self._dead <= max(MIN_DEAD, len(self) // 2):
            return False
        live = self._places["live"].copy()
        before = np.concatenate(([0], np.cumsum(live)))
        for span in spans:
            span.start, span.stop = int(before[span.start]), int(before[span.stop])
        self._places.keep(live)
        self.features.keep(live)
        self._dead = 0
        return True

    def shift(self, spans: Iterable[Span]) -> None:
        """Move the rows of blocks to the shifts of their spans."""
        if not self._has_shifts:
            self._has_shifts = True
            self._places.add("shift", np.zeros((len(self), 2)))
        shifts = self._places["shift"]
        for span in spans:
            shifts[span.start : span.stop] = span.shift

    def in_space(self, n_axes: int, rows: npt.NDArray[np.intp]) -> Floats:
        """Return the coordinates of rows in space; NaN along axes that their blocks lack."""
        coordinates = np.full((len(rows), n_axes), np.nan)
        for number in range(n_axes):
            if f".{number}" in self._places.names:
                coordinates[:, n_axes - 1 - number] = self._places[f".{number}"][rows]
        if self._has_shifts and "shift" in self._places.names:
            coordinates[:, -2:] += np.nan_to_num(self._places["shift"][rows])
        return coordinates

    def on_slider(self, axes: CanvasAxes, name: str, rows: npt.NDArray[np.intp]) -> Floats:
        """Return the indices of rows on a slider; NaN for those that are repeated along it."""
        indices = np.full(len(rows), np.nan)
        if "#" + name not in self._places.names:
            return indices
        codes = self._places["#" + name][rows]
        ranks = np.asarray(axes[name].ranks(), np.float64)
        coded = codes >= 0
        indices[coded] = ranks[codes[coded].astype(np.intp)]
        in_column = codes == IN_COLUMN
        if in_column.any():
            known = [
                (float(value), index)
                for index, value in enumerate(axes[name].coordinates)
                if not isinstance(value, str)
            ]
            values = self._places["=" + name][rows][in_column]
            if known:
                numbers, places = np.asarray(known).T
                indices[in_column] = np.interp(values, numbers, places)
            else:
                indices[in_column] = 0.0
        return indices
