"""Items of the next batch, made of what waits in the outbox."""

from __future__ import annotations

from typing import Final

from dask_napari.model import Item, Reports
from dask_napari.stream.send._loader import LOAD_ITEMS, Loader
from dask_napari.stream.send._sendable import oversize, unsendable

BATCH_BYTES: Final = 4 << 20
"""A batch is closed at so many bytes: larger ones gain no speed and delay their first item."""

SMALL: Final = 256 << 10
"""Bytes; a batch of less costs the receiver more as a message than as bytes."""


class BatchBuilder:
    """Take outputs out of the outbox and make the items of one batch after the other.

    Outputs that cannot be sent are counted in the outbox and reported.
    """

    def __init__(self, loader: Loader, reports: Reports) -> None:
        self.batch: list[Item] = []
        """The batch that was formed and not taken."""
        self._loader = loader
        self._outbox = loader.outbox
        self._reports = reports

    def __repr__(self) -> str:
        return f"<BatchBuilder: {len(self.batch)} items formed, {self._loader}>"

    @property
    def nbytes(self) -> int:
        """Bytes of items that were made and not taken."""
        return sum(item.nbytes for item in self.batch) + self._loader.nbytes

    @property
    def idle(self) -> bool:
        """True if the builder holds no items; the outbox may."""
        return not self.batch and self._loader.idle

    @property
    def little(self) -> bool:
        """True if a batch that is formed now would be small."""
        waiting = len(self._outbox) >= LOAD_ITEMS or self._outbox.nbytes >= SMALL
        return self.idle and not waiting

    def form(self, most: int, frame: int) -> bool:
        """Make the next batch, unless one waits; return false if there is nothing for it.

        The item that reaches ``most`` bytes closes the batch; ``frame`` is the largest array, in
        bytes, that the receiver takes.
        """
        if self.batch:
            return True  # parts of it may be on their way
        if not self._loader.has(most):
            self._loader.advance(most)
            if self._loader.gathering:
                return False
        nbytes, items = 0, self._loader.take()
        while items and len(self.batch) < LOAD_ITEMS and nbytes < most:
            item = items[0]
            if self.batch and nbytes + item.nbytes > frame // 2:
                break  # in parts, all of a batch makes one frame
            items.popleft()
            # What the receiver must refuse would come back to be sent again, for ever.
            if reason := oversize(item, frame):
                refusal = unsendable(reason, item.layer, item.provenance.key)
                self._outbox.drop(item.layer, reason)
                self._reports.error(reason, refusal, layer=item.layer, key=refusal.key)
                continue
            self.batch.append(item)
            nbytes += item.nbytes
        self._loader.put_back(items)
        return bool(self.batch)

    def take(self) -> list[Item]:
        """Hand the batch over."""
        items, self.batch = self.batch, []
        return items

    def take_back(self) -> list[Item]:
        """Hand over all items that were made and not taken."""
        return [*self.take(), *self._loader.take()]
