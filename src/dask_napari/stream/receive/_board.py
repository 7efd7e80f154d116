"""The board: where the receiver thread leaves items and a consumer picks them up."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from dask_napari.model import Item, PlaceKey, Tally
from dask_napari.stream.wire import ITEM_COST


@dataclass(slots=True)
class BoardTally:
    """What became of the items of one publisher and layer since they were received."""

    received: int = 0
    shown: int = 0
    coalesced: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    pending: int = 0

    @property
    def as_tally(self) -> Tally:
        """The same counts as a :class:`~dask_napari.model._ledger.Tally`."""
        return Tally(self.received, self.shown, self.coalesced, Counter(self.dropped), self.pending)


class Board:
    """Thread-safe hand-over of items, coalesced per place, with their ledger.

    The receiver thread calls :meth:`put`; one consumer (the viewer's pump, a recorder, a test)
    calls :meth:`take` and reports what it did by :meth:`shown` or :meth:`drop`.

    Parameters
    ----------
    limit : int
        Bytes waiting above which :attr:`full` is true; the receiver then withholds credit.
        Nothing is refused: what has arrived was promised by credit.

    Examples
    --------
    >>> import numpy as np
    >>> board = Board()
    >>> board.put(Item("cells", "labels", np.zeros((2, 2), "uint8"), {"well": "A01"}))
    >>> items = board.take()
    >>> board.shown(items)
    >>> board.tallies()["", "cells"].shown
    1
    """

    def __init__(self, limit: int = 256 << 20) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        # Ordered: what was taken from the front of a plain dict is stepped over again each time.
        self._waiting: OrderedDict[PlaceKey, Item] = OrderedDict()
        self._nbytes = 0
        self._tallies: dict[tuple[str, str], BoardTally] = {}
        self._arrived = threading.Condition(self._lock)

    def _tally(self, item: Item) -> BoardTally:
        key = item.publisher, item.layer
        try:
            return self._tallies[key]
        except KeyError:
            return self._tallies.setdefault(key, BoardTally())

    def put(self, item: Item) -> None:
        """Add an item; one that waits for the same place is replaced and counted as coalesced."""
        with self._lock:
            # A replaced item keeps its turn: sent to the back, a place that is updated faster
            # than the consumer drains would never be shown.
            place, nbytes = item.place, item.nbytes
            replaced = self._waiting.get(place)
            self._waiting[place] = item
            tally = self._tally(item)
            tally.received += 1
            tally.pending += 1
            self._nbytes += nbytes
            if replaced is not None:
                self._nbytes -= replaced.nbytes
                old = self._tally(replaced)
                old.coalesced += 1
                old.pending -= 1
            self._arrived.notify()

    def reject(self, publisher: str, layer: str, reason: str) -> None:
        """Count an item that arrived but cannot be used as dropped."""
        with self._lock:
            tally = self._tallies.setdefault((publisher, layer), BoardTally())
            tally.received += 1
            tally.dropped[reason] += 1

    def take(self, max_items: int | None = None, max_bytes: int | None = None) -> list[Item]:
        """Return waiting items, oldest first; they stay pending until reported.

        Parameters
        ----------
        max_items : int, optional
            At most so many.
        max_bytes : int, optional
            Stop after the item with which so many bytes are reached; at least one item comes.
        """
        taken: list[Item] = []
        nbytes = 0
        with self._lock:
            while self._waiting:
                if max_items is not None and len(taken) >= max_items:
                    break
                if max_bytes is not None and nbytes >= max_bytes:
                    break
                _, item = self._waiting.popitem(last=False)
                taken.append(item)
                nbytes += item.nbytes
            self._nbytes -= nbytes
        return taken

    def shown(self, items: Iterable[Item]) -> None:
        """Report that taken items are on the canvas."""
        with self._lock:
            for item in items:
                tally = self._tally(item)
                tally.shown += 1
                tally.pending -= 1

    def drop(self, item: Item, reason: str) -> None:
        """Report that a taken item could not be put on the canvas, and why."""
        with self._lock:
            tally = self._tally(item)
            tally.dropped[reason] += 1
            tally.pending -= 1

    def wait(self, timeout: float | None = None) -> bool:
        """Block until something waits; for consumers that have no event loop of their own."""
        with self._arrived:
            return self._arrived.wait_for(lambda: bool(self._waiting), timeout)

    def tallies(self) -> dict[tuple[str, str], Tally]:
        """Copy of the counts per publisher and layer; ``selected`` is what was received."""
        with self._lock:
            return {key: tally.as_tally for key, tally in self._tallies.items()}

    def retire(self, publishers: Set[str]) -> dict[str, dict[str, Tally]]:
        """Forget the counts of publishers of which nothing is pending.

        Returns
        -------
        dict
            Publisher -> layer -> what was forgotten; those with pending items are not in it.
        """
        with self._lock:
            busy = {name for (name, _), tally in self._tallies.items() if tally.pending}
            gone: dict[str, dict[str, Tally]] = {name: {} for name in publishers - busy}
            for name, layer in [key for key in self._tallies if key[0] in gone]:
                gone[name][layer] = self._tallies.pop((name, layer)).as_tally
            return gone

    @property
    def nbytes(self) -> int:
        """Bytes waiting to be taken."""
        return self._nbytes

    @property
    def full(self) -> bool:
        """Whether the consumer is so far behind that no more credit should be granted."""
        return self._nbytes + ITEM_COST * len(self._waiting) >= self.limit

    def __len__(self) -> int:
        return len(self._waiting)
