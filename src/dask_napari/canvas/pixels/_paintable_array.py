"""Painted arrays: pixels of a tile that the user painted, over those of the task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from dask_napari.canvas.pixels._array_handles import promote
from dask_napari.catalog import ArrayHandle

Indices = tuple[npt.NDArray[np.intp], ...]
"""Index of each of several elements, one array an axis."""


class PaintableArray:
    """Handle of an array that the user may paint on; what is painted stays in memory.

    ``under`` is the handle of the array as the task made it.

    >>> from dask_napari.canvas.pixels._array_handles import InMemoryArray
    >>> painted = PaintableArray(InMemoryArray(np.zeros((1, 3), "uint8")))
    >>> painted.paint((np.array([0]), np.array([2])), np.array([7]))
    >>> newer = PaintableArray(InMemoryArray(np.ones((1, 3), "uint8")))
    >>> newer.take_paint(painted)
    >>> newer.get().tolist()
    [[1, 1, 7]]
    """

    __slots__ = ("_painted", "under")

    def __init__(self, under: ArrayHandle) -> None:
        self.under = under
        self._painted: tuple[npt.NDArray[Any], npt.NDArray[np.bool_]] | None = None
        """A copy of the array with the paint, and a mask of the elements with paint."""

    def __repr__(self) -> str:
        count = 0 if self._painted is None else self._painted[1].sum()
        return f"<PaintableArray {self.shape} {self.dtype}, {count} by hand>"

    @property
    def is_painted(self) -> bool:
        """Return whether the user has painted on the array."""
        return self._painted is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.under.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self.under.dtype if self._painted is None else self._painted[0].dtype

    def get(self) -> npt.NDArray[Any]:
        """Return the array."""
        return self.under.get() if self._painted is None else self._painted[0]

    def paint(self, where: Indices, values: npt.NDArray[Any]) -> None:
        """Set elements, and remember that they were set by hand."""
        is_painted = np.zeros(self.shape, bool) if self._painted is None else self._painted[1]
        # A copy, since others may hold the array that there was.
        array = self.get().astype(promote(self.dtype, values.dtype, labels=True))
        array[where] = values
        is_painted[where] = True
        self._painted = array, is_painted

    def clear_paint(self) -> None:
        """Show the array as the task made it again."""
        self._painted = None

    def take_paint(self, other: PaintableArray) -> None:
        """Lay the paint of another array over this one, as far as the two overlap."""
        if other._painted is None or other is self or len(other.shape) != len(self.shape):
            return
        array, is_painted = other._painted
        common = tuple(slice(min(pair)) for pair in zip(other.shape, self.shape, strict=True))
        where = np.nonzero(is_painted[common])
        if len(where[0]):
            self.paint(where, array[where])


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
