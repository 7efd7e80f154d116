"""Shared memory: arenas cut into reused slots, and the janitor that sweeps after crashes."""

from __future__ import annotations

from dask_napari.stream.shm._allocator import Allocator
from dask_napari.stream.shm.arena import Arena, ArenaError, ArenaReader, Slot

__all__ = [
    "Allocator",
    "Arena",
    "ArenaError",
    "ArenaReader",
    "Slot",
]
