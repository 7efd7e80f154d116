"""Memory for what has arrived: large slabs that are used again.

A page that is touched for the first time costs 2-4 us, several times the copy that fills it.
Slabs ask for huge pages, of which one fault makes 512 small ones, and a slab on which nothing
lives any more is filled again while it is warm.
"""

from __future__ import annotations

import math
import mmap
import sys
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SLAB_BYTES: Final = 32 << 20
"""Sixteen huge pages: what one long-lived block can keep from being used again."""

ALIGNMENT: Final = 64

IDLE_SLABS: Final = 4
"""Slabs without a block that are kept warm; more are given back to the system."""


def _slab(nbytes: int) -> npt.NDArray[np.uint8]:
    memory = mmap.mmap(-1, nbytes)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        try:
            memory.madvise(mmap.MADV_HUGEPAGE)
        except OSError:  # a kernel without them
            pass
    return np.frombuffer(memory, np.uint8)


class BlockPool:
    """Allocate arrays from slabs; for one thread.

    An array is an ordinary one: it keeps its slab alive, and when the last array on a slab is
    gone, the slab is filled anew.

    Examples
    --------
    >>> import numpy as np
    >>> block = BlockPool().empty((2, 3), np.dtype("uint16"))
    >>> block.shape, block.dtype
    ((2, 3), dtype('uint16'))
    """

    def __init__(self, slab_bytes: int = SLAB_BYTES) -> None:
        self._slab_bytes = slab_bytes
        self._slabs: list[npt.NDArray[np.uint8]] = []
        self._current: npt.NDArray[np.uint8] | None = None
        self._used = 0

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """An array without content."""
        nbytes = math.prod(shape) * dtype.itemsize
        if nbytes == 0:
            return np.empty(shape, dtype)
        if nbytes > self._slab_bytes // 2:
            # Of its own: on a shared slab it would leave a large rest unused.
            part = _slab(nbytes)
        else:
            if self._current is None or self._used + nbytes > self._slab_bytes:
                self._next()
            assert self._current is not None
            part = self._current[self._used : self._used + nbytes]
            self._used += -(-nbytes // ALIGNMENT) * ALIGNMENT
        return part.view(dtype).reshape(shape)

    def _next(self) -> None:
        if self._current is not None:
            self._slabs.append(self._current)
            self._current = None
        idle = []
        for index in range(len(self._slabs)):
            # The list and the argument of getrefcount are the only ones that hold an idle one.
            if sys.getrefcount(self._slabs[index]) == 2:
                idle.append(index)
        if idle:
            self._current = self._slabs[idle[0]]
            for index in reversed([idle[0], *idle[1 + IDLE_SLABS :]]):
                del self._slabs[index]
        else:
            self._current = _slab(self._slab_bytes)
        self._used = 0
