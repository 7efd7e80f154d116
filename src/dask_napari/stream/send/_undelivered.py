"""Items that did not arrive: sent again over the next connection, or made anew for it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from dask_napari.model import Item, Policy, Refusal
from dask_napari.stream.send._entries import Entry
from dask_napari.stream.send._outbox import Outbox


class RetriedEntry:
    """Entry of an item that was taken out of the outbox and did not arrive.

    The item may be forgotten, if it has a ``source``: the entry of which it is made once more.
    """

    __slots__ = (
        "_item",
        "_place",
        "_reason",
        "_source",
        "layer",
        "nbytes",
        "owner",
        "policy",
        "seq",
    )

    def __init__(self, item: Item) -> None:
        self.layer: str = item.layer
        self.nbytes = item.nbytes
        self.owner = 0
        self.policy: Policy = "keep"
        self.seq = item.seq
        self._item: Item | None = item
        self._place = item.place
        self._source: tuple[Entry, int] | None = item.source
        self._reason = ""

    def __repr__(self) -> str:
        return f"<RetriedEntry {self.seq} for {self.layer!r}, {self.nbytes} bytes held>"

    @property
    def foreign(self) -> bool:
        """True if the item must be made once more."""
        return self._item is None

    def place(self) -> Hashable:
        """Return the identity of the place that the item fills."""
        return self._place

    def items(self) -> Sequence[Item | Refusal]:
        """Return the item, or make it once more. Raises :class:`Refusal`."""
        if self._item is not None:
            return (self._item,)
        if self._source is None:
            raise Refusal(self._reason)
        entry, number = self._source
        part = entry.items()[number]
        if isinstance(part, Item):
            part.source = self._source
        return (part,)

    def forget(self) -> bool:
        """Let go of the item; return false, and keep it, if it cannot be made once more."""
        if self._item is not None:
            if self._source is None or not self._source[0].forget():
                return False
            self._item, self.nbytes = None, 0
        return True

    def give_up(self, reason: str) -> None:
        """Let go of the item, if need be for good: ``reason`` is counted unless it has arrived."""
        if not self.forget():
            self._item, self._source, self.nbytes = None, None, 0
            self._reason = reason


class Undelivered:
    """Items that broken connections did not deliver, until the next one does.

    Their values count against the budget of the outbox, where they are queued again.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._entries: list[RetriedEntry] = []

    def __repr__(self) -> str:
        return f"<Undelivered: {len(self)} items, {self.nbytes} bytes held>"

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        """Bytes of values that are held."""
        return sum(entry.nbytes for entry in self._entries)

    def add(self, items: Iterable[Item]) -> None:
        """Keep items that were sent and not acknowledged."""
        self._entries += map(RetriedEntry, items)
        self._outbox.budget.away = self.nbytes

    def forget(self, *, everything: bool) -> None:
        """Let go of values beyond the budget, or of all that can be made once more."""
        if not self._entries:
            return
        outbox = self._outbox
        away = self.nbytes
        for entry in self._entries:
            held = entry.nbytes
            if everything:
                entry.forget()
            if outbox.nbytes + away > outbox.budget.limit:
                entry.give_up(outbox.budget.full)
            away -= held - entry.nbytes
        outbox.budget.away = away

    def resend(self, received: int) -> None:
        """Queue the items again but for those up to a number, which the receiver has."""
        entries, self._entries = self._entries, []
        missing = [entry for entry in entries if entry.seq > received]
        self._outbox.acknowledge(len(entries) - len(missing))
        self._outbox.unsend(missing)
