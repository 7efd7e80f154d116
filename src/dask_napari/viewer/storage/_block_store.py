"""Blocks of all canvases within a limit of memory: those not looked at for longest go to disk."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.catalog import ArrayHandle
from dask_napari.model import Reports, contain
from dask_napari.viewer.storage._scratch import Extent, Scratch

logger = logging.getLogger(__name__)

START, STOP = 7 / 8, 3 / 4
"""Shares of the limit at which blocks begin to go to disk, and at which that ends. The room above
the first is for what arrives while they are written."""

LEAST: Final = 4096
"""Bytes of the smallest block that goes to disk: one page, less would free none."""

RETRY: Final = 30.0
"""Seconds after an error of the disk, before it is tried again."""


class _Block:
    """Array in the store; ``array`` is None when it is on disk only."""

    __slots__ = ("array", "buried", "counted", "dead", "dtype", "extent", "level", "shape")

    def __init__(self, array: npt.NDArray[Any], level: int) -> None:
        self.array: npt.NDArray[Any] | None = array
        self.shape = array.shape
        self.dtype = array.dtype
        self.level = min(level, 1)
        self.extent: Extent | None = None
        self.counted = 0  # bytes that it adds to those in memory
        self.dead = False  # nobody can ask for it any more
        self.buried = False  # and the accounts know

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class StoredArray:
    """Handle of an array, which the store keeps for as long as the handle lives."""

    __slots__ = ("_block", "_store", "dtype", "shape")

    def __init__(self, store: BlockStore, block: _Block) -> None:
        self._store = store
        self._block = block
        self.shape = block.shape
        self.dtype = block.dtype

    def __repr__(self) -> str:
        place = "on disk" if self._block.array is None else "in memory"
        return f"<StoredArray {self.shape} {self.dtype} {place}>"

    def get(self) -> npt.NDArray[Any]:
        """Return the array, read back if it is on disk only."""
        return self._store._get(self._block)

    def __del__(self) -> None:
        # In whichever thread, even in the middle of a method of the store that has the lock.
        block = self._block
        block.array, block.dead = None, True
        self._store._died(block)


class BlockStore:
    """Keep arrays within a limit of memory, and the rest on disk.

    Those that were not looked at for longest go first, coarser copies last. They are written by
    a thread; until that is through, an array stays in memory, so nobody waits for the disk but
    who asks for an array that is on it. An array that was read back is not written again.

    ``limit`` is that of the bytes in memory; without one nothing goes to disk. ``scratch`` makes
    the place on disk when it is first needed.

    >>> with BlockStore(limit=16 << 20) as store:
    ...     held = [store.hold(np.full(1 << 20, n, "uint8")) for n in range(20)]
    ...     settled = store.settle(10)
    ...     store.in_memory <= store.limit, held[0].get()[0], held[19].get()[0]
    (True, np.uint8(0), np.uint8(19))
    """

    def __init__(self, limit: int | None = None, scratch: Callable[[], Scratch] = Scratch) -> None:
        self.limit = limit
        self.trouble: str = ""
        """Why blocks do not go to disk at present; empty if they can."""
        self._make_scratch = scratch
        self._scratch: Scratch | None = None
        self._start_above = int(START * limit) if limit else 0
        self._stop_below = int(STOP * limit) if limit else 0
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        # Those in memory that may go, the one not looked at for longest first: wholes, copies.
        self._orders: tuple[OrderedDict[_Block, None], ...] = (OrderedDict(), OrderedDict())
        self._in_memory = 0
        self._evicting = False
        self._retry_at = 0.0
        self._reports = Reports(logger)
        self._dead: deque[_Block] = deque()
        self._freed: deque[Extent] = deque()
        # Its `put` may be called where `put` was interrupted; no other way to wake a thread may.
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def __repr__(self) -> str:
        used = f"{self._in_memory} of {self.limit} bytes in memory"
        return f"<BlockStore: {used}, {self.on_disk} on disk>"

    # -- any thread --------------------------------------------------------------------------

    def hold(self, array: npt.NDArray[Any], level: int = 0) -> ArrayHandle:
        """Keep an array, which is not written to any more; ``level`` is above 0 for a copy."""
        block = _Block(array, level)
        with self._lock:
            self._bury()
            self._enter(block)
        return StoredArray(self, block)

    def _get(self, block: _Block) -> npt.NDArray[Any]:
        array, order = block.array, self._orders[block.level]
        if array is not None:
            with self._lock:
                if block in order:
                    order.move_to_end(block)
            return array
        assert block.extent is not None
        array = np.empty(block.shape, block.dtype)
        try:
            assert self._scratch is not None
            self._scratch.read(block.extent, array)
        except OSError as error:
            self._reports.error("an image could not be read back and is blank", error)
            return np.zeros(block.shape, block.dtype)
        with self._lock:
            self._bury()
            if block.array is None:
                block.array = array
                self._enter(block)
                if self.limit is not None:
                    self._let_go(self._start_above)
        return array

    def _died(self, block: _Block) -> None:
        self._dead.append(block)
        if block.extent is not None:
            self._wake.put(True)

    @property
    def in_memory(self) -> int:
        """Bytes of blocks in memory."""
        with self._lock:
            self._bury()
        return self._in_memory

    @property
    def on_disk(self) -> int:
        """Bytes of blocks on disk, those that are in memory too included."""
        return self._scratch.nbytes if self._scratch else 0

    @property
    def behind(self) -> bool:
        """Return whether the limit is reached and the disk is at work: items should wait."""
        return self.limit is not None and self._evicting and self._in_memory >= self.limit

    @property
    def room(self) -> int:
        """Bytes that fit into the limit; 1 if none do."""
        return 1 << 62 if self.limit is None else max(1, self.limit - self._in_memory)

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until nothing is on its way to disk; return false if that takes too long."""
        with self._settled:
            return self._settled.wait_for(lambda: not self._evicting, timeout)

    def close(self) -> None:
        """Write no more; arrays on disk can be read for as long as their handles live."""
        with self._lock:
            self._closed = True
        if self._thread is not None:
            self._wake.put(False)
            self._thread.join()

    def __enter__(self) -> BlockStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- with the lock -----------------------------------------------------------------------

    def _enter(self, block: _Block) -> None:
        """Count a block that is in memory."""
        block.counted = block.nbytes
        self._in_memory += block.counted
        if block.counted >= LEAST:
            self._orders[block.level][block] = None
        if self._must_evict and not self._evicting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="dask-napari-spill", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # the system has no thread to give
                    self._reports.error("images stay in memory, beyond the limit", error)
                    return
                self._thread = thread
            self._evicting = True
            self._wake.put(True)

    @property
    def _must_evict(self) -> bool:
        return (
            self.limit is not None
            and self._in_memory > self._start_above
            and self._oldest() is not None
            and not self._closed
            and time.monotonic() >= self._retry_at
        )

    def _leave(self, block: _Block) -> None:
        """Count out a block that has left memory."""
        self._in_memory -= block.counted
        block.counted = 0
        self._orders[block.level].pop(block, None)

    def _bury(self) -> None:
        """Count out dead blocks; the thread frees their space on disk."""
        while self._dead:
            block = self._dead.popleft()
            block.buried = True
            self._leave(block)
            if block.extent is not None:
                self._freed.append(block.extent)

    def _let_go(self, until: int) -> None:
        """Drop the oldest blocks as long as they are on disk too: dropping those costs nothing."""
        while self._in_memory > until:
            block = self._oldest()
            if block is None or block.extent is None:
                return
            block.array = None
            self._leave(block)

    def _oldest(self) -> _Block | None:
        return next((block for order in self._orders for block in order), None)

    # -- the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wake.get():
            try:
                with self._lock:
                    self._bury()
                while self._evicting and self._evict_one():
                    pass
                self._free()
            except Exception as error:
                # The thread must go on, or the store would wait for it for ever.
                self._stop(error)
                contain(error)
        with self._lock:
            self._rest()

    def _rest(self) -> None:
        self._evicting = False
        self._settled.notify_all()

    def _evict_one(self) -> bool:
        """Send the oldest block to disk; return false if none needs to go, or can."""
        self._free()
        with self._lock:
            self._bury()
            self._let_go(self._stop_below)
            victim = self._oldest()
            if victim is None or self._in_memory <= self._stop_below or self._closed:
                self._rest()  # with the lock, so that whoever comes over the limit now wakes us
                return False
            array = victim.array
        if array is None:  # it died this moment
            return True
        try:
            if self._scratch is None:
                self._scratch = self._make_scratch()
            extent = self._scratch.write(array)
        except OSError as error:
            self._stop(error)
            return False
        self.trouble = ""
        del array
        with self._lock:
            victim.extent = extent
            if victim.buried:
                self._freed.append(extent)
            elif self._oldest() is victim:
                victim.array = None
                self._leave(victim)
            # Otherwise somebody has looked at it meanwhile: its turn comes again.
        return True

    def _free(self) -> None:
        while self._freed:
            assert self._scratch is not None
            self._scratch.free(self._freed.popleft())

    def _stop(self, error: Exception) -> None:
        self.trouble = getattr(error, "strerror", None) or str(error)
        with self._lock:
            self._retry_at = time.monotonic() + RETRY
            self._rest()
        self._reports.error("images stay in memory, beyond the limit", error)
