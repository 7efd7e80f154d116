"""The ragged canvas: blocks of points, shapes or vertices, as many as each place has."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas._axes import CanvasAxes
from dask_napari.canvas._positions import PositionIndex, PositionKey, PutResult, position_key
from dask_napari.canvas.elements._blocks import Block, Rows, Shift, Span, consecutive
from dask_napari.canvas.elements._element_table import ElementTable, PreparedElements
from dask_napari.canvas.elements._slider_columns import (
    NewCoordinates,
    is_slider,
    names_of,
    new_coordinates,
)
from dask_napari.model import Coordinate, Refusal

ViewIndices = Sequence[float | None]
"""Index on each axis of the viewer at which the viewer looks; None for all of an axis."""

MAX_REPEATED: Final = 2_000_000
"""Rows that repetition may make; more would take the memory, and nobody could see them."""


@dataclass(slots=True, eq=False)
class PreparedBlock:
    """A block that fits on its canvas as both are now."""

    key: PositionKey
    span: Span
    old: Span | None  # of the block that it replaces
    coordinates: NewCoordinates
    elements: PreparedElements


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

    >>> canvas = RaggedCanvas(CanvasAxes())
    >>> result = canvas.put({"t": 7}, Block(np.array([[1.0, 2.0]]), columns={"n": np.array([5])}))
    >>> result = canvas.put({"t": 5}, Block(np.array([[3.0, 4.0], [5.0, 6.0]])))
    >>> canvas.all_rows().coordinates.tolist()
    [[1.0, 1.0, 2.0], [0.0, 3.0, 4.0], [0.0, 5.0, 6.0]]
    >>> canvas.rows_at((1, None, None)).columns["n"].tolist()
    [5.0]
    """

    def __init__(self, axes: CanvasAxes) -> None:
        self.axes = axes
        self.version: int = 0  # grows with every change of the rows
        self.generation: int = (
            0  # grows with every change of earlier rows; not when rows are appended
        )
        self.numbering: int = 0  # grows when rows get other numbers (`Rows.source`)
        self.n_spatial: int = 0  # number of spatial axes of the block that has the most
        self.slider_columns: set[str] = set()  # slider axes along which blocks have columns
        self._tiles: PositionIndex[dict[Hashable, Span]] = PositionIndex(axes)
        self._table = ElementTable()
        self._counts: dict[tuple[frozenset[str], int], int] = {}  # rows by the axes they have

    def __len__(self) -> int:
        return self._table.n_live

    def __repr__(self) -> str:
        return f"<RaggedCanvas {self._tiles}, {len(self)} elements>"

    def put(
        self,
        position: Mapping[str, Any],
        block: Block,
        *,
        shift: Shift = (0.0, 0.0),
        **options: Any,
    ) -> PutResult:
        """Put a block at a position; :meth:`prepare` and :meth:`commit` in one."""
        return self.commit(self.prepare(position, block, **options), shift)

    def prepare(
        self,
        position: Mapping[str, Any],
        block: Block,
        *,
        order: Sequence[str] = (),
        tile: Hashable = None,
    ) -> PreparedBlock:
        """Do all of a put that can fail; nothing changes before :meth:`commit`.

        ``order`` ranks sliders not seen before; ``tile`` tells blocks apart that lie side by side
        at a position. Blocks that cannot be shown raise a Refusal, a TypeError or a ValueError.
        """
        coordinates = np.asarray(block.coordinates, dtype=np.float64)
        if coordinates.ndim != 2:
            raise Refusal("coordinates", f"coordinates of shape {coordinates.shape}, not (n, D)")
        if not np.isfinite(coordinates).all():
            raise Refusal("coordinates", "coordinates that are not finite numbers")
        names = names_of(block.axes, coordinates.shape[1])
        named = bool(block.axes)
        inner = [name for name in names if not is_slider(self.axes, name, named=named)]
        if len(inner) < 2:
            raise Refusal("coordinates", f"axes {names} leave fewer than two axes in space")
        key = position_key(position)
        sliders = dict(zip(*key, strict=True))
        in_order = {name: sliders[name] for name in position}
        fresh = new_coordinates(self.axes, in_order, order, coordinates, names, inner)
        places = self._table.place_columns(
            self.axes, sliders, coordinates, names, inner, has_shift=tile not in (None, ())
        )
        old = (self._tiles.get(key) or {}).get(tile)
        elements = self._table.prepare(len(coordinates), old, places, block.columns)
        span_axes = frozenset((*sliders, *fresh.steps)), len(inner)
        span = Span(0, len(coordinates), block.extra, span_axes, tile)
        return PreparedBlock(key, span, old, fresh, elements)

    def commit(self, prepared: PreparedBlock, shift: Shift = (0.0, 0.0)) -> PutResult:
        """Put a prepared block on the canvas, in the place of an earlier one; that does not fail.

        Nothing else may have been put since it was prepared. Only a block with a tile may have a
        ``shift``.
        """
        key, span, old = prepared.key, prepared.span, prepared.old
        span.shift = shift
        grew = prepared.coordinates.admit(self.axes)
        tiles = self._tiles.get(key)
        if tiles is None:
            self._tiles.set(key, tiles := {})
        self._table.write(prepared.elements, span, old)
        tiles[span.tile] = span
        self.version += 1
        self._counts[span.axes] = self._counts.get(span.axes, 0) + len(span)
        if old is not None:
            self.generation += 1
            self._counts[old.axes] -= len(old)
        self.slider_columns.update(prepared.coordinates.steps)
        self.n_spatial = max(self.n_spatial, span.axes[1])
        with suppress(MemoryError):  # of the copy; the next block tries it again
            self.numbering += self._table.compact(self._spans())
        return PutResult(key, grew, old is not None)

    def spatial_columns(self, axes: tuple[str, ...], count: int) -> list[int]:
        """Return the columns of coordinates that lie in space; the others are along sliders."""
        return [
            column
            for column, name in enumerate(names_of(axes, count))
            if not is_slider(self.axes, name, named=bool(axes))
        ]

    def _spans(self) -> Iterator[Span]:
        for tiles in self._tiles.values():
            yield from tiles.values()

    def numbers(self, key: PositionKey, tile: Hashable) -> npt.NDArray[np.intp]:
        """Return the numbers of a block's rows (:attr:`Rows.source`)."""
        span = (self._tiles.get(key) or {})[tile]
        return np.arange(span.start, span.stop)

    def places_of(
        self, rows: npt.NDArray[np.intp]
    ) -> Iterator[tuple[PositionKey, Hashable, npt.NDArray[np.intp]]]:
        """Yield the blocks that numbered rows belong to: key, tile, and rows within the block."""
        for key, tiles in self._tiles.items():
            for tile, span in tiles.items():
                at = rows[(rows >= span.start) & (rows < span.stop)] - span.start
                if len(at):
                    yield key, tile, at

    def tiles_at(
        self, coordinates: Mapping[str, Coordinate], row: int | None = None
    ) -> Iterator[tuple[PositionKey, list[Hashable]]]:
        """Yield the tiles at a coordinate of each slider, the most specific positions first.

        With the number of a row, only the tile that has it. Nothing is changed, so that other
        threads may ask.
        """
        for key, tiles in self._tiles.under(coordinates):
            yield (
                key,
                [
                    tile
                    for tile, span in list(tiles.items())
                    if row is None or span.start <= row < span.stop
                ],
            )

    @property
    def position_names(self) -> list[tuple[str, ...]]:
        """Names of the slider axes of positions, the most specific ones first."""
        return self._tiles.names

    def relayout(self, shift: Callable[[Hashable], Shift]) -> None:
        """Move all blocks in space; ``shift`` maps the tile of a block to its shift."""
        targets = ((span, shift(span.tile)) for span in self._spans())
        moved = [(span, target) for span, target in targets if target != span.shift]
        if moved:
            self._table.move(moved)
            self.version += 1
            self.generation += 1

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return sum(map(len, self._tiles.values()))

    @property
    def ndim(self) -> int:
        """Number of axes of the viewer."""
        return len(self.axes.labels)

    @property
    def has_repeats(self) -> bool:
        """True if a block lacks an axis of the viewer, and is repeated along it."""
        return any(
            count and (not sliders.issuperset(self.axes.names) or space < len(self.axes.spatial))
            for (sliders, space), count in self._counts.items()
        )

    @property
    def size(self) -> int:
        """Number of elements with all their repetitions."""
        total = 0
        for (sliders, space), count in self._counts.items():
            for axis in self.axes:
                count *= 1 if axis.name in sliders else len(axis)
            for length in self.axes.extent[: len(self.axes.spatial) - space]:
                count *= length
            total += count
        return total

    @property
    def state(self) -> tuple[int, ...]:
        """Numbers that change when :meth:`all_rows` does, unless rows are only added at its end."""
        repeats = (*self.axes.shape, *self.axes.extent) if self.has_repeats else ()
        # Between the coordinates of a column others may appear, which shifts its indices.
        known = tuple(len(self.axes[name]) for name in sorted(self.slider_columns))
        return self.generation, self.axes.structure, self.axes.shifts, *known, *repeats

    def is_seen(self, key: PositionKey, indices: ViewIndices) -> bool:
        """Return whether any row at a position may be seen at an index of each axis."""
        return self._tiles.is_seen(key, indices, self.slider_columns)

    def all_rows(self) -> Rows:
        """Return the elements of all places, in the order of arrival."""
        return _gather(self._table, self.axes, self._table.live, [None] * self.ndim, [])

    def rows_at(self, indices: ViewIndices) -> Rows:
        """Return the elements that are seen at an index of each axis.

        None is all of an axis. Along axes in space an index only says where blocks that lack the
        axis are to be seen.
        """
        tiles = self._tiles.at(indices, self.slider_columns)
        spans = sorted((s for each in tiles for s in each.values()), key=lambda span: span.start)
        ranges = [np.arange(span.start, span.stop) for span in spans]
        source = np.concatenate(ranges) if ranges else np.empty(0, np.intp)
        return _gather(self._table, self.axes, source, indices, spans)


