"""The ragged canvas: blocks of points, shapes or vertices, as many as each place has."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas.axes import SPATIAL, Axes
from dask_napari.canvas.canvas import Change, Signature
from dask_napari.canvas.columns import Columns
from dask_napari.canvas.order import Coordinate, coerce

Floats = npt.NDArray[np.float64]
At = Sequence[float | None]
"""Where one looks: an index for each axis of the viewer, None for all of an axis."""

MEASURED: Final = -1.0
"""Code of a row that has its coordinate on a slider axis in a column of its own. Otherwise the
code is the turn in which the coordinate arrived; none at all means "repeated along it"."""

MAX_DEPTH: Final = 1 << 16
"""Longest extent along z that elements ask for; a stray one at 1e9 must not make it that."""


MIN_DEAD: Final = 1024
"""Rows of replaced blocks that are worth the work of letting go of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The elements of one item.

    Attributes
    ----------
    coordinates : numpy.ndarray
        ``(n, D)``, a row an element, in pixels.
    axes : tuple of str
        Names of the D axes; empty for the usual ones, ``(z,) y, x``.
    columns : dict of str to numpy.ndarray
        More of each row, such as features.
    extra : object
        What else belongs to the block as a whole; it is handed back with the rows.
    """

    coordinates: npt.NDArray[Any]
    axes: tuple[str, ...] = ()
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    extra: Any = None


@dataclass(slots=True, eq=False)
class Span:
    """Where the rows of a block are in the buffers."""

    start: int
    stop: int
    extra: Any
    kind: tuple[frozenset[str], int] = (frozenset(), 0)
    tile: Hashable = None


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Elements in the axes of the viewer.

    Attributes
    ----------
    coordinates : numpy.ndarray
        ``(n, sliders + space)``: indices on the sliders, then coordinates in space.
    columns : dict of str to numpy.ndarray
        The columns of the blocks.
    source : numpy.ndarray
        Which row of the canvas each row is; repeated ones are there several times.
    spans : list of Span
        The blocks, with their rows among these; empty where rows are repeated or picked.
    extras : list
        What the blocks brought with them, see :attr:`Block.extra`.
    """

    coordinates: Floats
    columns: dict[str, npt.NDArray[Any]]
    source: npt.NDArray[np.intp]
    spans: list[Span]
    extras: list[Any]

    def __len__(self) -> int:
        return len(self.coordinates)


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
    axes : Axes
        Shared by all canvases of a viewer.

    Examples
    --------
    >>> canvas = RaggedCanvas(Axes())
    >>> change = canvas.put({"t": 7}, Block(np.array([[1.0, 2.0]]), columns={"n": np.array([5])}))
    >>> change = canvas.put({"t": 5}, Block(np.array([[3.0, 4.0], [5.0, 6.0]])))
    >>> canvas.all().coordinates.tolist()
    [[1.0, 1.0, 2.0], [0.0, 3.0, 4.0], [0.0, 5.0, 6.0]]
    >>> canvas.seen((1, None, None)).columns["n"].tolist()
    [5.0]
    """

    def __init__(self, axes: Axes) -> None:
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
        self._rows = Columns()
        self._features = Columns()
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
        names = self._names(block.axes, coordinates.shape[1])
        inner = [names[turn] for turn in self.inner(block.axes, len(names))]
        measured = [name for name in names if name not in inner]
        if len(inner) < 2:
            raise ValueError(f"axes {names} leave fewer than two axes in space")
        columns = dict(block.columns)
        self._features.check(len(coordinates), columns)
        where = {name: coerce(name, value) for name, value in position.items()}
        before = self.axes.version
        self._admit(where, order, coordinates, names, measured, inner)
        place = tuple(sorted(where)), tuple(where[name] for name in sorted(where))
        rows = self._row_columns(where, coordinates, names, inner, shift)
        kind = frozenset((*where, *measured)), len(inner)
        span = Span(0, len(coordinates), block.extra, kind, tile)
        replaced = self._store(place, span, rows, columns)
        self.measured.update(measured)
        self.space = max(self.space, len(inner))
        return Change(place, self.axes.version != before, replaced)

    @staticmethod
    def _names(given: tuple[str, ...], count: int) -> tuple[str, ...]:
        if not given:
            extra = tuple(f"dim{count - turn}" for turn in range(max(0, count - len(SPATIAL))))
            return (*extra, *SPATIAL[max(0, len(SPATIAL) - count) :])
        if len(given) != count or len(set(given)) != count:
            raise ValueError(f"{count} columns of coordinates, but axes {given}")
        return given

    def inner(self, axes: tuple[str, ...], count: int) -> list[int]:
        """Return which columns of coordinates lie in space; the others are along sliders.

        Parameters
        ----------
        axes : tuple of str
            Names of the columns, or nothing.
        count : int
            Number of columns.
        """
        names = self._names(axes, count)
        return [
            turn for turn, name in enumerate(names) if not self._is_slider(name, named=bool(axes))
        ]

    def _is_slider(self, name: str, *, named: bool) -> bool:
        if name in self.axes:
            return True
        return named and name not in self.axes.spatial and name not in SPATIAL

    def _admit(
        self,
        where: Mapping[str, Coordinate],
        order: Sequence[str],
        coordinates: Floats,
        names: tuple[str, ...],
        measured: Sequence[str],
        inner: Sequence[str],
    ) -> None:
        """Make the axes know what the block has."""
        first = dict(where)
        series: dict[str, list[Coordinate]] = {}
        for name in measured:
            values = coordinates[:, names.index(name)]
            series[name] = self._steps(name, values)
            if name not in first and series[name]:
                first[name] = series[name][0]
        self.axes.admit(first, order)
        for name, wholes in series.items():
            for value in wholes:
                if name in self.axes and value not in self.axes[name]:
                    self.axes.admit({name: value})
        depth = [1] * len(inner)
        for turn, name in enumerate(inner[:-2]):
            column = coordinates[:, names.index(name)]
            if len(column):
                depth[turn] = int(np.clip(np.floor(column.max()) + 1, 1, MAX_DEPTH))
        self.axes.admit_space(depth, inner)

    def _steps(self, name: str, values: Floats) -> list[Coordinate]:
        """Return the coordinates that values on a slider axis need.

        Whole numbers are frames, and get a place on the slider. What lies between frames is
        drawn between them: sub-frame values must not make a slider of thousands.
        """
        known = self.axes[name].coordinates if name in self.axes else ()
        numbers = [float(each) for each in known if not isinstance(each, str)]
        if not all(each.is_integer() for each in numbers):
            return []  # an axis in units of its own
        values = np.unique(values)
        whole = values == np.rint(values)
        numbers += values[whole].tolist()
        if numbers:
            whole |= (values < min(numbers)) | (values > max(numbers))
        else:
            whole[:] = True
        if not len(values) and name not in self.axes:
            return [0]  # also nothing has to be somewhere
        return [int(value) for value in np.unique(np.rint(values[whole])).tolist()]

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
        self._shifted = True
        shifts = np.zeros((len(self._rows), 2))
        for span in self._spans():
            shifts[span.start : span.stop] = shift(span.tile)
        self._rows.replace(0, {**self._whole(), "shift": shifts}, len(shifts))
        self.version += 1
        self.generation += 1

    def _whole(self) -> dict[str, npt.NDArray[Any]]:
        return {name: self._rows[name] for name in self._rows.names}

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
            again = np.repeat(np.arange(len(source)), times)
            turns = np.arange(len(again)) - np.repeat(np.cumsum(times) - times, times)
            coordinates, source = coordinates[again], source[again]
            coordinates[lacking[again], axis] = turns[lacking[again]]
            spans = []
        columns = {name: self._features[name][source] for name in self._features.names}
        return Rows(coordinates, columns, source, _moved(spans), extras)

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


def _moved(spans: list[Span]) -> list[Span]:
    """Return the spans as they lie one after the other."""
    moved, start = [], 0
    for span in spans:
        stop = start + span.stop - span.start
        moved.append(Span(start, stop, span.extra, span.kind, span.tile))
        start = stop
    return moved
