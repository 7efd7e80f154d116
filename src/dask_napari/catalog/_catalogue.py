"""The catalogue of all items of a viewer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from dask_napari.catalog._entry import CatalogueEntry, State, StreamKey
from dask_napari.model import Coordinate, Item, ItemMeta

MOST_DROPPED: Final = 100_000
"""Dropped entries that are kept, some 100 MB; a sender may make them without end."""

_Names = tuple[str, ...]
_Place = tuple[Any, ...]


class Catalogue:
    """Own the items of a viewer: an entry for each place of a stream in a run.

    Layers, layouts and the ledger are views of it: each can be made anew from the entries at any
    time, and a change of state is told to :attr:`views`.

    Attributes
    ----------
    version : int
        Grows with every change.
    views : list of callable
        Called with an entry and its former state when that has changed after the item was put.

    Examples
    --------
    >>> import numpy as np
    >>> catalogue = Catalogue()
    >>> for run in (1, 2):
    ...     item = Item("cells", "labels", np.zeros((2, 2), "uint8"), {"well": "A01"}, run=run)
    ...     entry = catalogue.put(item)
    >>> len(catalogue), catalogue.runs(("cells", "")), catalogue.count("cells", "shown")
    (2, (1, 2), 2)
    """

    def __init__(self) -> None:
        self.version: int = 0
        self.views: list[Callable[[CatalogueEntry, State], None]] = []
        self._streams: dict[StreamKey, dict[int, dict[_Place, CatalogueEntry]]] = {}
        self._names: dict[_Names, _Names] = {}  # of positions, sorted and shared
        self._counts: dict[str, Counter[State]] = {}
        self._dropped: dict[CatalogueEntry, None] = {}  # the oldest first

    def __repr__(self) -> str:
        states = sum(self._counts.values(), Counter[State]())
        return f"<Catalogue of {len(self._streams)} streams: {dict(states)}>"

    def __len__(self) -> int:
        return sum(count.total() for count in self._counts.values())

    # -- entries -----------------------------------------------------------------------------

    def put(self, item: Item, state: State = "shown") -> CatalogueEntry:
        """Enter an item; it replaces one at its place in its run."""
        return self._enter(item.meta, item, item.run, state)

    def drop(self, item: Item, reason: str) -> None:
        """Enter an item that was refused, without its arrays.

        An item that lies at its place in its run stays, since it is still shown. Of very many
        refused ones the oldest are forgotten.
        """
        entry = self.find(item.meta, item.run)
        if entry is not None and entry.item is not None:
            return
        self._dropped[self._enter(item.meta, None, item.run, "dropped", reason)] = None
        while len(self._dropped) > MOST_DROPPED:
            self._forget(next(iter(self._dropped)))

    def find(self, meta: ItemMeta, run: int) -> CatalogueEntry | None:
        """Return the entry at the place of an item in a run."""
        return self._streams.get(meta.stream, {}).get(run, {}).get(self._place(meta))

    def entries(
        self, stream: StreamKey | None = None, run: int | None = None
    ) -> Iterator[CatalogueEntry]:
        """Yield entries in the order in which they came: of a stream and a run, or of all."""
        streams: Iterable[dict[int, dict[_Place, CatalogueEntry]]] = (
            self._streams.values() if stream is None else [self._streams.get(stream, {})]
        )
        for runs in streams:
            chosen = runs.values() if run is None else [runs.get(run, {})]
            yield from chain.from_iterable(places.values() for places in chosen)

    def coordinates(self, axis: str) -> set[Coordinate]:
        """Return the coordinates on an axis of the positions of all items that are held."""
        positions = (entry.meta.at for entry in self.entries() if entry.item is not None)
        return {position[axis] for position in positions if axis in position}

    # -- states ------------------------------------------------------------------------------

    def set_state(self, entries: Iterable[CatalogueEntry], state: State) -> None:
        """Change the state of entries that hold an item, and tell the views."""
        for entry in entries:
            if entry.state != state and entry.item is not None:
                self._change(entry, state)

    def count(self, layer: str, state: State) -> int:
        """Return how many entries of a layer are in a state."""
        return self._counts.get(layer, Counter())[state]

    # -- runs --------------------------------------------------------------------------------

    @property
    def streams(self) -> tuple[StreamKey, ...]:
        """Streams that have entries, in the order in which they came."""
        return tuple(self._streams)

    def runs(self, stream: StreamKey) -> tuple[int, ...]:
        """Return the numbers of the runs of a stream that hold items, the oldest first."""
        runs = self._streams.get(stream, {}).items()
        held = (n for n, run in runs if any(each.item is not None for each in run.values()))
        return tuple(sorted(held))

    def remove(self, entries: Iterable[CatalogueEntry]) -> None:
        """Forget entries and what they hold; the views are told that they are dropped."""
        for entry in list(entries):
            if entry.item is not None:
                self._change(entry, "dropped")
            self._forget(entry)

    # -- common ------------------------------------------------------------------------------

    def _place(self, meta: ItemMeta) -> _Place:
        """Return the identity of a place: smaller than that of a set, and quicker to make."""
        position: Mapping[str, Coordinate] = meta.at
        given = tuple(position)
        names = self._names.get(given)
        if names is None:
            names = tuple(sorted(given))
            names = self._names.setdefault(names, names)
            self._names[given] = names
        return (names, *map(position.__getitem__, names), *meta.origin)

    def _enter(
        self, meta: ItemMeta, item: Item | None, run: int, state: State, reason: str = ""
    ) -> CatalogueEntry:
        stream = meta.stream
        runs = self._streams.get(stream)
        if runs is None:
            runs = self._streams[stream] = {}
        places = runs.get(run)
        if places is None:
            places = runs[run] = {}
        place = self._place(meta)
        entry, before = places.get(place), None
        if entry is None:
            entry = places[place] = CatalogueEntry(meta, item, run, state, reason)
        else:
            before = entry.state
            if before == "dropped":
                self._dropped.pop(entry, None)
            entry.meta, entry.item, entry.state, entry.reason = meta, item, state, reason
        self._count(entry, before)
        self.version += 1
        return entry

    def _change(self, entry: CatalogueEntry, state: State) -> None:
        before, entry.state = entry.state, state
        self._count(entry, before)
        self.version += 1
        for view in self.views:
            view(entry, before)

    def _count(self, entry: CatalogueEntry, before: State | None) -> None:
        """Count an entry in its state, and no longer in its former one."""
        counts = self._counts.get(entry.meta.layer)
        if counts is None:
            counts = self._counts[entry.meta.layer] = Counter()
        counts[entry.state] += 1
        if before is not None:
            counts[before] -= 1

    def _forget(self, entry: CatalogueEntry) -> None:
        stream, run = entry.meta.stream, entry.run
        runs = self._streams[stream]
        del runs[run][self._place(entry.meta)]
        self._dropped.pop(entry, None)
        self._counts[entry.meta.layer][entry.state] -= 1
        self.version += 1
        if not runs[run]:
            del runs[run]
        if not runs:
            del self._streams[stream]
