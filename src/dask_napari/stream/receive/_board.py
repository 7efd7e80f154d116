"""The board: where the receiver thread leaves items and a consumer picks them up."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Set
from typing import Final

from dask_napari.model import Item, PlaceKey, Tally
from dask_napari.stream.wire import ITEM_COST

ENDED: Final = ""
"""Name for all publishers that have ended and been added up."""

_NOTHING: Final = Tally()


class Board:
    """Thread-safe hand-over of items, coalesced per place and run, with their ledger.

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
        self._waiting: OrderedDict[tuple[int, PlaceKey], Item] = OrderedDict()
        self._nbytes = 0
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._sums: dict[str, Tally] = {}  # by layer, so that nobody has to add rows up
        self._arrived = threading.Condition(self._lock)

    def __repr__(self) -> str:
        return f"<Board: {len(self)} items wait, {self._nbytes} of {self.limit} bytes>"

    def _counts(self, publisher: str, layer: str) -> tuple[Tally, Tally]:
        """Return the counts to change: those of the publisher's layer, and the layer's sums."""
        key = publisher, layer
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally()
            self._sums.setdefault(layer, Tally())
        return tally, self._sums[layer]

    def put(self, item: Item) -> None:
        """Add an item; one that waits for the same place is replaced and counted as coalesced."""
        with self._lock:
            # A replaced item keeps its turn: sent to the back, a place that is updated faster
            # than the consumer drains would never be shown.
            place, nbytes = (item.run, item.place), item.nbytes
            replaced = self._waiting.get(place)
            self._waiting[place] = item
            for counts in self._counts(item.publisher, item.layer):
                counts.selected += 1
                counts.pending += 1
            self._nbytes += nbytes
            if replaced is not None:
                self._nbytes -= replaced.nbytes
                for counts in self._counts(replaced.publisher, replaced.layer):
                    counts.coalesced += 1
                    counts.pending -= 1
            self._arrived.notify()

    def reject(self, publisher: str, layer: str, reason: str) -> None:
        """Count an item that arrived but cannot be used as dropped."""
        with self._lock:
            for counts in self._counts(publisher, layer):
                counts.selected += 1
                counts.drop(reason)

    def take(self, max_items: int | None = None, max_bytes: int | None = None) -> list[Item]:
        """Return waiting items, oldest first; they stay pending until reported.

        At least one item comes, whatever its size; no more follow once the items together reach
        ``max_bytes``.
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
                for counts in self._counts(item.publisher, item.layer):
                    counts.shown += 1
                    counts.pending -= 1

    def drop(self, item: Item, reason: str) -> None:
        """Report that a taken item could not be put on the canvas, and why."""
        with self._lock:
            for counts in self._counts(item.publisher, item.layer):
                counts.drop(reason)
                counts.pending -= 1

    def recount(
        self, publisher: str, layer: str, before: str, after: str | None, number: int = 1
    ) -> None:
        """Report that items are shown no more, or again.

        ``before`` and ``after`` are reasons for which they are dropped, empty if they are shown,
        None if they count as coalesced.
        """
        with self._lock:
            # Those of a publisher that has ended, also if one of its name has come since.
            for name in (publisher, ENDED):
                tally = self._tallies.get((name, layer), _NOTHING)
                moved = min(number, tally.dropped[before] if before else tally.shown)
                if moved <= 0:
                    continue
                number -= moved
                for counts in self._counts(name, layer):
                    counts.shown += moved * ((after == "") - (before == ""))
                    counts.coalesced += moved * (after is None)
                    if after:
                        counts.dropped[after] += moved
                    if before:
                        counts.dropped[before] -= moved
                        if not counts.dropped[before]:
                            del counts.dropped[before]

    def wait(self, timeout: float | None = None) -> bool:
        """Block until something waits; for consumers that have no event loop of their own."""
        with self._arrived:
            return self._arrived.wait_for(lambda: bool(self._waiting), timeout)

    def tallies(self) -> dict[tuple[str, str], Tally]:
        """Return the counts by publisher and layer; ``selected`` are items that arrived."""
        with self._lock:
            return {key: tally.copy() for key, tally in self._tallies.items()}

    def sums(self) -> dict[str, Tally]:
        """Return the counts by layer, over all publishers; ``selected`` are items that arrived."""
        with self._lock:
            return {layer: tally.copy() for layer, tally in self._sums.items()}

    def tally(self, publisher: str, layer: str) -> Tally:
        """Return the counts of one layer of one publisher."""
        with self._lock:
            return self._tallies.get((publisher, layer), _NOTHING).copy()

    def retire(self, publishers: Set[str]) -> dict[str, dict[str, Tally]]:
        """Add up the counts of publishers without pending items; return them by name and layer."""
        with self._lock:
            busy = {name for (name, _), tally in self._tallies.items() if tally.pending}
            gone: dict[str, dict[str, Tally]] = {name: {} for name in publishers - busy}
            for name, layer in [key for key in self._tallies if key[0] in gone]:
                tally = gone[name][layer] = self._tallies.pop((name, layer))
                total = self._tallies.setdefault((ENDED, layer), Tally())
                self._tallies[ENDED, layer] = merged = (total + tally).capped()
                self._sums[layer].subtract(total)
                self._sums[layer].subtract(tally)
                self._sums[layer].add(merged)
            return gone

    @property
    def nbytes(self) -> int:
        """Bytes waiting to be taken."""
        return self._nbytes

    @property
    def full(self) -> bool:
        """Return whether the consumer is so far behind that no more credit should be granted."""
        return self._nbytes + ITEM_COST * len(self._waiting) >= self.limit

    def __len__(self) -> int:
        return len(self._waiting)
