"""Lazy arrays: slicing them costs nothing until somebody wants the pixels."""

from __future__ import annotations

import operator
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dask_napari.canvas.pixels._array_protocol import ArrayProtocol, check_memory
from dask_napari.canvas.pixels._paintable_array import by_place, element_indices

if TYPE_CHECKING:
    from dask_napari.canvas.pixels._canvas import Canvas

Selector = int | range
"""Selection on one axis of a canvas: one index, or several."""


class LazyArray(ArrayProtocol):
    """Array whose elements are drawn when numpy asks for them.

    Subclasses provide :attr:`source`. Indices count from the canvas as it is at the time of
    evaluation: hold on to arrays, not to views.
    """

    level: int = 0
    """Level of the pyramid; 0 is the finest, each next one half as large."""

    @property
    def source(self) -> Canvas:
        """The canvas that holds the blocks."""
        raise NotImplementedError

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """Selection on each axis of the canvas, at this level; all of them as it grows."""
        return tuple(range(length) for length in self.source.shape_at(self.level))

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(_lengths(self.selectors))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements; common to all blocks."""
        return self.source.dtype

    @property
    def size(self) -> int:
        """Number of elements, with those of the places that nothing filled yet."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the dense array would take."""
        return self.size * self.dtype.itemsize

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        selectors = _select(parts, self.selectors)
        if selectors is None:  # arrays, masks or new axes: numpy knows best
            are_elements = len(parts) == self.ndim and all(map(_is_index, parts))
            return self._elements(parts) if are_elements else np.asarray(self)[key]
        if all(isinstance(part, int) for part in selectors[: self.source.n_leading]):
            # One place: handed out as it is, without a copy wherever one tile fills it.
            return self.source.pixels(selectors, self.level)
        return CanvasView(self.source, selectors, self.level)

    def _elements(self, parts: tuple[Any, ...]) -> npt.NDArray[Any]:
        """Return single elements, for which only the pixels around them are drawn."""
        indices = element_indices(parts, self.shape)
        result = np.empty(indices[0].shape, self.dtype)
        leading = self.selectors[: self.source.n_leading]
        for place, is_there in by_place(indices, len(_lengths(leading))):
            where = [each[is_there] for each in indices[len(place) :]]
            first = [each.min() for each in where]
            box = (slice(at, each.max() + 1) for at, each in zip(first, where, strict=True))
            picture = np.asarray(self[(*place, *box)])
            within = (each - at for at, each in zip(first, where, strict=True))
            result[is_there] = picture[tuple(within)]
        return result

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        source, selectors = self.source, self.selectors
        check_memory(self.shape, self.dtype)
        leading, rest = selectors[: source.n_leading], selectors[source.n_leading :]
        choices = [(part,) if isinstance(part, int) else part for part in leading]
        array = source.background([len(choice) for choice in choices] + _lengths(rest))
        for target in product(*(range(len(choice)) for choice in choices)):
            where = tuple(choice[at] for choice, at in zip(choices, target, strict=True))
            if source.has_pixels(where):
                array[target] = source.pixels((*where, *rest), self.level)
        array = array.reshape(self.shape)
        return array if dtype is None else array.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.shape} {self.dtype}>"


class CanvasView(LazyArray):
    """Part of a canvas, or a coarser copy that has every ``2**level``-th element in y and x.

    Without selectors (on each axis, at that level) it is all of the canvas as it grows.
    """

    def __init__(
        self, source: Canvas, selectors: tuple[Selector, ...] | None = None, level: int = 0
    ) -> None:
        self._source = source
        self._selectors = selectors
        self.level = level

    @property
    def source(self) -> Canvas:
        return self._source

    @property
    def selectors(self) -> tuple[Selector, ...]:
        return super().selectors if self._selectors is None else self._selectors


def _is_index(part: Any) -> bool:
    return isinstance(part, int | np.integer) or (
        isinstance(part, np.ndarray) and part.dtype.kind in "iu"
    )


def _lengths(selectors: tuple[Selector, ...]) -> list[int]:
    return [len(part) for part in selectors if isinstance(part, range)]


def _select(key: tuple[Any, ...], selectors: tuple[Selector, ...]) -> tuple[Selector, ...] | None:
    """Apply a key to selectors; None if it needs more than integers, slices and an ellipsis."""
    if any(
        part is None or isinstance(part, bool | np.bool_ | list | tuple | np.ndarray)
        for part in key
    ):
        return None
    free = [axis for axis, part in enumerate(selectors) if isinstance(part, range)]
    dots = [axis for axis, part in enumerate(key) if part is Ellipsis]
    given = len(key) - len(dots)
    if len(dots) > 1 or given > len(free):
        raise IndexError(f"too many indices: array has {len(free)} axes, {given} were indexed")
    if dots:
        fill = (slice(None),) * (len(free) - given)
        key = (*key[: dots[0]], *fill, *key[dots[0] + 1 :])
    result = list(selectors)
    for axis, part in zip(free, key, strict=False):
        choice = result[axis]
        assert isinstance(choice, range)
        result[axis] = choice[part] if isinstance(part, slice) else choice[operator.index(part)]
    return tuple(result)
