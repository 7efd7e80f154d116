"""Chunks of dask arrays that lie apart, until an image comes in which they lie well.

The last chunk of an uneven array may be the first to arrive, and does not tell how large the
others are.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from dask_napari.model import Item, PlaceKey
from dask_napari.record._axis_plan import Plan
from dask_napari.record._families import Family, family_of
from dask_napari.record._image import Image
from dask_napari.record._journal_lines import JournalLine
from dask_napari.record._reader import read_item

logger = logging.getLogger(__name__)

APART_LIMIT: Final = 1000
"""Chunks of an array that wait; irregular ones wait for ever."""


class UnalignedChunks:
    """Remember the lines of such chunks.

    Parameters
    ----------
    root : Path
        The record.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._waiting: dict[Family, dict[PlaceKey, JournalLine]] = {}
        self._ripe: list[JournalLine] = []

    def add(self, item: Item, plan: Plan, line: JournalLine) -> None:
        """A chunk that was written among the columns."""
        waiting = self._waiting.setdefault(family_of(item, plan), {})
        if len(waiting) < APART_LIMIT or line.slot in waiting:
            waiting[line.slot] = line

    def ripen(self, item: Item, plan: Plan, image: Image) -> None:
        """There is an image now, which was made of an item."""
        waiting = self._waiting.get(family_of(item, plan), {})
        for slot, line in list(waiting.items()):
            chunk = self._read(line)
            if chunk is None or image.fits(chunk):
                self._ripe.append(waiting.pop(slot))

    def take(self) -> list[tuple[JournalLine, Item]]:
        """What is to be written again, into its image."""
        ripe, self._ripe = self._ripe, []
        return [(line, item) for line in ripe if (item := self._read(line)) is not None]

    def _read(self, line: JournalLine) -> Item | None:
        try:
            return read_item(self._root, line)
        except Exception:  # it was replaced, or the disk fails; it stays where it is
            logger.debug("chunk %d is not moved", line.id, exc_info=True)
            return None
