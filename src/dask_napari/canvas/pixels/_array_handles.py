"""Arrays that a canvas keeps: their handles, in memory or elsewhere, and types of elements."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dask_napari.catalog import ArrayHandle
from dask_napari.model import Refusal


class StoreArray(Protocol):
    """Callable that stores an array; ``level`` is above 0 for a coarser copy."""

    def __call__(self, array: npt.NDArray[Any], level: int = 0) -> ArrayHandle: ...


class InMemoryArray:
    """Handle of an array that stays in memory."""

    __slots__ = ("_array", "dtype", "shape")

    def __init__(self, array: npt.NDArray[Any], level: int = 0) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = array.dtype

    def __repr__(self) -> str:
        return f"<InMemoryArray {self.shape} {self.dtype}>"

    def get(self) -> npt.NDArray[Any]:
        """Return the array."""
        return self._array


def storable(block: npt.NDArray[Any], *, labels: bool) -> npt.NDArray[Any]:
    """Return a block in a type that a canvas keeps; a copy only where it must be.

    Elements that cannot be shown as an image, or as labels, raise a Refusal.

    >>> import numpy as np
    >>> storable(np.array([[True]]), labels=False).dtype
    dtype('uint8')
    """
    kinds = "biu" if labels else "biuf"
    if block.dtype.kind not in kinds:
        remedy = "labels are integers" if labels else "images are integers or floats"
        raise Refusal("dtype", f"item of type {block.dtype} cannot be shown: {remedy}")
    if block.dtype.kind == "b":
        return block.view(np.uint8)
    if not block.dtype.isnative:
        return block.astype(block.dtype.newbyteorder("="))
    return block


def promote(known: np.dtype[Any] | None, new: np.dtype[Any], *, labels: bool) -> np.dtype[Any]:
    """Return the type that holds elements of both.

    Labels stay integers, also where numpy would go to floats (``uint64`` with a signed type).

    >>> import numpy as np
    >>> promote(np.dtype("uint8"), np.dtype("int8"), labels=True)
    dtype('int16')
    >>> promote(np.dtype("uint64"), np.dtype("int8"), labels=True)
    dtype('int64')
    """
    if known is None or known == new:
        return new
    both = np.result_type(known, new)
    return np.dtype(np.int64) if labels and both.kind not in "iu" else both
