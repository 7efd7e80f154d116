"""From the outbox to the items of the next batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from dask_napari.model import Item
from dask_napari.stream.send._outbox import Dropped, ItemEntry, Outbox
from dask_napari.stream.send._sendable import UnsendableItem, oversize

BATCH_BYTES: Final = 4 << 20
"""A batch is closed at so many bytes: larger ones gain no speed and delay their first item."""

BATCH_ITEMS: Final = 64
"""A batch is closed at so many items: the cost of a message is spread thin by then."""

SMALL: Final = 256 << 10
"""Bytes; a batch of less costs the receiver more as a message than as bytes."""


class BatchBuilder:
    """Take outputs out of the outbox and make the items of one batch after the other.

    Parameters
    ----------
    outbox : Outbox
        Where they come from, and where what cannot be sent is counted.
    on_error : callable
        Told the layer and the error of an output that cannot be shown; `UnsendableItem` of one that
        cannot travel.

    Examples
    --------
    >>> import numpy as np
    >>> outbox = Outbox(budget=1 << 20)
    >>> wake = outbox.put(ItemEntry(Item("cells", "labels", np.zeros((2, 2), "uint8")), "keep"))
    >>> loader = BatchBuilder(outbox, print)
    >>> loader.form(BATCH_BYTES, frame=1 << 30), [item.layer for item in loader.take()]
    (True, ['cells'])
    """

    def __init__(self, outbox: Outbox, on_error: Callable[[str, BaseException], None]) -> None:
        self.batch: list[Item] = []
        """What was formed and not taken."""
        self._outbox = outbox
        self._on_error = on_error
        self._loaded: deque[Item] = deque()

    @property
    def nbytes(self) -> int:
        """Bytes of items that were made and not taken."""
        return sum(item.nbytes for item in (*self.batch, *self._loaded))

    @property
    def idle(self) -> bool:
        """Whether it holds nothing; the outbox may."""
        return not (self.batch or self._loaded)

    @property
    def little(self) -> bool:
        """Whether a batch that is formed now would be a small one."""
        waiting = len(self._outbox) >= BATCH_ITEMS or self._outbox.nbytes >= SMALL
        return self.idle and not waiting

    def form(self, most: int, frame: int) -> bool:
        """Make the next batch, unless one waits; false if there is nothing for it.

        Parameters
        ----------
        most : int
            Bytes at which it is closed, with the item that reaches them.
        frame : int
            Bytes of the largest array that the receiver takes.
        """
        if self.batch:
            return True  # parts of it may be on their way
        nbytes = 0
        while len(self.batch) < BATCH_ITEMS and nbytes < most:
            if not self._loaded:
                self._loaded.extend(self._load())
            if not self._loaded:
                break
            item = self._loaded.popleft()
            if self.batch and nbytes + item.nbytes > frame // 2:
                self._loaded.appendleft(item)  # in parts, all of a batch makes one frame
                break
            # What the receiver must refuse would come back to be sent again, for ever.
            if reason := oversize(item, frame):
                self._outbox.drop(ItemEntry(item), reason)
                self._on_error(item.layer, UnsendableItem(reason, item.provenance.key))
                continue
            self.batch.append(item)
            nbytes += item.nbytes
        return bool(self.batch)

    def take(self) -> list[Item]:
        """Hand the batch over."""
        items, self.batch = self.batch, []
        return items

    def take_back(self) -> list[Item]:
        """All items that were made and not taken; it holds none of them any more."""
        items = [*self.take(), *self._loaded]
        self._loaded.clear()
        return items

    def _load(self) -> list[Item]:
        """Take the next output of which anything can be shown; count and report what cannot."""
        outbox = self._outbox
        while (entry := outbox.pop()) is not None:
            try:
                items = outbox.split(entry, entry.items())
            except Dropped as error:
                outbox.drop(entry, error.reason)
            except BaseException as error:
                # A bug or an odd output: the stream goes on with the next one.
                outbox.drop(entry, f"error: {type(error).__name__}")
                self._on_error(entry.layer, error)
            else:
                if items:
                    return items
        return []
