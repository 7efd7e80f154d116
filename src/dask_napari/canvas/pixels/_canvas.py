"""The canvas: blocks kept where their coordinates put them, seen as one N-D array."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas._axes import CanvasAxes
from dask_napari.canvas._changes import CanvasPlace, Change, Signature
from dask_napari.canvas._mosaic import Mosaic, Pair
from dask_napari.canvas.pixels._dtypes import promote, storable
from dask_napari.canvas.pixels._overview import Overview
from dask_napari.canvas.pixels._planes import Plane
from dask_napari.canvas.pixels._tiles import Held, HeldInMemory, Hold, Tile, Window
from dask_napari.canvas.pixels._views import Level, Selector, Sliced
from dask_napari.model import Coordinate, plain_coordinate

PYRAMID_ABOVE: Final = 4096
"""Length of a spatial axis above which there are coarser levels; up to it, a graphics card takes
the whole as one texture, and drawing it costs less than choosing a level."""

COARSEST: Final = 1024
"""Length that the coarsest level does not exceed: about that of a window on a screen."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A block on a canvas, and all that says where."""

    position: Mapping[str, Coordinate]
    block: Held
    origin: tuple[int, ...] = ()
    array_shape: tuple[int, ...] = ()
    stage: Pair | None = None
    limits: Pair | None = None


