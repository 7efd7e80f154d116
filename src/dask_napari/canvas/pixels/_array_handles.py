"""Handles of the arrays that a canvas keeps, in memory or elsewhere."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class ArrayHandle(Protocol):
    """Array in memory, or in a store from which it can be read back."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def get(self) -> npt.NDArray[Any]:
        """Return the array, which must not be written to."""


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
