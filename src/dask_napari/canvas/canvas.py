"""The canvas: blocks kept where their coordinates put them, seen as one N-D array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dask_napari.canvas.axes import Axes
from dask_napari.canvas.dtypes import promote, storable
from dask_napari.canvas.order import Coordinate
from dask_napari.canvas.view import Selector, Sliced

Signature = tuple[str, ...]
Place = tuple[Signature, tuple[Coordinate, ...]]
"""Identity of a block's place: axis names, and the coordinate on each."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one put did.

    Attributes
    ----------
    place : tuple
        Identity of the place that was filled, as :meth:`Canvas.place_at` gives it.
    grew : bool
        Whether shape, number of axes or type of the canvas (or of its axes) changed.
    replaced : bool
        Whether an earlier block lay there.
    """

    place: Place
    grew: bool
    replaced: bool


class Canvas(Sliced):
    """Sparse N-D array that grows block by block; enough of an array for napari and numpy.

    A block lies at a position on the slider axes; along axes that its position does not name
    it is repeated, and so it is along spatial axes that it lacks. Nothing is ever moved or
    restacked: a coordinate gets an index on its axis, and blocks are found by coordinates.
    Places that nothing filled are 0, and so is the room beside blocks smaller than others.

    Parameters
    ----------
    axes : Axes
        Shared by all canvases of a viewer.
    labels : bool
        Whether elements are labels: their type then stays an integer one.
    colour : int
        Length of the colour axis that blocks end in, 0 if they have none.

    Examples
    --------
    >>> import numpy as np
    >>> canvas = Canvas(Axes())
    >>> change = canvas.put({"t": 7}, np.full((2, 3), 7, "uint8"))
    >>> change = canvas.put({"t": 5}, np.full((2, 2), 5, "uint8"))
    >>> canvas.shape, canvas[0].tolist()
    ((2, 2, 3), [[5, 5, 0], [5, 5, 0]])
    """

    def __init__(self, axes: Axes, *, labels: bool = False, colour: int = 0) -> None:
        self.axes = axes
        self.labels = labels
        self.colour = colour
        self._blocks: dict[Signature, dict[tuple[Coordinate, ...], npt.NDArray[Any]]] = {}
        self._space: tuple[int, ...] = ()
        self._dtype: np.dtype[Any] | None = None
        # Signatures, most specific first, with the slider index of each of their axes.
        self._plan: list[tuple[Signature, tuple[int, ...]]] = []
        self._planned = -1
        self._nothing: npt.NDArray[Any] | None = None

    def put(
        self,
        position: Mapping[str, Any],
        block: npt.NDArray[Any],
        *,
        order: Sequence[str] = (),
        names: Sequence[str] = (),
    ) -> Change:
        """Lay a block at a position; an earlier one there is replaced.

        The canvas keeps a reference, not a copy: the array must not be written to any more.

        Parameters
        ----------
        position : mapping of str to coordinate
            Axis names to coordinates.
        block : numpy.ndarray
            Pixels; the spatial axes, then the colour axis if the canvas has one.
        order : sequence of str
            Preferred order of sliders that were not seen before.
        names : sequence of str
            Names of the spatial axes.

        Raises
        ------
        TypeError, ValueError
            If the block or a coordinate cannot be shown; the canvas is as it was.
        """
        block = storable(block, labels=self.labels)
        space = self._space_of(block)
        grew = self.axes.admit(position, order)
        grew |= self.axes.admit_space(space, names)
        signature = tuple(sorted(position))
        place = signature, tuple(self.axes[name].canonical(position[name]) for name in signature)
        if signature not in self._blocks:
            self._blocks[signature] = {}
            self._planned = -1
        blocks = self._blocks[signature]
        replaced = place[1] in blocks
        blocks[place[1]] = block
        grew |= self._fit(space, block.dtype)
        return Change(place, grew, replaced)

    def _space_of(self, block: npt.NDArray[Any]) -> tuple[int, ...]:
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
    def shape(self) -> tuple[int, ...]:
        """Sliders, spatial axes, colour."""
        colour = (self.colour,) if self.colour else ()
        return (*self.axes.shape, *self._repeats, *self._space, *colour)

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

    # -- blocks ------------------------------------------------------------------------------

    def find(self, indices: Sequence[int]) -> tuple[Place, npt.NDArray[Any]] | None:
        """Return the place and the block seen at an index of each slider, if there is one."""
        if self._planned != self.axes.structure:
            where = {name: turn for turn, name in enumerate(self.axes.names)}
            most_specific_first = sorted(self._blocks, key=len, reverse=True)
            self._plan = [(s, tuple(where[name] for name in s)) for s in most_specific_first]
            self._planned = self.axes.structure
        for signature, turns in self._plan:
            at = tuple(
                self.axes[name][indices[turn]] for name, turn in zip(signature, turns, strict=True)
            )
            block = self._blocks[signature].get(at)
            if block is not None:
                return (signature, at), block
        return None

    def place_at(self, indices: Sequence[int]) -> Place | None:
        """Return the identity of what is seen at an index of each slider."""
        found = self.find(indices)
        return None if found is None else found[0]

    def holds(self, indices: Sequence[int]) -> bool:
        """Return whether anything is seen at an index of each slider."""
        return self.find(indices) is not None

    @property
    def n_blocks(self) -> int:
        """Number of places filled."""
        return sum(map(len, self._blocks.values()))

    def one(self, selectors: tuple[Selector, ...]) -> npt.NDArray[Any]:
        """Return a part of what is seen at one index of each leading axis."""
        inside = tuple(
            part if isinstance(part, int) else _as_slice(part)
            for part in selectors[self.n_leading :]
        )
        found = self.find([part for part in selectors[: len(self.axes)] if isinstance(part, int)])
        full = self._blank() if found is None else self._filled(found[1])
        result: npt.NDArray[Any] = full[inside]
        return result

    def _blank(self) -> npt.NDArray[Any]:
        shape = self.shape[self.n_leading :]
        if (
            self._nothing is None
            or self._nothing.shape != shape
            or self._nothing.dtype != self.dtype
        ):
            self._nothing = np.zeros(shape, self.dtype)
            self._nothing.flags.writeable = False
        return self._nothing

    def _filled(self, block: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a block in the type of the canvas and in all of its space."""
        block = block.astype(self.dtype, copy=False)
        shape = self.shape[self.n_leading :]
        if block.ndim < len(shape):  # a plane among stacks is seen at every depth
            block = np.broadcast_to(block, shape[: len(shape) - block.ndim] + block.shape)
        if block.shape == shape:
            return block
        full = np.zeros(shape, self.dtype)
        full[tuple(slice(length) for length in block.shape)] = block
        return full


def _as_slice(part: range) -> slice:
    """Return the slice that takes what a range lists."""
    # A range that runs down to 0 stops at -1, which a slice would read as "the last one".
    return slice(part.start, part.stop if part.stop >= 0 else None, part.step)
