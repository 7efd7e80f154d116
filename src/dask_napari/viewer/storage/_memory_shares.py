"""Shares of a viewer's memory, and the text that tells its use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dask_napari.stream.receive import IDLE_BYTES, Board
from dask_napari.viewer.storage._block_store import BlockStore

BACKLOG: Final = 256 << 20
"""Bytes of the board without a limit: seconds of a stream that the window cannot follow."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Bytes of a viewer's memory for images that wait, and for those that are shown.

    The rest is the receiver's, whose pool keeps some that nothing lives on.

    Attributes
    ----------
    backlog : int
        Bytes above which the board is full.
    shown : int or None
        Bytes of images and labels on canvases; None without a limit.
    """

    backlog: int
    shown: int | None

    @classmethod
    def of(cls, memory: int | None) -> Shares:
        """Return the shares of so many bytes.

        >>> Shares.of(4 << 30).shown == (4 << 30) - BACKLOG - IDLE_BYTES, Shares.of(64).backlog
        (True, 16)
        """
        if memory is None:
            return cls(BACKLOG, None)
        backlog = min(BACKLOG, memory // 4)
        return cls(backlog, memory - backlog - min(IDLE_BYTES, memory // 4))

    def board(self) -> Board:
        """Return a board with its share."""
        return Board(self.backlog)

    def store(self) -> BlockStore:
        """Return a store with its share."""
        return BlockStore(self.shown)


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
