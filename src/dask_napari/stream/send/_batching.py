"""Items of the next batch, made of what waits in the outbox."""

from __future__ import annotations

from collections import deque
from typing import Final

from dask_napari.model import Item, Refusal, Reports, contain, reason_of, release_bases
from dask_napari.stream.send._outbox import ItemEntry, Outbox
from dask_napari.stream.send._sendable import oversize, unsendable

BATCH_BYTES: Final = 4 << 20
"""A batch is closed at so many bytes: larger ones gain no speed and delay their first item."""

BATCH_ITEMS: Final = 64
"""A batch is closed at so many items: the cost of a message is spread thin by then."""

SMALL: Final = 256 << 10
"""Bytes; a batch of less costs the receiver more as a message than as bytes."""


class BatchBuilder:
    """Take outputs out of the outbox and make the items of one batch after the other.

    Outputs that cannot be sent are counted in the outbox and reported.
    """

    def __init__(self, outbox: Outbox, reports: Reports) -> None:
        self.batch: list[Item] = []
        """The batch that was formed and not taken."""
        self._outbox = outbox
        self._reports = reports
        self._next: deque[Item] = deque()  # of outputs with several parts

    def __repr__(self) -> str:
        return f"<BatchBuilder: {len(self.batch)} items formed, {len(self._next)} more made>"

    @property
    def nbytes(self) -> int:
        """Bytes of items that were made and not taken."""
        return sum(item.nbytes for item in (*self.batch, *self._next))

    @property
    def idle(self) -> bool:
        """True if the builder holds no items; the outbox may."""
        return not (self.batch or self._next)

    @property
    def little(self) -> bool:
        """True if a batch that is formed now would be small."""
        waiting = len(self._outbox) >= BATCH_ITEMS or self._outbox.nbytes >= SMALL
        return self.idle and not waiting

    def form(self, most: int, frame: int) -> bool:
        """Make the next batch, unless one waits; return false if there is nothing for it.

        The item that reaches ``most`` bytes closes the batch; ``frame`` is the largest array, in
        bytes, that the receiver takes.
        """
        if self.batch:
            return True  # parts of it may be on their way
        nbytes = 0
        while len(self.batch) < BATCH_ITEMS and nbytes < most:
            if not self._next:
                self._next.extend(self._load())
            if not self._next:
                break
            item = self._next.popleft()
            if self.batch and nbytes + item.nbytes > frame // 2:
                self._next.appendleft(item)  # in parts, all of a batch makes one frame
                break
            # What the receiver must refuse would come back to be sent again, for ever.
            if reason := oversize(item, frame):
                refusal = unsendable(reason, item.layer, item.provenance.key)
                self._outbox.drop(ItemEntry(item), reason)
                self._reports.error(reason, refusal, layer=item.layer, key=refusal.key)
                continue
            self.batch.append(item)
            nbytes += item.nbytes
        return bool(self.batch)

    def take(self) -> list[Item]:
        """Hand the batch over."""
        items, self.batch = self.batch, []
        return items

    def take_back(self) -> list[Item]:
        """Hand over all items that were made and not taken."""
        items = [*self.take(), *self._next]
        self._next.clear()
        return items

    def _load(self) -> list[Item]:
        """Make items of the next output that can be shown; count and report those that cannot."""
        outbox = self._outbox
        while (entry := outbox.pop()) is not None:
            try:
                items = outbox.split(entry, entry.items())
            except Refusal as error:  # whoever wrote the entry has reported it
                outbox.drop(entry, error.reason)
            except BaseException as error:
                # A bug or an odd output: the stream goes on with the next one.
                reason, key = reason_of(error), getattr(entry, "key", "")
                outbox.drop(entry, reason)
                self._reports.error(reason, error, layer=entry.layer, key=key, traceback=True)
                contain(error, foreign=True)  # anybody may write an entry
            else:
                if items:
                    release_bases(items)  # which the budget could not see behind them
                    return items
        return []
