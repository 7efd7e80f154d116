"""Table of the elements of a ragged canvas: where each lies, and its features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas._axes import CanvasAxes
from dask_napari.canvas.elements._blocks import Floats, Shift, Span
from dask_napari.canvas.elements._growing_columns import GrowingColumns, PreparedRows
from dask_napari.model import Coordinate

IN_COLUMN: Final = -1.0
"""Code of a row that has its coordinate on a slider axis in a column of its own. Otherwise the
code is the arrival number of the coordinate; none at all means "repeated along it"."""

MIN_DEAD: Final = 1024
"""Rows of replaced blocks that are worth the work of letting go of them."""


@dataclass(slots=True, eq=False)
class PreparedElements:
    """Elements of a block, for whose rows the table has room."""

    places: PreparedRows
    features: PreparedRows


class ElementTable:
    """Rows of all blocks, in the order of arrival.

    Columns of space are numbered from the last axis, ``.0`` being x: that number stays when axes
    come later. Sliders have a code, ``#name``, and their own values, ``=name``.
    """

    def __init__(self) -> None:
        self.features = GrowingColumns()
        self._places = GrowingColumns()
        self._dead = 0

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
        *,
        has_shift: bool,
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the columns that say where the elements of a block are.

        Their shift, if they have one, is written with the rows.
        """
        n = len(coordinates)
        places: dict[str, npt.NDArray[Any]] = {"live": np.ones(n, bool)}
        for number, name in enumerate(reversed(inner)):
            places[f".{number}"] = coordinates[:, names.index(name)]
        for name, value in position.items():
            number = axes[name].arrival_number(value) if name in axes else 0
            places["#" + name] = np.full(n, number, np.float64)
        for column, name in enumerate(names):
            if name not in inner:
                places["#" + name] = np.full(n, IN_COLUMN)
                places["=" + name] = coordinates[:, column]
        if has_shift or "shift" in self._places.names:
            places["shift"] = np.zeros((n, 2))
        return places

    def prepare(
        self,
        length: int,
        old: Span | None,
        places: Mapping[str, npt.NDArray[Any]],
        features: Mapping[str, npt.NDArray[Any]],
    ) -> PreparedElements:
        """Make room for a block, over an earlier one of that length or at the end.

        Nothing changes before :meth:`write`; features that do not fit raise a Refusal.
        """
        self.features.check(length, features)
        start = old.start if old is not None and len(old) == length else len(self)
        return PreparedElements(
            self._places.prepare(start, length, places),
            self.features.prepare(start, length, features),
        )

    def write(self, elements: PreparedElements, span: Span, old: Span | None) -> None:
        """Write the rows of a prepared block, and set them in its span; that does not fail."""
        places = elements.places
        span.start, span.stop = places.start, places.stop
        if "shift" in places.block:
            places.block["shift"][:] = span.shift
        self._places.write(places)
        self.features.write(elements.features)
        if old is not None and old.start != span.start:
            self._places["live"][old.start : old.stop] = False
            self._dead += len(old)

    def compact(self, spans: Iterable[Span]) -> bool:
        """Let go of the rows of replaced blocks if they are many; true if rows were renumbered."""
        if self._dead <= max(MIN_DEAD, len(self) // 2):
            return False
        live = self._places["live"]
        before = np.concatenate(([0], np.cumsum(live)))
        self._places, self.features = self._places.selected(live), self.features.selected(live)
        for span in spans:
            span.start, span.stop = int(before[span.start]), int(before[span.stop])
        self._dead = 0
        return True

    def move(self, shifts: Iterable[tuple[Span, Shift]]) -> None:
        """Move the rows of blocks to other shifts."""
        if "shift" not in self._places.names:
            self._places.add("shift", np.zeros((len(self), 2)))
        column = self._places["shift"]
        for span, shift in shifts:
            span.shift = shift
            column[span.start : span.stop] = shift

    def in_space(self, n_axes: int, rows: npt.NDArray[np.intp]) -> Floats:
        """Return the coordinates of rows in space; NaN along axes that their blocks lack."""
        coordinates = np.full((len(rows), n_axes), np.nan)
        for number in range(n_axes):
            if f".{number}" in self._places.names:
                coordinates[:, n_axes - 1 - number] = self._places[f".{number}"][rows]
        if "shift" in self._places.names:
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
