"""Memory and disk for the images and labels that are shown."""

from __future__ import annotations

from dask_napari.viewer.storage._block_store import BlockStore
from dask_napari.viewer.storage._memory_shares import board_and_store, describe

__all__ = [
    "BlockStore",
    "board_and_store",
    "describe",
]