def _gather(
    table: ElementTable,
    axes: CanvasAxes,
    source: npt.NDArray[np.intp],
    indices: ViewIndices,
    spans: list[Span],
) -> Rows:
    """Return rows of a table as they are seen.

    ``source`` numbers the rows, ``spans`` are their blocks, empty if nobody asks for them.
    """
    extras = [span.extra for span in spans if span.extra is not None]
    n_sliders = len(axes)
    coordinates = np.empty((len(source), len(axes.labels)))
    mask = np.ones(len(source), bool)
    for axis, name in enumerate(axes.names):
        coordinates[:, axis] = table.on_slider(axes, name, source)
        index = indices[axis]
        if index is not None:
            # A row between two steps is seen at the nearer one.
            mask &= ~(np.abs(coordinates[:, axis] - index) > 0.5)
    if not mask.all():
        source, coordinates, spans = source[mask], coordinates[mask], []
    coordinates[:, n_sliders:] = table.in_space(len(axes.spatial), source)
    lengths = [*axes.shape, *axes.extent]
    for axis, length in enumerate(lengths):
        lacking = np.isnan(coordinates[:, axis])
        if not lacking.any():
            continue
        index = indices[axis]
        times = np.where(lacking, length, 1)
        if index is not None or times.sum() > MAX_REPEATED:
            coordinates[lacking, axis] = 0.0 if index is None else index
            continue
        repeated = np.repeat(np.arange(len(source)), times)
        steps = np.arange(len(repeated)) - np.repeat(np.cumsum(times) - times, times)
        coordinates, source = coordinates[repeated], source[repeated]
        coordinates[lacking[repeated], axis] = steps[lacking[repeated]]
        spans = []
    columns = {name: table.features[name][source] for name in table.features.names}
    return Rows(coordinates, columns, source, consecutive(spans), extras)
