"""Base of the streams of points, shapes, tracks, vectors and surfaces."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from dask_napari.canvas import Cell, PositionKey, WorldSpan
from dask_napari.canvas.elements import Block, RaggedCanvas, Rows, Shift
from dask_napari.model import Conversion, Item
from dask_napari.viewer.camera import viewpoint
from dask_napari.viewer.layers._feature_limits import FeatureLimits
from dask_napari.viewer.layers._hand_edits import (
    HandEdits,
    HandMadeItem,
    HandMadeTile,
    cell_of,
    text,
)
from dask_napari.viewer.layers._layer_stream import LayerContext, LayerStream, StreamStart
from dask_napari.viewer.layers._pointed_place import PointedPlace, PointedPlaces, Pointer

if TYPE_CHECKING:
    from dask_napari.viewer.napari_internals import Elements

PRIVATE: Final = "\0"
"""First character of the names of columns that are not features."""

PATIENCE: Final = 10.0
"""An update of a layer comes no earlier than this many times what the last one took: napari
works through all elements of a layer when some are added, and the window must stay responsive."""


def features(rows: Rows) -> dict[str, npt.NDArray[Any]]:
    """Return the columns that the user has given."""
    return {
        name: text(column) if column.dtype == object else column
        for name, column in rows.columns.items()
        if name[:1] != PRIVATE
    }


MAX_REST: Final = 3.0
"""Seconds after which new elements are shown, whatever that takes."""


def _are_alike(values: npt.NDArray[Any]) -> bool:
    return bool(len(values) and (values == values[0]).all())


class ElementStream(LayerStream):
    """Napari layer of elements; one subclass a kind.

    Up to :attr:`limit` elements, counted with their repetitions, the layer holds those of all
    places and napari picks what is seen. Above, it holds what is seen at the present steps, and
    is loaded again when a slider moves, in the next tick.
    """

    set_by_user: ClassVar[tuple[str, ...]] = ("limits",)

    limit: ClassVar[int] = 20_000
    """napari takes some 10 ms for that many points each time that any are added."""

    colours: ClassVar[tuple[str, ...]] = ()
    """Parts whose colour can stand for a feature: ``face``, ``border``, ``edge``."""

    editable: ClassVar[bool] = False
    """Whether napari has tools to add elements and move them."""

    may_be_empty: ClassVar[bool] = False
    """Whether the napari layer may lose all of its elements."""

    def __init__(self, context: LayerContext, start: StreamStart) -> None:
        super().__init__(context, start)
        self.canvas = RaggedCanvas(self.axes)
        self.limits = [FeatureLimits(colour, start.options) for colour in self.colours]
        self.held: dict[tuple[PositionKey, Hashable], Item] = {}
        self.edits: HandEdits | None = HandEdits(self) if self.editable else None
        self._not_before = 0.0
        self._laid_out = self.mosaic.version
        self._loaded: tuple[Any, ...] | None = None
        self._appendable: tuple[Any, ...] | None = None
        self._in_view = 0
        self._source: npt.NDArray[np.intp] = np.empty(0, np.intp)
        self._numbering = 0

    # -- for subclasses ----------------------------------------------------------------------

    def block(self, item: Item) -> Block:
        """Return the elements of an item, or raise what :meth:`put` raises."""
        raise NotImplementedError

    def corners(self, item: Item) -> npt.NDArray[Any]:
        """Return coordinates that the elements of an item do not exceed, in its own axes."""
        return item.data

    def make(self, rows: Rows, arguments: dict[str, Any]) -> Elements:
        """Make the napari layer."""
        raise NotImplementedError

    def load(self, rows: Rows, kept: int) -> None:
        """Give the napari layer its elements; the first ``kept`` are those it has."""
        raise NotImplementedError

    def complete(self) -> tuple[Any, dict[str, Any]] | None:
        """Return data and arguments of all elements; None if the layer has them, or cannot."""
        return None

    def looks(self, layer: Any) -> dict[str, npt.NDArray[Any]]:
        """Return the looks of each element of a layer, by the attribute for new elements."""
        return {}

    @property
    def large(self) -> bool:
        """Return whether the layer holds only the elements in view."""
        # napari has no elements that are there at every depth, so that those without a z are
        # put where one looks.
        return self.canvas.size > self.limit or self.canvas.n_spatial < len(self.axes.spatial)

    # -- common to all kinds -----------------------------------------------------------------

    def put(self, item: Item, position: Mapping[str, Any], steps: tuple[int, ...] | None) -> bool:
        """Lay an item on the canvas; return whether an axis grew."""
        self.run = item.run
        cell = self.mosaic.cell(position)
        tile = HandMadeTile(cell, item.number) if isinstance(item, HandMadeItem) else cell
        mosaic = self.mosaic.axes
        return self.lay(item, {k: at for k, at in position.items() if k not in mosaic}, tile)

    def lay(self, item: Item, sliders: Mapping[str, Any], tile: Hashable) -> bool:
        """Lay an item on the canvas as a tile at a position; return whether an axis grew."""
        block = self.block(item)
        order = tuple(self.spec.axes) if self.spec else ()
        prepared = self.canvas.prepare(sliders, block, order=order, tile=tile)
        cell = cell_of(tile)
        spans = self._spans(block, item, cell)
        self.world.check(spans)
        moved = bool(cell) and self._admit(cell, item)
        # The mosaic was the last that could refuse the item: from here on, nothing fails.
        result = self.canvas.commit(prepared, self._shift(tile))
        grew = self.admit(spans) or result.grew or moved
        if self.editable:
            self.held[result.key, tile] = item
        self._calibrate(block.axes)
        self.grew |= grew
        if self.canvas.is_seen(result.key, self.at()):
            self._in_view += 1
            self.touched = True
        self.touched |= not self.large
        return grew

    def places_at(self, pointer: Pointer, value: Any = None) -> PointedPlaces:
        """Yield the places of items that a pointer may be on, the topmost first.

        Where it is on no element, those of the items that may have elements there.
        """
        row, at = self._row(value), None
        if row is not None and (place := self.element_place(value)) is not None:
            at = place
        sliders = pointer.sliders(self.axes, at)
        cells = self._cells_at(pointer)
        for (names, values), tiles in self.canvas.tiles_at(sliders, row):
            position = {**dict(zip(names, values, strict=True)), **self.channel}
            for tile in tiles:
                if row is not None or cell_of(tile) in cells:
                    number = (tile.number,) if isinstance(tile, HandMadeTile) else ()
                    yield PointedPlace({**position, **dict(cell_of(tile))}, number)
        for names in self.canvas.position_names:
            if sliders.keys() >= set(names):
                position = {**{name: sliders[name] for name in names}, **self.channel}
                for cell in cells:
                    yield PointedPlace({**position, **dict(cell)}, has_item=False)

    def _cells_at(self, pointer: Pointer) -> list[Cell]:
        """Return the cells of the mosaic that a pointer is in."""
        if not self.mosaic.axes:
            return [()]
        place = pointer.on(self.layer)
        if place is None:
            return []
        y, x = ((at + 0.5) * pixel for at, pixel in zip(place[-2:], self._pixel, strict=True))
        return self.mosaic.cells_at(y, x)

    def _row(self, value: Any) -> int | None:
        """Return the number, in the canvas, of the element that napari names at the pointer."""
        index, source = self.element_index(value), self._source
        return int(source[index]) if index is not None and 0 <= index < len(source) else None

    def element_index(self, value: Any) -> int | None:
        """Return the index, in the layer, of the element that napari names; None for none."""
        return None

    def element_place(self, value: Any) -> Sequence[float] | None:
        """Return where an element lies on all axes, None if napari does not tell."""
        return None

    def _spans(self, block: Block, item: Item, cell: Cell) -> list[WorldSpan]:
        """Return how far the layer reaches in space once an item is there."""
        corners = self.corners(item)
        if not len(corners):
            return []
        inner = self.canvas.spatial_columns(block.axes, corners.shape[1])
        if len(inner) < 2:
            return []
        low, high = (
            each[inner].astype(float).tolist() for each in (corners.min(0), corners.max(0))
        )
        if cell:
            extent = self.mosaic.extent_with(cell, *self._tile(item))
            for axis, (length, pixel) in enumerate(zip(extent, self._pixel, strict=True)):
                high[axis - 2] += length / pixel
        count = len(inner)
        low[:-2] = [min(0.0, each) for each in low[:-2]]  # as deep as the space that they ask for
        return [self.span(count - 1 - n, low[n], high[n]) for n in range(count)]

    def _admit(self, cell: Cell, item: Item) -> bool:
        """Make room for a tile that may have no image; return whether others may have moved."""
        return self.mosaic.admit(cell, *self._tile(item))

    def _tile(self, item: Item) -> tuple[Shift, Shift, Shift | None]:
        """Return the size that an item asks for in the mosaic, no pixels, and its stage."""
        scale = self._pixel
        high = [0.0, 0.0]
        if item.kind != "vectors" and item.data.ndim == 2 and len(item.data):
            # Not more than the image has, whose last pixel is around its coordinate.
            high = [float(np.floor(length)) + 1 for length in item.data[:, -2:].max(0)]
        stage = item.calibration.translate[-2:]
        size = max(0.0, high[0] * scale[0]), max(0.0, high[1] * scale[1])
        at = (stage[0], stage[1]) if len(stage) == 2 else None
        return size, (0.0, 0.0), at

    @property
    def _pixel(self) -> tuple[float, float]:
        scale = self.calibration.scale or (1.0, 1.0)
        return abs(scale[-2]), abs(scale[-1])

    def _shift(self, tile: Any) -> tuple[float, float]:
        """Return where a tile begins, in pixels."""
        if not (cell := cell_of(tile)):
            return 0.0, 0.0
        (y, x), pixel = self.mosaic.offset(cell), self._pixel
        return y / pixel[0], x / pixel[1]

    def _attach(self, layer: Any) -> None:
        """Give a layer the range of the sliders."""
        layer.reach, layer.complete = self.reach, self.complete

    def _calibrate(self, axes: tuple[str, ...]) -> None:
        """Leave out the axes that became sliders: an index has no scale."""
        inner = [turn for turn, name in enumerate(axes) if name not in self.canvas.slider_columns]
        fields = {
            name: tuple(values[turn] for turn in inner)
            for name in ("axes", "scale", "translate", "units")
            if len(values := getattr(self.calibration, name)) == len(axes) > len(inner)
        }
        if fields:
            self.calibration = replace(self.calibration, **fields)

    @property
    def ndim(self) -> int:
        """Number of axes of the napari layer."""
        return len(self.axes.labels)

    @property
    def layer_axes(self) -> int:
        """Number of leading axes of the layer that are sliders."""
        return len(self.axes)

    def reach(self) -> npt.NDArray[np.float64]:
        """First and last index of the sliders."""
        shape = np.asarray(self.axes.shape[len(self.axes) - self.layer_axes :], float)
        return np.stack([np.zeros_like(shape), np.maximum(shape - 1, 0)])

    def at(self) -> list[float | None]:
        """Return the index that the viewer shows on each axis, None for all indices."""
        return viewpoint(self.viewer, self.axes)

    def _wanted(self) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
        """Return states of the canvas: with the first unchanged the layer needs no update.

        With the second unchanged, new rows are at the end; None if the layer holds a part.
        """
        canvas = self.canvas
        if not self.large:
            return ("all", canvas.version, *canvas.state), canvas.state
        at = self.at()
        if canvas.n_spatial == len(self.axes.spatial):
            n = len(self.axes)
            # Blocks are as deep as they are: in space all of them is loaded.
            at = [*at[:n], *(0.0 if index is not None else None for index in at[n:])]
        return ("seen", self._in_view, *canvas.state, *at), None

    def rows(self) -> Rows:
        """Return the rows for the layer."""
        return self.canvas.rows_at(self.at()) if self.large else self.canvas.all_rows()

    def update(self, now: float, *, force: bool = False) -> bool:
        """Bring the napari layer up to date; return whether it was redrawn."""
        if self.edits is not None and self.edits.must_wait:
            return False  # the flags stay, and it is done when the user is
        self.take_edits()
        if self._laid_out != self.mosaic.version:
            self.canvas.relayout(self._shift)
            self._laid_out = self.mosaic.version
            self.grew = True
        if self.layer is not None and self.layer in self.viewer.layers:
            moved = self.large and self._wanted()[0] != self._loaded
            if now < self._not_before and not force and not (moved and self._moved()):
                return False  # the flags stay, and it is done later
            self.grew |= moved or self.touched
        first = self.layer is None  # making a layer costs what it costs once
        began = time.monotonic()
        drawn = super().update(now, force=force)
        if getattr(self.layer, "elided", False):
            self.reports.note(self.name, Conversion.MANY_TEXTS)
        if drawn and not first:
            took = time.monotonic() - began
            self._not_before = now + min(PATIENCE * took, MAX_REST)
        return drawn

    def take_edits(self) -> None:
        """Enter what the user has done on the napari layer since the last update."""
        if self.edits is not None and self.edits.is_dirty:
            self._apply_edits(self.edits)

    def _apply_edits(self, edits: HandEdits) -> None:
        """Lay what the user has done on the canvas; the layer stays if it shows just that."""
        pending = self.grew or self.touched
        self._source = edits.apply()
        self._numbering = self.canvas.numbering
        self._loaded = self._appendable = None
        rows = self.rows()
        if not pending and np.array_equal(rows.source, self._source):
            self._loaded, self._appendable = self._wanted()
            self._remember(self.layer, rows)
            self.grew = self.touched = False

    def _moved(self) -> bool:
        """Return whether the view has changed, which has to be answered at once."""
        loaded, wanted = self._loaded, self._wanted()[0]
        n = len(self.axes.labels)
        return loaded is None or loaded[:1] != wanted[:1] or loaded[-n:] != wanted[-n:]

    def add(self) -> None:
        """Make the napari layer."""
        rows = self.rows()
        state = self._wanted()
        # A colour by a feature that is not there, say. The elements are worth more.
        layer = self.made(lambda more: self.make(rows, {**self.arguments(), **more}))
        self._attach(layer)
        self._loaded, self._appendable = state
        self._remember(layer, rows)
        self.show(layer)
        for limits in self.limits:
            limits.follow(layer)

    def clear(self) -> bool:
        """Empty the napari layer for the next run to fill it; return whether it can be."""
        layer: Any = self.layer
        if not self.may_be_empty or layer is None or layer not in self.viewer.layers:
            return False
        rows, space = self.rows(), len(self.axes.spatial)
        columns = {name: column[:0] for name, column in rows.columns.items()}
        none = Rows(rows.coordinates[:0, -space:], columns, rows.source[:0], [], [])
        alike = {name: each[0] for name, each in self.looks(layer).items() if _are_alike(each)}
        with nullcontext() if self.edits is None else self.edits.pause():
            self.load(none, 0)
        for name, look in alike.items():
            setattr(layer, name, look)
        layer.reach, layer.complete, layer.editable = None, None, False
        return True

    def set_data(self) -> None:
        """Load the rows into the layer."""
        assert self.layer is not None
        self._attach(self.layer)
        wanted, appendable = self._wanted()
        if wanted == self._loaded:
            # Only the sliders may have grown: napari asks for that when a layer seems to move.
            self.layer.translate = self.layer.translate
            return
        rows = self.rows()
        more = appendable is not None and appendable == self._appendable
        selected = self._selected()
        for limits in self.limits:
            limits.make_way(self.layer, rows.columns)
        with nullcontext() if self.edits is None else self.edits.pause():
            self.load(rows, len(self._source) if more else 0)
        if not more or len(selected):
            self._select(selected, rows)
        self._loaded, self._appendable = wanted, appendable
        self._remember(self.layer, rows)
        for limits in self.limits:
            limits.follow(self.layer)

    refresh = set_data

    def _remember(self, layer: Any, rows: Rows) -> None:
        self._source, self._numbering = rows.source, self.canvas.numbering
        if self.edits is not None:
            self.edits.watch(layer, rows.source)
        layer.editable = self.edits is not None and not self.mosaic.axes

    def _selected(self) -> npt.NDArray[np.intp]:
        """Return the rows of the canvas that the user has selected."""
        selected = getattr(self.layer, "selected_data", None)
        if not selected or self._numbering != self.canvas.numbering:
            return np.empty(0, np.intp)
        indices = np.fromiter((i for i in selected if i < len(self._source)), np.intp)
        return self._source[indices]

    def _select(self, sources: npt.NDArray[np.intp], rows: Rows) -> None:
        if getattr(self.layer, "selected_data", None) or len(sources):
            assert self.layer is not None
            self.layer.selected_data = set(np.flatnonzero(np.isin(rows.source, sources)).tolist())

    def carried(self, values: npt.NDArray[Any], rows: Rows, other: Any) -> npt.NDArray[Any]:
        """Return the value of each row on the layer, and ``other`` for rows that are new.

        If all values are alike, new rows have them too.
        """
        other = np.asarray(other, values.dtype) if not len(values) else np.asarray(other)
        if _are_alike(values):
            other = values[0]
        result = np.empty((len(rows), *values.shape[1:]), values.dtype)
        result[:] = other
        if self._numbering == self.canvas.numbering and len(self._source) == len(values):
            # Repeated rows are alike: any of them will do.
            order = np.argsort(self._source, kind="stable")
            known = self._source[order]
            at = np.searchsorted(known, rows.source)
            at[at == len(known)] = 0
            if len(known):
                found = known[at] == rows.source
                result[found] = values[order[at[found]]]
        return result