class Canvas(Sliced):
    """Sparse N-D array that grows block by block; enough of an array for napari and numpy.

    A block lies at a position. Its coordinates on slider axes select it; those on the axes of
    the mosaic, and its origin if it is a chunk of a larger array, say where in space it lies.
    Along axes that its position does not name it is repeated, and so it is along spatial axes
    that it lacks. Nothing is ever moved or restacked: a coordinate gets an index on its axis,
    and blocks are found by coordinates. Where nothing lies, the canvas shows ``fill``.

    Parameters
    ----------
    axes : CanvasAxes
        Shared by all canvases of a viewer.
    labels : bool
        Whether elements are labels: their type then stays an integer one.
    colour : int
        Length of the colour axis that blocks end in, 0 if they have none.
    fill : float
        What is where nothing lies, as far as the type of the elements can say it.
    mosaic : Mosaic, optional
        Shared by all canvases of a viewer.
    pixel : tuple of float
        Height and width of a pixel in world units, for the mosaic.
    hold : callable
        Takes blocks into keeping.

    Examples
    --------
    >>> import numpy as np
    >>> canvas = Canvas(CanvasAxes())
    >>> change = canvas.put({"t": 7}, np.full((2, 3), 7, "uint8"))
    >>> change = canvas.put({"t": 5}, np.full((2, 2), 5, "uint8"))
    >>> canvas.shape, canvas[0].tolist()
    ((2, 2, 3), [[5, 5, 0], [5, 5, 0]])
    >>> chunks = Canvas(CanvasAxes())
    >>> change = chunks.put({}, np.ones((1, 2), "uint8"), origin=(0, 2), array_shape=(1, 4))
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
        pixel: Pair = (1.0, 1.0),
        hold: Hold = HeldInMemory,
    ) -> None:
        self.axes = axes
        self.labels = labels
        self.colour = colour
        self.fill = 0.0 if labels else fill
        self.mosaic = Mosaic() if mosaic is None else mosaic
        self.pixel = pixel
        self._hold = hold
        self._planes: dict[Signature, dict[tuple[Coordinate, ...], Plane]] = {}
        self._space: tuple[int, ...] = ()
        self._laid_out = False  # whether any block lies by the mosaic
        self._dtype: np.dtype[Any] | None = None
        # Signatures, most specific first, with the slider index of each of their axes.
        self._plan: list[tuple[Signature, tuple[int, ...]]] = []
        self._planned = -1
        self._overview: Overview | None = None

    def put(
        self,
        position: Mapping[str, Any],
        block: npt.NDArray[Any] | Held,
        *,
        origin: tuple[int, ...] = (),
        array_shape: tuple[int, ...] = (),
        order: Sequence[str] = (),
        names: Sequence[str] = (),
        stage: Pair | None = None,
        limits: Pair | None = None,
    ) -> Change:
        """Lay a block at a position; an earlier one there is replaced.

        The canvas keeps a reference, not a copy: the array must not be written to any more.

        Parameters
        ----------
        position : mapping of str to coordinate
            Axis names to coordinates.
        block : numpy.ndarray or Held
            Pixels; the spatial axes, then the colour axis if the canvas has one. What is in
            keeping already, of :meth:`blocks`, is not read for that.
        origin : tuple of int
            Where the block begins in the array that it is a chunk of, one a spatial axis.
        array_shape : tuple of int
            Shape of that array in space, if it is known.
        order : sequence of str
            Preferred order of sliders that were not seen before.
        names : sequence of str
            Names of the spatial axes.
        stage : tuple of float, optional
            Where the block is by its own account: y and x in world units.
        limits : tuple of float, optional
            Contrast limits that fit the block; remembered for :meth:`blocks`.

        Raises
        ------
        TypeError, ValueError
            If the block or a coordinate cannot be shown; the canvas is as it was.
        """
        if isinstance(block, np.ndarray):
            block = storable(block, labels=self.labels)
        shape = self._space_of(block)
        origin = origin or (0,) * len(shape)
        end = _end(shape, origin, array_shape)
        sliders, cell = self._divided(position)
        signature = tuple(sorted(sliders))
        at = tuple(plain_coordinate(axis, sliders[axis]) for axis in signature)
        size = end[-2] * self.pixel[0], end[-1] * self.pixel[1]
        grew = bool(cell) and self.mosaic.admit(cell, size, self.pixel, stage)
        grew |= self.axes.admit(sliders, order)
        grew |= self.axes.admit_space(end, names)
        planes = self._planes.get(signature)
        if planes is None:
            planes = self._planes[signature] = {}
            self._planned = -1
        plane = planes.get(at)
        if plane is None:
            plane = planes[at] = Plane()
            plane.version = self.mosaic.version
        elif cell:
            self._arrange(plane)
        start = self._start(cell, origin) if cell else origin
        held = self._hold(block) if isinstance(block, np.ndarray) else block
        tile = Tile(held, start, self._hold)
        tile.array_shape, tile.stage, tile.limits = array_shape, stage, limits
        old = plane.put((cell, origin), tile)
        overview = self._overview
        if overview is not None and overview.plane is plane and not overview.add(tile, old):
            self._overview = None
        self._laid_out |= bool(cell)
        grew |= self._fit(end, block.dtype)
        return Change((signature, at), grew, old is not None, start, shape)

    def _divided(self, position: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[Any, ...]]:
        """Split a position into its sliders and its cell in the mosaic."""
        laid_out = self.mosaic.axes
        if not laid_out:
            return position, ()
        clean = {
            axis: plain_coordinate(axis, position[axis]) for axis in laid_out if axis in position
        }
        sliders = {axis: value for axis, value in position.items() if axis not in clean}
        return sliders, self.mosaic.cell(clean)

    def _start(self, cell: tuple[Any, ...], origin: tuple[int, ...]) -> tuple[int, ...]:
        y, x = self.mosaic.offset(cell)
        # The mosaic puts tiles on whole pixels of the coarsest canvas; rounded for others.
        y, x = y / self.pixel[0], x / self.pixel[1]
        return (*origin[:-2], origin[-2] + round(y), origin[-1] + round(x))

    def _arrange(self, plane: Plane) -> None:
        """Move the tiles of a plane to where the mosaic puts them now."""
        if plane.version == self.mosaic.version:
            return
        plane.version = self.mosaic.version
        for (cell, origin), tile in plane.tiles.items():
            if cell:
                tile.move(self._start(cell, origin))
        plane.moved()

    def _space_of(self, block: npt.NDArray[Any] | Held) -> tuple[int, ...]:
        space = block.shape[:-1] if self.colour else block.shape
        if self.colour and block.shape[-1:] != (self.colour,):
            raise ValueError(
                f"item of shape {block.shape} does not end in {self.colour} colour values"
                " like those before it on its layer"
            )
        if len(space) < 2 or 0 in space:
            raise ValueError(f"item of shape {block.shape} is not a picture")
        return space

    def _fit(self, space: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        """Make the canvas as large and its type as wide as a block needs."""
        old = self._space, self._dtype
        missing = len(space) - len(self._space)
        mine = (1,) * missing + self._space
        theirs = (1,) * -missing + space
        self._space = tuple(map(max, mine, theirs))
        self._dtype = promote(self._dtype, dtype, labels=self.labels)
        return (self._space, self._dtype) != old

    # -- as an array -------------------------------------------------------------------------

    @property
    def canvas(self) -> Canvas:
        """The canvas itself."""
        return self

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements; common to all blocks."""
        return np.dtype("uint8") if self._dtype is None else self._dtype

    @property
    def space(self) -> tuple[int, ...]:
        """Length of the spatial axes that the canvas has itself."""
        if not self._laid_out:
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
        """Sliders, spatial axes, colour."""
        colour = (self.colour,) if self.colour else ()
        return (*self.axes.shape, *self._repeats, *self.space, *colour)

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """Everything."""
        return tuple(range(length) for length in self.shape)

    @property
    def _repeats(self) -> tuple[int, ...]:
        """Spatial axes of the viewer that this canvas lacks: it is repeated along them."""
        return self.axes.extent[: len(self.axes.extent) - len(self._space)]

    @property
    def n_leading(self) -> int:
        """Number of axes before the canvas's own spatial ones."""
        return len(self.axes) + len(self._repeats)

    # -- levels ------------------------------------------------------------------------------

    @property
    def n_levels(self) -> int:
        """Number of levels that a viewer should have of it."""
        longest = max(self.space[-2:], default=0)
        if longest <= PYRAMID_ABOVE:
            return 1
        return 1 + (-(-longest // COARSEST) - 1).bit_length()

    @property
    def levels(self) -> list[Sliced]:
        """The canvas and its coarser copies, the finest first."""
        return [self, *(Level(self, level) for level in range(1, self.n_levels))]

    def shape_at(self, level: int) -> tuple[int, ...]:
        """Shape at a level."""
        shape = list(self.shape)
        for axis in (-2, -1):
            axis -= bool(self.colour)
            shape[axis] = -(-shape[axis] >> level)
        return tuple(shape)

    # -- blocks ------------------------------------------------------------------------------

    def _planes_at(self, indices: Sequence[int]) -> Iterator[Plane]:
        """Planes that are seen at an index of each slider, the most specific first."""
        if self._planned != self.axes.structure:
            where = {name: turn for turn, name in enumerate(self.axes.names)}
            most_specific_first = sorted(self._planes, key=len, reverse=True)
            self._plan = [(s, tuple(where[name] for name in s)) for s in most_specific_first]
            self._planned = self.axes.structure
        for signature, turns in self._plan:
            at = tuple(
                self.axes[name][indices[turn]] for name, turn in zip(signature, turns, strict=True)
            )
            plane = self._planes[signature].get(at)
            if plane is not None:
                self._arrange(plane)
                yield plane

    def seen(self, place: CanvasPlace, indices: Sequence[int]) -> bool:
        """Whether a place is looked at with an index of each slider."""
        names = self.axes.names
        return all(
            self.axes[name][indices[names.index(name)]] == at
            for name, at in zip(*place, strict=True)
        )

    def holds(self, indices: Sequence[int]) -> bool:
        """Return whether anything is seen at an index of each slider."""
        return next(self._planes_at(indices), None) is not None

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return sum(
            len(plane.tiles) for planes in self._planes.values() for plane in planes.values()
        )

    def blocks(self) -> Iterator[Laid]:
        """All blocks with all that says where they lie, in the order in which they came."""
        for signature, planes in self._planes.items():
            for at, plane in planes.items():
                sliders = dict(zip(signature, at, strict=True))
                for (cell, origin), tile in plane.tiles.items():
                    # A whole has an origin, too; only a chunk needs it.
                    place = origin if tile.array_shape or any(origin) else ()
                    position = {**sliders, **dict(cell)}
                    yield Laid(
                        position, tile.held, place, tile.array_shape, tile.stage, tile.limits
                    )

    def blank(self, lengths: Sequence[int]) -> npt.NDArray[Any]:
        """Return an array in which nothing lies."""
        fill = np.array(self.fill)
        if not np.can_cast(np.min_scalar_type(self.fill), self.dtype, "same_kind"):
            fill = np.array(0)
        if not fill:
            return np.zeros(lengths, self.dtype)
        return np.full(lengths, fill.astype(self.dtype), self.dtype)

    def one(self, selectors: tuple[Selector, ...], level: int = 0) -> npt.NDArray[Any]:
        """Return a part of what is seen at one index of each leading axis."""
        sliders = [part for part in selectors[: len(self.axes)] if isinstance(part, int)]
        inside = selectors[self.n_leading :]
        space, colour = inside[: len(self._space)], inside[len(self._space) :]
        # As ranges that run upwards; what they were is put right at the end.
        window = tuple(_upwards(part) for part in space)
        after: tuple[Any, ...] = tuple(
            0 if isinstance(part, int) else slice(None, None, -1 if part.step < 0 else 1)
            for part in space
        ) + tuple(part if isinstance(part, int) else _as_slice(part) for part in colour)
        picture: npt.NDArray[Any] = self._picture(sliders, window, level)[after]
        return picture

    def _picture(self, sliders: Sequence[int], window: Window, level: int) -> npt.NDArray[Any]:
        planes = list(self._planes_at(sliders))
        if len(planes) == 1:
            if level and level == self.n_levels - 1 and len(window) == 2:
                return self._coarsest(planes[0], level)[tuple(map(_as_slice, window))]
            only = planes[0].sole(window, level)
            if only is not None:
                return only.astype(self.dtype, copy=False)
        colour = [self.colour] if self.colour else []
        picture = self.blank([*map(len, window), *colour])
        for plane in reversed(planes):
            plane.draw(picture, window, level)
        return picture

    def _coarsest(self, plane: Plane, level: int) -> npt.NDArray[Any]:
        """All of a plane at the coarsest level, which is asked for at each redraw."""
        shape = self.shape_at(level)[self.n_leading :]
        window = range(shape[0]), range(shape[1])
        if self._overview is None or not self._overview.shows(plane, level, window, self.dtype):
            self._overview = Overview(plane, level, self.blank(shape), window)
        return self._overview.picture


def _end(
    shape: tuple[int, ...], origin: tuple[int, ...], array_shape: tuple[int, ...]
) -> tuple[int, ...]:
    """Shape of the space that a chunk needs, checked."""
    if len(origin) != len(shape) or (array_shape and len(array_shape) != len(shape)):
        raise ValueError(f"a chunk of {len(shape)} axes at {len(origin)} of {len(array_shape)}")
    end = tuple(at + length for at, length in zip(origin, shape, strict=True))
    if min(origin) < 0 or (
        array_shape and any(a > b for a, b in zip(end, array_shape, strict=True))
    ):
        raise ValueError("a chunk outside of its array")
    return array_shape or end


def _upwards(part: Selector) -> range:
    if isinstance(part, int):
        return range(part, part + 1)
    return part if part.step > 0 else part[::-1]


def _as_slice(part: range) -> slice:
    """Return the slice that takes what a range lists."""
    # A range that runs down to 0 stops at -1, which a slice would read as "the last one".
    return slice(part.start, part.stop if part.stop >= 0 else None, part.step)
