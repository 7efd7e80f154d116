"""Lazy parts of a canvas: slicing them costs nothing until somebody wants the pixels."""

from __future__ import annotations

import operator
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from dask_napari.canvas.pixels._canvas import Canvas


Selector = int | range
"""What a view takes of one axis of its canvas: one index, or several."""


class Sliced:
    """What canvases and their views share: shape arithmetic, slicing and materialising.

    Subclasses provide :attr:`canvas`, :attr:`selectors` and :attr:`level`.
    """

    @property
    def canvas(self) -> Canvas:
        """The canvas that holds the blocks."""
        raise NotImplementedError

    @property
    def level(self) -> int:
        """Of the pyramid; 0 is the finest, each next one half as large."""
        return 0

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """What is taken of each axis of the canvas, at this level."""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(len(part) for part in self.selectors if isinstance(part, range))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements; common to all blocks."""
        return self.canvas.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements, with those of the places that nothing filled yet."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the dense array would take."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of an array with no axes")
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        selectors = _select(parts, self.selectors)
        if selectors is None:  # arrays, masks or new axes: numpy knows best
            return np.asarray(self)[key]
        if all(isinstance(part, int) for part in selectors[: self.canvas.n_leading]):
            # One place: handed out as it is, without a copy wherever one tile fills it.
            return self.canvas.one(selectors, self.level)
        return CanvasView(self.canvas, selectors, self.level)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        array = self._materialise()
        return array if dtype is None else array.astype(dtype, copy=False)

    def _materialise(self) -> npt.NDArray[Any]:
        canvas, selectors = self.canvas, self.selectors
        leading, rest = selectors[: canvas.n_leading], selectors[canvas.n_leading :]
        choices = [(part,) if isinstance(part, int) else part for part in leading]
        array = canvas.blank([len(choice) for choice in choices] + _lengths(rest))
        for target in product(*(range(len(choice)) for choice in choices)):
            where = tuple(choice[at] for choice, at in zip(choices, target, strict=True))
            if canvas.holds(where[: len(canvas.axes)]):
                array[target] = canvas.one((*where, *rest), self.level)
        return array.reshape(self.shape)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.shape} {self.dtype}>"


class CanvasView(Sliced):
    """Part of a canvas, evaluated when numpy asks for it.

    Indices count from the canvas as it is at the time of evaluation: hold on to arrays, not
    to views.
    """

    def __init__(self, canvas: Canvas, selectors: tuple[Selector, ...], level: int = 0) -> None:
        self._canvas = canvas
        self._selectors = selectors
        self._level = level

    @property
    def canvas(self) -> Canvas:
        """The canvas that holds the blocks."""
        return self._canvas

    @property
    def level(self) -> int:
        """Of the pyramid."""
        return self._level

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """What is taken of each axis of the canvas, at this level."""
        return self._selectors


class Level(CanvasView):
    """A coarser copy of all of a canvas, as it is at any moment.

    It has every ``2**level``-th element along the last two spatial axes.

    Parameters
    ----------
    canvas : Canvas
        The canvas.
    level : int
        Of the pyramid.
    """

    def __init__(self, canvas: Canvas, level: int) -> None:
        super().__init__(canvas, (), level)

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """Everything, also of what has come since."""
        return tuple(range(length) for length in self.canvas.shape_at(self.level))


def _lengths(selectors: tuple[Selector, ...]) -> list[int]:
    return [len(part) for part in selectors if isinstance(part, range)]


def _select(key: tuple[Any, ...], selectors: tuple[Selector, ...]) -> tuple[Selector, ...] | None:
    """Apply a key to selectors; None if it needs more than integers, slices and an ellipsis."""
    if any(
        part is None or isinstance(part, bool | np.bool_ | list | tuple | np.ndarray)
        for part in key
    ):
        return None
    free = [turn for turn, part in enumerate(selectors) if isinstance(part, range)]
    dots = [turn for turn, part in enumerate(key) if part is Ellipsis]
    given = len(key) - len(dots)
    if len(dots) > 1 or given > len(free):
        raise IndexError(f"too many indices: array has {len(free)} axes, {given} were indexed")
    if dots:
        fill = (slice(None),) * (len(free) - given)
        key = (*key[: dots[0]], *fill, *key[dots[0] + 1 :])
    result = list(selectors)
    for turn, part in zip(free, key, strict=False):
        choice = result[turn]
        assert isinstance(choice, range)
        result[turn] = choice[part] if isinstance(part, slice) else choice[operator.index(part)]
    return tuple(result)
