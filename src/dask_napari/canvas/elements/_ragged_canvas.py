"""The ragged canvas: blocks of points, shapes or vertices, as many as each place has."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas._axes import CanvasAxes
from dask_napari.canvas._changes import Change, Signature
from dask_napari.canvas.elements._blocks import Block, Floats, Rows, Span, moved
from dask_napari.canvas.elements._growing_columns import GrowingColumns
from dask_napari.canvas.elements._slider_columns import admit, is_slider, names_of
from dask_napari.model import Coordinate, plain_coordinate

At = Sequence[float | None]
"""Where one looks: an index for each axis of the viewer, None for all of an axis."""

MEASURED: Final = -1.0
"""Code of a row that has its coordinate on a slider axis in a column of its own. Otherwise the
code is the turn in which the coordinate arrived; none at all means "repeated along it"."""

MIN_DEAD: Final = 1024
"""Rows of replaced blocks that are worth the work of letting go of them."""

MAX_REPEATED: Final = 2_000_000
"""Rows that repetition may make; more would take the memory, and nobody could see them."""


class RaggedCanvas:
    """Blocks of elements kept where their coordinates put them, seen as one table.

    A block lies at a position on the slider axes; along axes that its position does not name it
    is repeated, and so it is along spatial axes that it lacks. A block that comes for a place
    where one lies replaces it, also if it is empty. Blocks that overlap because one has fewer
    axes than the other are both seen.

    A block may have columns along slider axes of the viewer, such as the time of tracks. Their
    values are coordinates, which become indices; one between two known coordinates lies between
    their indices.

    Appending costs what the block costs. Indices of sliders are worked out when rows are asked
    for, since coordinates may come in any order.

    Parameters
    ----------
    axes : CanvasAxes
        Shared by all canvases of a viewer.

    Examples
    --------
    >>> canvas = RaggedCanvas(CanvasAxes())
    >>> change = canvas.put({"t": 7}, Block(np.array([[1.0, 2.0]]), columns={"n": np.array([5])}))
    >>> change = canvas.put({"t": 5}, Block(np.array([[3.0, 4.0], [5.0, 6.0]])))
    >>> canvas.all().coordinates.tolist()
    [[1.0, 1.0, 2.0], [0.0, 3.0, 4.0], [0.0, 5.0, 6.0]]
    >>> canvas.seen((1, None, None)).columns["n"].tolist()
    [5.0]
    """

    def __init__(self, axes: CanvasAxes) -> None:
        self.axes = axes
        self.version = 0
        """Grows with every change of the rows."""
        self.generation = 0
        """Grows with every change of rows that were there before; not when rows are appended."""
        self.numbering = 0
        """Grows when rows get other numbers (:attr:`Rows.source`)."""
        self.space = 0
        """Number of spatial axes of the block that has the most."""
        self.measured: set[str] = set()
        """Slider axes along which blocks have columns."""
        self._places: dict[Signature, dict[tuple[Coordinate, ...], dict[Hashable, Span]]] = {}
        self._rows = GrowingColumns()
        self._features = GrowingColumns()
        self._dead = 0
        self._kinds: dict[tuple[frozenset[str], int], int] = {}  # rows by the axes they have
        self._shifted = False

    # -- blocks ------------------------------------------------------------------------------

    def put(
        self,
        position: Mapping[str, Any],
        block: Block,
        *,
        order: Sequence[str] = (),
        tile: Hashable = None,
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> Change:
        """Lay a block at a position; an earlier one there is replaced.

        Parameters
        ----------
        position : mapping of str to coordinate
            Axis names to coordinates.
        block : Block
            The elements; its arrays are copied.
        order : sequence of str
            Preferred order of sliders that were not seen before.
        tile : hashable, optional
            Which of several blocks side by side in space at this position it is.
        shift : tuple of float
            Where its pixel (0, 0) lies, y and x in pixels.

        Raises
        ------
        TypeError, ValueError
            If the block or a coordinate cannot be shown; the canvas is as it was.
        """
        coordinates = np.asarray(block.coordinates, dtype=np.float64)
        if coordinates.ndim != 2:
            raise ValueError(f"coordinates of shape {coordinates.shape}, not (n, D)")
        if not np.isfinite(coordinates).all():
            raise ValueError("coordinates that are not finite numbers")
        names = names_of(block.axes, coordinates.shape[1])
        inner = [names[turn] for turn in self.inner(block.axes, len(names))]
        measured = [name for name in names if name not in inner]
        if len(inner) < 2:
            raise ValueError(f"axes {names} leave fewer than two axes in space")
        columns = dict(block.columns)
        self._features.check(len(coordinates), columns)
        where = {name: plain_coordinate(name, value) for name, value in position.items()}
        before = self.axes.version
        admit(self.axes, where, order, coordinates, names, measured, inner)
        place = tuple(sorted(where)), tuple(where[name] for name in sorted(where))
        rows = self._row_columns(where, coordinates, names, inner, shift)
        kind = frozenset((*where, *measured)), len(inner)
        span = Span(0, len(coordinates), block.extra, kind, tile, shift)
        replaced = self._store(place, span, rows, columns)
        self.measured.update(measured)
        self.space = max(self.space, len(inner))
        return Change(place, self.axes.version != before, replaced)

    def inner(self, axes: tuple[str, ...], count: int) -> list[int]:
        """Return which columns of coordinates lie in space; the others are along sliders.

        Parameters
        ----------
        axes : tuple of str
            Names of the columns, or nothing.
        count : int
            Number of columns.
        """
        names = names_of(axes, count)
        return [
            turn
            for turn, name in enumerate(names)
            if not is_slider(self.axes, name, named=bool(axes))
        ]

    def _row_columns(
        self,
        where: Mapping[str, Coordinate],
        coordinates: Floats,
        names: tuple[str, ...],
        inner: Sequence[str],
        shift: tuple[float, float],
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the columns that say where the rows are.

        Columns of space are numbered from the last axis, ``.0`` being x: that number stays when
        axes come later. Sliders have a code, ``#name``, and their own values, ``=name``.
        """
        n = len(coordinates)
        rows: dict[str, npt.NDArray[Any]] = {"live": np.ones(n, bool)}
        for turn, name in enumerate(reversed(inner)):
            rows[f".{turn}"] = coordinates[:, names.index(name)]
        for name, value in where.items():
            rows["#" + name] = np.full(n, self.axes[name].turn(value), np.float64)
        for name in names:
            if name not in inner:
                rows["#" + name] = np.full(n, MEASURED)
                rows["=" + name] = coordinates[:, names.index(name)]
        if any(shift) or self._shifted:
            self._shifted = True
            rows["shift"] = np.tile(np.asarray(shift, np.float64), (n, 1))
        return rows

    def _store(
        self,
        place: tuple[Signature, tuple[Coordinate, ...]],
        span: Span,
        rows: Mapping[str, npt.NDArray[Any]],
        columns: Mapping[str, npt.NDArray[Any]],
    ) -> bool:
        """Write the rows of a block, over those of an earlier one or at the end."""
        tiles = self._places.setdefault(place[0], {}).setdefault(place[1], {})
        old = tiles.get(span.tile)
        length = span.stop
        self.version += 1
        if old is not None:
            self.generation += 1
            self._count(old, -1)
        if old is not None and old.stop - old.start == length:
            span.start, span.stop = old.start, old.stop
            self._rows.replace(old.start, rows, length)
            self._features.replace(old.start, columns, length)
        else:
            if old is not None:
                self._rows["live"][old.start : old.stop] = False
                self._dead += old.stop - old.start
            span.start = len(self._rows)
            span.stop = span.start + length
            self._rows.append(length, rows)
            self._features.append(length, columns)
        tiles[span.tile] = span
        self._count(span, 1)
        if self._dead > max(MIN_DEAD, len(self._rows) // 2):
            self._compact()
        return old is not None

    def _count(self, span: Span, sign: int) -> None:
        self._kinds[span.kind] = self._kinds.get(span.kind, 0) + sign * (span.stop - span.start)

    def _compact(self) -> None:
        """Let go of the rows of blocks that were replaced."""
        live = self._rows["live"].copy()
        before = np.concatenate(([0], np.cumsum(live)))
        for span in self._spans():
            span.start, span.stop = int(before[span.start]), int(before[span.stop])
        self._rows.keep(live)
        self._features.keep(live)
        self._dead = 0
        self.numbering += 1

    def _spans(self) -> Iterator[Span]:
        for places in self._places.values():
            for tiles in places.values():
                yield from tiles.values()

    def relayout(self, shift: Callable[[Hashable], tuple[float, float]]) -> None:
        """Move all blocks in space.

        Parameters
        ----------
        shift : callable
            From a block's ``tile`` to where its pixel (0, 0) lies, y and x in pixels.
        """
        elsewhere = []
        for span in self._spans():
            there = shift(span.tile)
            if there != span.shift:
                span.shift = there
                elsewhere.append(span)
        if not elsewhere:
            return
        if not self._shifted:
            self._shifted = True
            self._rows.add("shift", np.zeros((len(self._rows), 2)))
        shifts = self._rows["shift"]
        for span in elsewhere:
            shifts[span.start : span.stop] = span.shift
        self.version += 1
        self.generation += 1

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return sum(1 for _ in self._spans())

    def __len__(self) -> int:
        return len(self._rows) - self._dead

    # -- as a table --------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """Number of axes of the viewer."""
        return len(self.axes.labels)

    @property
    def repeats(self) -> bool:
        """Whether a block lacks an axis of the viewer, and is repeated along it."""
        return any(
            count and (not kind[0].issuperset(self.axes.names) or kind[1] < len(self.axes.spatial))
            for kind, count in self._kinds.items()
        )

    @property
    def size(self) -> int:
        """Number of elements with all their repetitions."""
        total = 0
        for (sliders, space), count in self._kinds.items():
            for axis in self.axes:
                count *= 1 if axis.name in sliders else len(axis)
            for length in self.axes.extent[: len(self.axes.spatial) - space]:
                count *= length
            total += count
        return total

    @property
    def state(self) -> tuple[int, ...]:
        """Differs whenever what :meth:`all` returns may differ, but for rows at the end."""
        moving = (*self.axes.shape, *self.axes.extent) if self.repeats else ()
        # Between the coordinates of a column others may appear, and then it is elsewhere.
        known = tuple(len(self.axes[name]) for name in sorted(self.measured))
        return self.generation, self.axes.structure, self.axes.shifts, *known, *moving

    def sees(self, place: tuple[Signature, tuple[Coordinate, ...]], at: At) -> bool:
        """Return whether any row of a place can be seen from somewhere."""
        for name, coordinate in zip(*place, strict=True):
            index = at[self.axes.names.index(name)]
            if index is None or name in self.measured:
                continue
            if self.axes[name].index(coordinate) != round(index):
                return False
        return True

    def all(self) -> Rows:
        """Return the elements of all places, in the order of arrival."""
        everywhere: list[float | None] = [None] * self.ndim
        source = np.arange(len(self._rows))
        if self._dead:
            source = source[self._rows["live"]]
        return self._gather(source, everywhere, [])

    def seen(self, at: At) -> Rows:
        """Return the elements that are seen from somewhere.

        Parameters
        ----------
        at : sequence of float or None
            Index on each axis of the viewer; None for all of the axis. On axes in space it only
            says where blocks that lack the axis are to be seen.
        """
        spans = [span for signature in self._places for span in self._at(signature, at)]
        spans.sort(key=lambda span: span.start)
        ranges = [np.arange(span.start, span.stop) for span in spans]
        source = np.concatenate(ranges) if ranges else np.empty(0, np.intp)
        return self._gather(source, at, spans)

    def _at(self, signature: Signature, at: At) -> Iterator[Span]:
        """The blocks of one signature that are seen."""
        where: list[float | None] = []
        for name in signature:
            index = at[self.axes.names.index(name)]
            where.append(None if name in self.measured else index)
        places = self._places[signature]
        fixed = [index for index in where if index is not None]
        if len(fixed) == len(where):
            coordinates = self._coordinates(signature, fixed)
            if coordinates is not None:
                yield from places.get(coordinates, {}).values()
            return
        for coordinates, tiles in places.items():
            if self.sees((signature, coordinates), at):
                yield from tiles.values()

    def _coordinates(
        self, signature: Signature, indices: Sequence[float]
    ) -> tuple[Coordinate, ...] | None:
        axes = [self.axes[name] for name in signature]
        rounded = [round(index) for index in indices]
        if any(not 0 <= index < len(axis) for axis, index in zip(axes, rounded, strict=True)):
            return None
        return tuple(axis[index] for axis, index in zip(axes, rounded, strict=True))

    def _gather(self, source: npt.NDArray[np.intp], at: At, spans: list[Span]) -> Rows:
        """Return rows of the canvas in the axes of the viewer."""
        extras = [span.extra for span in spans if span.extra is not None]
        n_sliders, ndim = len(self.axes), self.ndim
        leading: list[tuple[Floats, int]] = []
        mask = np.ones(len(source), bool)
        for turn, name in enumerate(self.axes.names):
            column = self._indices(name, source)
            index = at[turn]
            if index is not None:
                # What lies between two steps is seen at the nearer one.
                mask &= ~(np.abs(column - index) > 0.5)
            leading.append((column, len(self.axes[name])))
        if not mask.all():
            source = source[mask]
            leading = [(column[mask], length) for column, length in leading]
            spans = []
        coordinates = np.empty((len(source), ndim))
        for turn, (column, _) in enumerate(leading):
            coordinates[:, turn] = column
        for turn in range(ndim - n_sliders):
            name = f".{turn}"
            known = name in self._rows.names
            coordinates[:, ndim - 1 - turn] = self._rows[name][source] if known else np.nan
        if self._shifted and "shift" in self._rows.names:
            coordinates[:, -2:] += np.nan_to_num(self._rows["shift"][source])
        lengths = [*self.axes.shape, *self.axes.extent]
        for axis in range(ndim):
            lacking = np.isnan(coordinates[:, axis])
            if not lacking.any():
                continue
            index = at[axis]
            if index is not None:
                coordinates[lacking, axis] = index
                continue
            times = np.where(lacking, lengths[axis], 1)
            if times.sum() > MAX_REPEATED:
                coordinates[lacking, axis] = 0.0
                continue
            again = np.repeat(np.arange(len(source)), times)
            turns = np.arange(len(again)) - np.repeat(np.cumsum(times) - times, times)
            coordinates, source = coordinates[again], source[again]
            coordinates[lacking[again], axis] = turns[lacking[again]]
            spans = []
        columns = {name: self._features[name][source] for name in self._features.names}
        return Rows(coordinates, columns, source, moved(spans), extras)

    def _indices(self, name: str, source: npt.NDArray[np.intp]) -> Floats:
        """Return where rows lie on a slider; NaN for those that are repeated along it."""
        if "#" + name not in self._rows.names:
            return np.full(len(source), np.nan)
        codes = self._rows["#" + name][source]
        ranks = np.asarray(self.axes[name].ranks(), np.float64)
        indices = np.full(len(source), np.nan)
        coded = codes >= 0
        indices[coded] = ranks[codes[coded].astype(np.intp)]
        measured = codes == MEASURED
        if measured.any():
            known = [
                (float(value), index)
                for index, value in enumerate(self.axes[name].coordinates)
                if not isinstance(value, str)
            ]
            values = self._rows["=" + name][source][measured]
            if known:
                numbers, places = np.asarray(known).T
                indices[measured] = np.interp(values, numbers, places)
            else:
                indices[measured] = 0.0
        return indices
