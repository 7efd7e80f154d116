"""Memory for arrived arrays: large slabs of huge pages, whose freed parts are used again.

A page that is touched for the first time costs 2-4 us, several times the copy that fills it.
Slabs ask for huge pages, of which one fault makes 512 small ones, and what dies leaves warm
memory for what comes next.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.stream.shm import Allocator
from dask_napari.system import private_memory

HUGE_PAGE: Final = 2 << 20

SLAB_BYTES: Final = 32 << 20
"""Sixteen huge pages; a larger array gets a larger slab."""

IDLE_BYTES: Final = 128 << 20
"""Bytes of slabs without a block that are kept warm; more are given back to the system."""


class _Lease(weakref.ref[npt.NDArray[np.uint8]]):
    """Tells when a block, and every view of it, is gone."""

    __slots__ = ("offset", "slab")
    slab: _Slab
    offset: int


class _Slab:
    """A piece of memory, and what of it is lent."""

    def __init__(self, nbytes: int) -> None:
        self.memory = private_memory(nbytes)
        self.space = Allocator(nbytes)
        self.nbytes = nbytes
        self.room = nbytes  # no request above this can succeed; spares searches in vain
        self.leases: dict[int, _Lease] = {}

    def lend(self, nbytes: int, on_death: Callable[[_Lease], None]) -> npt.NDArray[np.uint8] | None:
        if nbytes > self.room:
            return None
        offset = self.space.allocate(nbytes)
        if offset is None:
            self.room = nbytes - 1
            return None
        # numpy makes this array the base of every view of it and of views of those, or of one
        # in between that is: it lives for as long as any of them.
        part = np.frombuffer(self.memory, np.uint8, nbytes, offset)
        lease = _Lease(part, on_death)
        lease.slab, lease.offset = self, offset
        self.leases[offset] = lease
        return part

    def take_back(self, lease: _Lease) -> bool:
        """Free what a block took; true if it was the last one here."""
        del self.leases[lease.offset]
        self.space.free(lease.offset)
        self.room = self.nbytes
        return not self.leases


class BlockPool:
    """Allocate arrays from slabs; safe for threads.

    An array is an ordinary one. When it and all of its views are gone, in whichever thread, its
    place is free for the next one; slabs on which nothing lives go back to the system but for
    ``idle_bytes`` of them. A small array that lives long therefore keeps a slab from the system
    (up to 32 MiB), but only its own bytes from other arrays.

    >>> import numpy as np
    >>> pool = BlockPool()
    >>> block = pool.empty((2, 3), np.dtype("uint16"))
    >>> block.shape, block.dtype, pool.lent
    ((2, 3), dtype('uint16'), 64)
    >>> del block
    >>> pool.lent
    0
    """

    def __init__(self, slab_bytes: int = SLAB_BYTES, idle_bytes: int = IDLE_BYTES) -> None:
        self._slab_bytes = slab_bytes
        self._idle_bytes = idle_bytes
        self._lock = threading.Lock()
        self._slabs: list[_Slab] = []
        self._dead: deque[_Lease] = deque()
        # Weak: a pool in a cycle would keep its slabs until the garbage collector comes by.
        collect = weakref.WeakMethod(self._died)

        def died(lease: _Lease) -> None:
            method = collect()
            if method is not None:
                method(lease)

        self._on_death: Callable[[_Lease], None] = died

    def __repr__(self) -> str:
        return f"<BlockPool: {self.lent} bytes lent of {len(self._slabs)} slabs>"

    @property
    def lent(self) -> int:
        """Bytes of the arrays that live, in whole cache lines."""
        with self._lock:
            return sum(slab.space.size - slab.space.free_bytes for slab in self._slabs)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return an array without content, of any type but ``object``."""
        nbytes = math.prod(shape) * dtype.itemsize
        if nbytes == 0:
            return np.empty(shape, dtype)
        with self._lock:
            part = self._lend(nbytes)
        self._collect()  # what died meanwhile
        return part.view(dtype).reshape(shape)

    def _lend(self, nbytes: int) -> npt.NDArray[np.uint8]:
        # The first that has room: what is used stays together, and later slabs fall idle.
        for slab in self._slabs:
            part = slab.lend(nbytes, self._on_death)
            if part is not None:
                return part
        large = nbytes > self._slab_bytes
        slab = _Slab(-(-nbytes // HUGE_PAGE) * HUGE_PAGE if large else self._slab_bytes)
        self._slabs.append(slab)
        part = slab.lend(nbytes, self._on_death)
        assert part is not None
        return part

    def _died(self, lease: _Lease) -> None:
        self._dead.append(lease)
        self._collect()

    def _collect(self) -> None:
        """Take back what died.

        Arrays die anywhere, even in the middle of :meth:`empty` when the garbage collector runs
        there, so this never waits for the lock: its holder collects when it has let go.
        """
        while self._dead and self._lock.acquire(blocking=False):
            try:
                while self._dead:
                    lease = self._dead.popleft()
                    if lease.slab.take_back(lease):
                        self._trim()
            finally:
                self._lock.release()

    def _trim(self) -> None:
        spare = sum(slab.nbytes for slab in self._slabs if not slab.leases) - self._idle_bytes
        for slab in reversed(self._slabs):
            if spare <= 0:
                break
            if not slab.leases:
                self._slabs.remove(slab)
                spare -= slab.nbytes
