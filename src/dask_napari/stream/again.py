"""What was made of an entry and has to be sent again, with the way to make it anew."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from dask_napari.stream.item import Item
from dask_napari.stream.outbox import Dropped, Entry, Policy


class Again:
    """The entry of an item that was taken out of the outbox and did not arrive.

    Like any entry it can let go of its value, and then has the entry that the item was made of
    make it once more.

    Parameters
    ----------
    item : Item
        With its ``source``, if there is one.

    Examples
    --------
    >>> import numpy as np
    >>> again = Again(Item("cells", "labels", np.zeros((2, 2), "uint8"), {"t": 0}))
    >>> again.nbytes, again.forget()  # the item is nowhere else
    (4, False)
    """

    __slots__ = ("_item", "_reason", "_slot", "_source", "layer", "nbytes", "policy", "seq")

    def __init__(self, item: Item) -> None:
        self.layer: str = item.layer
        self.nbytes = item.nbytes
        self.policy: Policy = "keep"
        self.seq = item.seq
        self._item: Item | None = item
        self._slot = item.slot
        self._source: tuple[Entry, int] | None = item.source
        self._reason = ""

    def place(self) -> Hashable:
        """Identity of the place that it will fill."""
        return self._slot

    def items(self) -> Sequence[Item | Dropped]:
        """Return the item, or make it once more. Raises :class:`Dropped`."""
        if self._item is not None:
            return (self._item,)
        if self._source is None:
            raise Dropped(self._reason)
        entry, number = self._source
        part = entry.items()[number]
        if isinstance(part, Item):
            part.source = self._source
        return (part,)

    def forget(self) -> bool:
        """Let go of the item; false if it could not be made once more."""
        if self._item is not None:
            if self._source is None or not self._source[0].forget():
                return False
            self._item, self.nbytes = None, 0
        return True

    def give_up(self, reason: str) -> None:
        """Let go of the item for good if need be; ``reason`` is counted unless it has arrived."""
        if not self.forget():
            self._item, self._source, self.nbytes = None, None, 0
            self._reason = reason
