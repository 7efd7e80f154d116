"""A worker's memory: how much of it a sink may hold, and less where it is short."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from dask_napari import config
from dask_napari.sink._context import SinkContext
from dask_napari.stream.wire import LEAST_ARENA

if TYPE_CHECKING:
    from distributed import Worker


LOOK_INTERVAL: Final = 0.2
"""Seconds between looks at the worker's memory, which take some 20 us each; Dask's own are 0.1."""

SHARE: Final = 16
"""The part of a worker's memory limit that its queue may take, and its arena: on a host with 200
workers the settings' 128 and 64 MiB would be 38 GiB."""


class MemoryWatch:
    """Have a sink hold less, or nothing, while its worker is short of memory.

    Parameters
    ----------
    outlet : SinkContext
        What holds outputs.
    """

    def __init__(self, outlet: SinkContext) -> None:
        self._outlet = outlet
        self._plenty = _plenty(outlet.worker)
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """Look now, and again and again on the event loop, until it is closed."""
        self._timer = asyncio.get_running_loop().call_later(LOOK_INTERVAL, self.look)
        outlet = self._outlet
        try:
            outlet.pause()
            used = outlet.worker.monitor.get_process_memory()
            outlet.publisher.squeeze(used > self._plenty)
        except Exception as error:
            outlet.log.warn("memory not seen", "", error)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()


def queue_bytes(worker: Worker) -> int:
    """Bytes of outputs that may be held: the setting, within a share of the worker's limit.

    Parameters
    ----------
    worker : distributed.Worker
        The worker.
    """
    return min(config.get_bytes("queue"), _share(worker))


def arena_bytes(worker: Worker) -> int:
    """Bytes of the arena: the setting, within the same share, but room for a few batches.

    Parameters
    ----------
    worker : distributed.Worker
        The worker.
    """
    return min(config.get_bytes("arena"), max(LEAST_ARENA, _share(worker)))


def _share(worker: Worker) -> int:
    limit = worker.memory_manager.memory_limit
    return int(limit) // SHARE if limit else sys.maxsize


def _plenty(worker: Worker) -> float:
    """Bytes of the worker's process up to which Dask lets memory be."""
    manager = worker.memory_manager
    if not manager.memory_limit:
        return float("inf")
    fractions = (
        manager.memory_target_fraction,
        manager.memory_spill_fraction,
        manager.memory_pause_fraction,
    )
    return float(manager.memory_limit * min((f for f in fractions if f), default=1.0))
