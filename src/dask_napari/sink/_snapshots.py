"""Snapshots of values that tasks may go on writing to, and how large values are."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np


def snapshot(value: Any) -> Any:
    """Return a value that later writes do not change: itself if it cannot be written, or a copy."""
    if type(value) is np.ndarray:
        return value if _is_constant(value) else value.copy()
    return copy.deepcopy(value)


def nbytes_of(value: object, otherwise: int = 0) -> int:
    """Return how many bytes the stream will copy of a value.

    Figures such as Dask's and ``nbytes`` are wrong for views and broadcasts; ``otherwise`` is the
    size of a value that is not an array.

    >>> nbytes_of(np.broadcast_to(np.uint16(1), (100, 100)))
    20000
    """
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and isinstance(dtype, np.dtype):
        count = 1
        for length in shape:
            count *= length
        return count * dtype.itemsize
    return otherwise


def _is_constant(array: Any) -> bool:
    """Return whether nobody can write to an array's memory; a read-only view proves nothing."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return array is None or isinstance(array, bytes)
