"""A worker's memory: how much of it a sink may hold, and less where it is short."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from dask_napari import config
from dask_napari.model import Reports
from dask_napari.sink import dask_internals
from dask_napari.sink._context import SinkContext
from dask_napari.sink._worker_settings import worker_setting
from dask_napari.stream.wire import LEAST_ARENA

if TYPE_CHECKING:
    from distributed import Worker


CHECK_INTERVAL: Final = 0.2
"""Seconds between checks of the worker's memory, which take some 20 us each; Dask's own are 0.1."""

SHARE: Final = 16
"""The part of a worker's memory limit that its queue may take, and its arena: on a host with 200
workers the settings' 128 and 64 MiB would be 38 GiB."""


class MemoryWatch:
    """Have a sink hold less, or nothing, while its worker is short of memory."""

    def __init__(self, context: SinkContext) -> None:
        self._context = context
        self._unhindered = dask_internals.unhindered_memory(context.worker)
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<MemoryWatch of {self._context.worker.address}: up to {self._unhindered:.0f} B>"

    def check(self) -> None:
        """Check now and, on the event loop, at intervals until it is closed."""
        self._timer = asyncio.get_running_loop().call_later(CHECK_INTERVAL, self.check)
        context = self._context
        try:
            context.pause()
            used = dask_internals.process_memory(context.worker)
            context.publisher.squeeze(used > self._unhindered)
        except Exception as error:
            context.failed(error)

    def close(self) -> None:
        """Stop the checks."""
        if self._timer is not None:
            self._timer.cancel()


def queue_bytes(worker: Worker, reports: Reports) -> int:
    """Return how many bytes of outputs may be held: the setting, within the worker's share."""
    return min(
        worker_setting("queue", config.bytes_of, reports),
        dask_internals.memory_limit(worker) // SHARE,
    )


def arena_bytes(worker: Worker, reports: Reports) -> int:
    """Return the size of the arena: the setting, within the share, but room for a few batches."""
    share = dask_internals.memory_limit(worker) // SHARE
    return min(worker_setting("arena", config.bytes_of, reports), max(LEAST_ARENA, share))
