"""Painted arrays: pixels of a tile that the user painted, over those of the task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from dask_napari.canvas.pixels._array_handles import ArrayHandle, promote

Indices = tuple[npt.NDArray[np.intp], ...]
"""Index of each of several elements, one array an axis."""


class PaintedArray:
    """Handle of a copy of an array that the user has painted on; it stays in memory.

    ``under`` is the handle of the array as the task made it.

    >>> from dask_napari.canvas.pixels._array_handles import InMemoryArray
    >>> painted = PaintedArray(InMemoryArray(np.zeros((1, 3), "uint8")))
    >>> painted.paint((np.array([0]), np.array([2])), np.array([7]))
    >>> painted.over(InMemoryArray(np.ones((1, 3), "uint8"))).get().tolist()
    [[1, 1, 7]]
    """

    __slots__ = ("_array", "_is_painted", "under")

    def __init__(self, under: ArrayHandle) -> None:
        self.under = under
        self._array = under.get()
        self._is_painted = np.zeros(under.shape, bool)

    def __repr__(self) -> str:
        return f"<PaintedArray {self.shape} {self.dtype}, {self._is_painted.sum()} by hand>"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self._array.dtype

    def get(self) -> npt.NDArray[Any]:
        """Return the array."""
        return self._array

    def paint(self, where: Indices, values: npt.NDArray[Any]) -> None:
        """Set elements, and remember that they were set by hand."""
        # A copy, since others may hold the array that there was.
        dtype = promote(self.dtype, values.dtype, labels=True)
        self._array = self._array.astype(dtype)
        self._array[where] = values
        self._is_painted[where] = True

    def over(self, other: ArrayHandle) -> PaintedArray:
        """Return the paint over another array, as far as the two overlap."""
        result = PaintedArray(other)
        if len(other.shape) == len(self.shape):
            common = tuple(slice(min(pair)) for pair in zip(other.shape, self.shape, strict=True))
            where = np.nonzero(self._is_painted[common])
            if len(where[0]):
                result.paint(where, self._array[where])
        return result


def element_indices(key: Any, shape: tuple[int, ...]) -> Indices:
    """Return the elements that a key of ``array[key] = value`` means, as numpy understands it.

    >>> [each.tolist() for each in element_indices((0, slice(1, 3)), (2, 4))]
    [[0, 0], [1, 2]]
    """
    return tuple(
        np.broadcast_to(np.arange(n).reshape(-1, *[1] * (len(shape) - axis - 1)), shape)[key]
        for axis, n in enumerate(shape)
    )


def by_place(indices: Indices, n_leading: int) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield each index of the leading axes among some elements, with a mask of those there."""
    if not n_leading:
        yield (), np.ones(indices[0].shape, bool)
        return
    leading = np.stack([each.ravel() for each in indices[:n_leading]])
    for place in np.unique(leading, axis=1).T:
        is_there = (leading == place[:, None]).all(0)
        yield tuple(map(int, place)), is_there.reshape(indices[0].shape)
