"""Shares of a viewer's memory, and the text that tells its use."""

from __future__ import annotations

from typing import Final

from dask_napari.stream.receive import IDLE_BYTES, Board
from dask_napari.viewer.storage._block_store import BlockStore

BACKLOG: Final = 256 << 20
"""Bytes of the board without a limit: seconds of a stream that the window cannot follow."""


def board_and_store(memory: int | None) -> tuple[Board, BlockStore]:
    """Return a board and a store that share so many bytes of a viewer's memory; None for no limit.

    The board keeps images that wait, the store those that are shown. The rest is the receiver's,
    whose pool keeps some that nothing lives on.

    >>> board, store = board_and_store(4 << 30)
    >>> store.limit == (4 << 30) - BACKLOG - IDLE_BYTES
    True
    """
    if memory is None:
        return Board(BACKLOG), BlockStore()
    backlog = min(BACKLOG, memory // 4)
    return Board(backlog), BlockStore(memory - backlog - min(IDLE_BYTES, memory // 4))


def describe(store: BlockStore) -> str:
    """Describe the contents of a store.

    >>> describe(BlockStore(limit=2 << 30))
    'images and labels: 0.00 of 2.0 GiB in memory'
    """
    in_memory, on_disk = store.in_memory / 2**30, store.on_disk / 2**30
    limit = "" if store.limit is None else f" of {store.limit / 2**30:.1f}"
    text = f"images and labels: {in_memory:.2f}{limit} GiB in memory"
    if on_disk:
        text += f", {on_disk:.2f} GiB on disk"
    if store.trouble:
        text += f" (no more goes to disk: {store.trouble})"
    return text
