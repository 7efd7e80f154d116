"""What was made of an entry and has to be sent again, with the way to make it anew."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from dask_napari.model import Item, Policy
from dask_napari.stream.send._outbox import Dropped, Entry, Outbox


class RetriedEntry:
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
    >>> again = RetriedEntry(Item("cells", "labels", np.zeros((2, 2), "uint8"), {"t": 0}))
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
        self._slot = item.place
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


class Undelivered:
    """What broken connections did not deliver, until the next one does.

    Its values count against the outbox's budget, as those that are away.

    Parameters
    ----------
    outbox : Outbox
        Where it is queued again.

    Examples
    --------
    >>> import numpy as np
    >>> lost = Undelivered(Outbox(budget=1 << 20))
    >>> lost.add([Item("cells", "labels", np.zeros((2, 2), "uint8"), {"t": 0})])
    >>> len(lost), lost.nbytes
    (1, 4)
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._entries: list[RetriedEntry] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        """Bytes of values that it holds."""
        return sum(entry.nbytes for entry in self._entries)

    def add(self, items: Iterable[Item]) -> None:
        """Keep what was sent and not acknowledged."""
        self._entries += map(RetriedEntry, items)
        self._outbox.away = self.nbytes

    def let_go(self, *, no_values: bool) -> None:
        """Let go of values beyond the budget, or of all that can be made once more."""
        outbox = self._outbox
        for entry in self._entries:
            held = entry.nbytes
            if no_values:
                entry.forget()
            if outbox.held > outbox.budget:
                entry.give_up(outbox.full)
            outbox.away -= held - entry.nbytes

    def resend(self, received: int) -> None:
        """Queue again what a receiver does not have that has all up to a number."""
        entries, self._entries = self._entries, []
        self._outbox.unsend(entry for entry in entries if entry.seq > received)
