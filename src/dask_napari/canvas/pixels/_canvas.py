"""The canvas: blocks kept where their coordinates put them, seen as one N-D array."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas._axes import CanvasAxes, common_shape
from dask_napari.canvas._mosaic import Mosaic
from dask_napari.canvas._mosaic_axis import YX, Cell
from dask_napari.canvas._positions import PositionIndex, PositionKey, PutResult, position_key
from dask_napari.canvas.pixels._array_handles import InMemoryArray, StoreArray, promote, storable
from dask_napari.canvas.pixels._lazy_arrays import CanvasView, LazyArray, Selector
from dask_napari.canvas.pixels._paintable_array import (
    Indices,
    PaintableArray,
    by_place,
    element_indices,
)
from dask_napari.canvas.pixels._planes import Plane, TileKey
from dask_napari.canvas.pixels._renderer import Renderer, upward_window
from dask_napari.canvas.pixels._tiles import Tile
from dask_napari.catalog import ArrayHandle, ValueRange
from dask_napari.model import Coordinate, Refusal, plain_coordinate

PYRAMID_ABOVE: Final = 4096
"""Length of a spatial axis above which there are coarser levels; up to it, a graphics card takes
the whole as one texture, and drawing it costs less than choosing a level."""

Places = Iterator[tuple[dict[str, Coordinate], tuple[int, ...]]]
"""Positions and origins of blocks."""

COARSEST: Final = 1024
"""Length that the coarsest level does not exceed: about that of a window on a screen."""


class Canvas(LazyArray):
    """Sparse N-D array that grows block by block; enough of an array for napari and numpy.

    A block lies at a position. Its coordinates on slider axes select it; those on the axes of
    the mosaic, and its origin if it is a chunk of a larger array, say where in space it lies.
    Along axes that its position does not name it is repeated, and so it is along spatial axes
    that it lacks. Nothing is ever moved or restacked: a coordinate gets an index on its axis,
    and blocks are found by coordinates. Elsewhere the canvas shows ``fill``.

    All canvases of a viewer share ``axes`` and ``mosaic``. The type of ``labels`` stays an integer
    one. Blocks end in an axis of ``colour`` values, unless that is 0; a ``pixel`` has height and
    width in world units. ``fill`` is as near as the type of the elements can hold it; ``store``
    keeps blocks and their coarser copies.

    >>> import numpy as np
    >>> canvas = Canvas(CanvasAxes())
    >>> result = canvas.put({"t": 7}, np.full((2, 3), 7, "uint8"))
    >>> result = canvas.put({"t": 5}, np.full((2, 2), 5, "uint8"))
    >>> canvas.shape, canvas[0].tolist()
    ((2, 2, 3), [[5, 5, 0], [5, 5, 0]])
    >>> chunks = Canvas(CanvasAxes())
    >>> result = chunks.put({}, np.ones((1, 2), "uint8"), origin=(0, 2), array_shape=(1, 4))
    >>> np.asarray(chunks).tolist()
    [[0, 0, 1, 1]]
    """

    def __init__(
        self,
        axes: CanvasAxes,
        *,
        labels: bool = False,
        colour: int = 0,
        fill: float = 0.0,
        mosaic: Mosaic | None = None,
        pixel: YX = (1.0, 1.0),
        store: StoreArray = InMemoryArray,
    ) -> None:
        self.axes = axes
        self.labels = labels
        self.colour = colour
        self.mosaic: Mosaic = Mosaic() if mosaic is None else mosaic
        self.pixel = pixel
        self._store = store
        self._planes: PositionIndex[Plane] = PositionIndex(axes)
        # napari paints in the picture that it was given, too.
        self._renderer = Renderer(colour, 0.0 if labels else fill, copies=labels)
        self._space: tuple[int, ...] = ()
        self._chunk: tuple[int, ...] = ()  # the largest chunk of an array so far
        self._in_mosaic = False  # whether any block lies in a cell of the mosaic
        self._dtype: np.dtype[Any] | None = None
        self.n_painted: int = 0  # changes of the paint so far

    def put(
        self,
        position: Mapping[str, Any],
        block: npt.NDArray[Any] | ArrayHandle,
        *,
        origin: tuple[int, ...] = (),
        array_shape: tuple[int, ...] = (),
        order: Sequence[str] = (),
        names: Sequence[str] = (),
        stage: YX | None = None,
        values: ValueRange | None = None,
    ) -> PutResult:
        """Put a block at a position; an earlier one there is replaced.

        The canvas keeps a reference, not a copy: the array must not be written to any more.

        The block has the spatial axes (called ``names``), then colour if the canvas has it; that
        of a handle is stored already, and is not read. A chunk begins at ``origin`` in an array
        whose shape in space is ``array_shape``. ``order`` ranks sliders not seen before, ``stage``
        is the block's own statement of its place (y, x in world units), and ``values`` the range of
        its values, to remember. What cannot be shown raises a Refusal, a TypeError or a ValueError,
        and leaves the canvas as it was.
        """
        shape = self._space_of(block)
        origin = origin or (0,) * len(shape)
        end = _end(shape, origin, array_shape)
        sliders, cell = self._split(position)
        key = position_key(sliders)
        self.axes.check(sliders, len(end))
        if isinstance(block, np.ndarray):
            block = self._store(storable(block, labels=self.labels))
        size = end[-2] * self.pixel[0], end[-1] * self.pixel[1]
        grew = bool(cell) and self.mosaic.admit(cell, size, self.pixel, stage)
        # The mosaic was the last that could refuse the block: from here on, nothing fails.
        grew |= self.axes.admit(sliders, order)
        grew |= self.axes.admit_space(end, names)
        plane = self._planes.get(key)
        if plane is None:
            plane = Plane(self.mosaic.version)
            self._planes.set(key, plane)
        # The next look moves the other tiles, if the mosaic has grown: once for many blocks.
        start = self._start((cell, origin))
        if self.labels:
            block = block if isinstance(block, PaintableArray) else PaintableArray(block)
            before = plane.tiles.get((cell, origin))
            if before is not None and isinstance(before.array, PaintableArray):
                block.take_paint(before.array)
        tile = Tile(block, start, self._store, values=values)
        old = plane.put((cell, origin), tile)
        self._renderer.add(plane, tile, old)
        self._in_mosaic |= bool(cell)
        if array_shape:
            self._chunk = common_shape(self._chunk, shape)
        self.n_painted += isinstance(block, PaintableArray) and block.is_painted
        grew |= self._fit(end, block.dtype)
        return PutResult(
            key, grew, old is not None, tile.start, shape, None if old is None else old.values
        )

    def __setitem__(self, key: Any, value: Any) -> None:
        """Paint labels by hand.

        Paint lies on the block that a task has sent, on the topmost where several lie, and stays
        there when another one arrives for its place, until :meth:`clear_paint`. Elements that no
        block holds stay as they are.
        """
        if not self.labels:
            raise TypeError("a live image is not written to; write to a copy, data.copy()")
        indices = element_indices(key, self.shape)
        values = np.broadcast_to(np.asarray(value, self.dtype), indices[0].shape).ravel()
        flat = tuple(each.ravel() for each in indices)
        for place, is_there in by_place(flat, self.n_leading):
            where = tuple(each[is_there] for each in flat[self.n_leading :])
            self._paint(place, where, values[is_there])

    def _paint(self, place: Sequence[int], where: Indices, values: npt.NDArray[Any]) -> None:
        for plane in self._planes.at(place[: len(self.axes)]):
            self._arrange(plane)
            box = tuple(
                range(min(each), max(each) + 1) if len(each) else range(0) for each in where
            )
            for tile in reversed([*plane.tiles_near(box)]):
                inside = tile.paint(where, values)
                if inside.any():
                    self.n_painted += 1
                    self._renderer.add(plane, tile, tile)
                    where, values = tuple(each[~inside] for each in where), values[~inside]

    def clear_paint(self) -> None:
        """Show all blocks as the tasks made them again."""
        for plane in self._planes.values():
            for tile in plane.tiles.values():
                if tile.clear_paint():
                    self.n_painted += 1
                    self._renderer.add(plane, tile, tile)

    def painted(self) -> list[Mapping[str, Coordinate]]:
        """Return the positions of the blocks that are painted by hand."""
        return [
            {**dict(zip(names, coordinates, strict=True)), **dict(cell)}
            for (names, coordinates), plane in self._planes.items()
            for (cell, _), tile in plane.tiles.items()
            if isinstance(tile.array, PaintableArray) and tile.array.is_painted
        ]

    def _split(self, position: Mapping[str, Any]) -> tuple[Mapping[str, Any], Cell]:
        """Split a position into its sliders and its cell in the mosaic."""
        axes = self.mosaic.axes
        if not axes:
            return position, ()
        placed = {axis: plain_coordinate(axis, position[axis]) for axis in axes if axis in position}
        sliders = {axis: value for axis, value in position.items() if axis not in placed}
        return sliders, self.mosaic.cell(placed)

    def _start(self, key: TileKey) -> tuple[int, ...]:
        cell, origin = key
        if not cell:
            return origin
        y, x = self.mosaic.offset(cell)
        # The mosaic puts tiles on whole pixels of the coarsest canvas; rounded for others.
        y, x = y / self.pixel[0], x / self.pixel[1]
        return (*origin[:-2], origin[-2] + round(y), origin[-1] + round(x))

    def _arrange(self, plane: Plane) -> None:
        if plane.version != self.mosaic.version:
            plane.rearrange(self._start, self.mosaic.version)

    def _space_of(self, block: npt.NDArray[Any] | ArrayHandle) -> tuple[int, ...]:
        space = block.shape[:-1] if self.colour else block.shape
        if self.colour and block.shape[-1:] != (self.colour,):
            raise Refusal(
                f"not {self.colour} colours",
                f"item of shape {block.shape} does not end in {self.colour} colour values"
                " like those before it on its layer",
            )
        if len(space) < 2 or 0 in space:
            raise Refusal("not a picture", f"item of shape {block.shape} is not a picture")
        return space

    def _fit(self, space: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        """Make the canvas as large and its type as wide as a block needs."""
        old = self._space, self._dtype
        self._space = common_shape(self._space, space)
        self._dtype = promote(self._dtype, dtype, labels=self.labels)
        return (self._space, self._dtype) != old

    @property
    def is_empty(self) -> bool:
        """Return whether no block has come yet."""
        return self._dtype is None

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return sum(len(plane.tiles) for plane in self._planes.values())

    def values_at(self, key: PositionKey) -> ValueRange | None:
        """Return the range of the values at a position; None if none of its blocks came with it."""
        plane = self._planes.get(key)
        tiles = () if plane is None else plane.tiles.values()
        known = [tile.values for tile in tiles if tile.values is not None]
        return functools.reduce(ValueRange.union, known) if known else None

    @property
    def source(self) -> Canvas:
        """The canvas itself."""
        return self

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements; common to all blocks."""
        return np.dtype("uint8") if self._dtype is None else self._dtype

    @property
    def space(self) -> tuple[int, ...]:
        """Length of the spatial axes that the canvas has itself."""
        if not self._in_mosaic:
            return self._space
        y, x = (
            max(own, round(length / pixel))
            for own, length, pixel in zip(
                self._space[-2:], self.mosaic.extent, self.pixel, strict=True
            )
        )
        return (*self._space[:-2], y, x)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of the sliders, of the spatial axes and of the colour axis."""
        colour = (self.colour,) if self.colour else ()
        return (*self.axes.shape, *self._repeats, *self.space, *colour)

    @property
    def _repeats(self) -> tuple[int, ...]:
        """Spatial axes of the viewer that this canvas lacks: it is repeated along them."""
        return self.axes.extent[: len(self.axes.extent) - len(self._space)]

    @property
    def n_leading(self) -> int:
        """Number of axes before the canvas's own spatial ones."""
        return len(self.axes) + len(self._repeats)

    @property
    def n_levels(self) -> int:
        """Number of levels of the pyramid that a viewer should have."""
        longest = max(self.space[-2:], default=0)
        if longest <= PYRAMID_ABOVE:
            return 1
        return 1 + (-(-longest // COARSEST) - 1).bit_length()

    @property
    def levels(self) -> list[LazyArray]:
        """The canvas and its coarser copies, the finest first."""
        return [self, *(CanvasView(self, level=level) for level in range(1, self.n_levels))]

    def shape_at(self, level: int) -> tuple[int, ...]:
        """Return the shape at a level of the pyramid."""
        shape = list(self.shape)
        for axis in (-2, -1):
            axis -= bool(self.colour)
            shape[axis] = -(-shape[axis] >> level)
        return tuple(shape)

    def is_seen(self, key: PositionKey, indices: Sequence[int]) -> bool:
        """Return whether a position is looked at with an index of each slider."""
        return self._planes.is_seen(key, indices)

    def has_pixels(self, leading: Sequence[int]) -> bool:
        """Return whether any block is seen at an index of each leading axis."""
        return next(self._planes.at(leading), None) is not None

    def places_at(self, coordinates: Mapping[str, Coordinate], point: tuple[int, ...]) -> Places:
        """Yield position and origin of each block that is seen at a point, the topmost first.

        ``coordinates`` are those of the sliders, ``point`` is an index on each axis in space.
        Nothing is changed, so that other threads may ask; so it is with :meth:`rooms_at`.
        """
        for (names, values), plane in self._planes.under(coordinates):
            for cell, origin in plane.keys_at(point, self._keys_near(point)):
                yield {**dict(zip(names, values, strict=True)), **dict(cell)}, origin

    def _keys_near(self, point: tuple[int, ...]) -> list[TileKey] | None:
        """Return the keys that a tile of the mosaic may have at a point, None if any may be."""
        if not self._in_mosaic or self._chunk:
            return None
        y, x = ((at + 0.5) * size for at, size in zip(point[-2:], self.pixel, strict=True))
        origins = {(0,) * n for n in range(2, len(self._space) + 1)}
        cells: list[Cell] = [*self.mosaic.cells_at(y, x), ()]
        return [(cell, origin) for cell in cells for origin in origins]

    def rooms_at(self, coordinates: Mapping[str, Coordinate], point: tuple[int, ...]) -> Places:
        """Yield position and origin that a block has which may still come to a point."""
        space = self.space
        point = point[len(point) - len(space) :]
        if not all(0 <= at < length for at, length in zip(point, space, strict=True)):
            return
        y, x = ((at + 0.5) * size for at, size in zip(point[-2:], self.pixel, strict=True))
        origin = tuple(at // n * n for at, n in zip(point, self._chunk, strict=False))
        for cell in self.mosaic.cells_at(y, x):
            for names in self._planes.names:
                if coordinates.keys() >= set(names):
                    yield {**{name: coordinates[name] for name in names}, **dict(cell)}, origin

    def background(self, lengths: Sequence[int]) -> npt.NDArray[Any]:
        """Return an array as it is without any block."""
        return self._renderer.background(lengths, self.dtype)

    def pixels(self, selectors: tuple[Selector, ...], level: int = 0) -> npt.NDArray[Any]:
        """Return a part of the picture at one index of each leading axis."""
        sliders = [part for part in selectors[: len(self.axes)] if isinstance(part, int)]
        planes = list(self._planes.at(sliders))
        for plane in planes:
            self._arrange(plane)
        inside, n_space = selectors[self.n_leading :], len(self._space)
        window, key = upward_window(inside[:n_space], inside[n_space:])
        is_coarsest = level and level == self.n_levels - 1
        coarsest = self.shape_at(level)[self.n_leading :] if is_coarsest else ()
        picture: npt.NDArray[Any] = self._renderer.render(
            planes, window, level, self.dtype, coarsest
        )[key]
        return picture


def _end(
    shape: tuple[int, ...], origin: tuple[int, ...], array_shape: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the shape of the space that a chunk needs."""
    if len(origin) != len(shape) or (array_shape and len(array_shape) != len(shape)):
        raise Refusal(
            "chunk", f"a chunk of {len(shape)} axes at {len(origin)} of {len(array_shape)}"
        )
    end = tuple(at + length for at, length in zip(origin, shape, strict=True))
    if min(origin) < 0 or (
        array_shape and any(a > b for a, b in zip(end, array_shape, strict=True))
    ):
        raise Refusal("chunk", "a chunk outside of its array")
    return array_shape or end
