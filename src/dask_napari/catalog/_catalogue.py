"""The catalogue of all items of a viewer, and of the tasks that are to make more."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, cast

from msgspec.structs import replace

from dask_napari.catalog._entry import WITHOUT_ITEM, CatalogueEntry, State, StreamKey
from dask_napari.catalog._entry_table import EntryTable, is_placed
from dask_napari.catalog._run_entries import Place, RunEntries
from dask_napari.catalog._task_news import TaskNews
from dask_napari.model import Coordinate, Item, ItemMeta, TaskState, TaskStatus

MOST_DROPPED: Final = 100_000
"""Dropped entries that are kept, some 100 MB; a sender may make them without end."""

MOST_TASKS: Final = 200_000
"""Entries of tasks without an item, some 200 MB; a scheduler may have any number of tasks."""

MOST_STREAMS: Final = 1024
"""Streams up to which a task may begin another one; the dock has a row for each."""

MOST_CHANGES: Final = 1 << 16
"""Changes that are remembered, half a megabyte; a view that has missed more looks at everything."""


class Catalogue:
    """Own the items of a viewer: an entry for each place of a stream in a run.

    Layers, layouts and the ledger are views of it: each can be made anew from the entries at any
    time, and a change of state is told to :attr:`views`. A task whose item has not arrived has an
    entry without an item, at the place that the item will have; :meth:`learn` changes its state.

    Attributes
    ----------
    version : int
        Grows with every change, by one.
    views : list of callable
        Called with entries that hold an item and their former states, when these have changed
        after the items were put.
    left_out : int
        States of tasks that were not entered, since there were too many.

    Examples
    --------
    >>> import numpy as np
    >>> catalogue = Catalogue()
    >>> for run in (1, 2):
    ...     item = Item("cells", "labels", np.zeros((2, 2), "uint8"), {"well": "A01"}, run=run)
    ...     entry = catalogue.put(item)
    >>> len(catalogue), catalogue.runs(("cells", "")), catalogue.count("cells", "shown")
    (2, (1, 2), 2)
    >>> catalogue.learn(TaskStatus(ItemMeta("cells", "labels", {"well": "A02"}), "running"))
    >>> catalogue.counts("cells", run=2)
    {'shown': 1, 'running': 1}
    """

    def __init__(self) -> None:
        self.version: int = 0
        self.views: list[Callable[[Sequence[tuple[CatalogueEntry, State]]], None]] = []
        self.left_out: int = 0
        self._table = EntryTable()
        self._dropped: dict[CatalogueEntry, None] = {}  # the oldest first
        self._changes: deque[CatalogueEntry] = deque(maxlen=MOST_CHANGES)
        self._news: TaskNews = TaskNews()
        self._tasks = 0  # entries in the state of a task
        self._running: dict[CatalogueEntry, None] = {}

    def __repr__(self) -> str:
        streams = self._table.streams.values()
        counts = sum((run.counts for runs in streams for run in runs.values()), Counter[State]())
        return f"<Catalogue of {len(streams)} streams: {dict(+counts)}>"

    def __len__(self) -> int:
        streams = self._table.streams.values()
        return sum(len(run.places) for runs in streams for run in runs.values())

    # -- entries -----------------------------------------------------------------------------

    def put(self, item: Item, state: State = "shown", *, is_edited: bool = False) -> CatalogueEntry:
        """Enter an item; it replaces one at its place in its run.

        An edited item is another form of the one that it replaces.
        """
        return self._enter(item.meta, item, item.run, state, is_edited=is_edited)

    def drop(self, item: Item, reason: str) -> None:
        """Enter an item that was refused, without its arrays.

        An item that lies at its place in its run stays, since it is still shown. Of very many
        refused ones the oldest are forgotten.
        """
        entry = self.find(item.meta, item.run)
        if entry is not None and entry.item is not None:
            return
        entry = self._enter(item.meta, None, item.run, "dropped", reason)
        if entry.state == "dropped":  # its task may have failed since
            self._dropped[entry] = None
        while len(self._dropped) > MOST_DROPPED:
            self._forget(next(iter(self._dropped)))

    def find(self, meta: ItemMeta, run: int) -> CatalogueEntry | None:
        """Return the entry at the place of an item in a run."""
        return self._table.at(meta.stream, run, self._table.place(meta))

    def at(
        self,
        stream: StreamKey,
        run: int,
        position: Mapping[str, Coordinate],
        origin: tuple[int, ...] = (),
    ) -> CatalogueEntry | None:
        """Return the entry at a place of a stream in a run; other threads may ask."""
        return self._table.at(stream, run, self._table.place_of(position, origin))

    def entries(
        self, stream: StreamKey | None = None, run: int | None = None
    ) -> Iterator[CatalogueEntry]:
        """Yield entries in the order in which they came: of a stream and a run, or of all."""
        return self._table.entries(stream, run)

    def coordinates(self, axis: str) -> set[Coordinate]:
        """Return the coordinates on an axis of the positions of all items that are held."""
        positions = (entry.meta.at for entry in self.entries() if entry.item is not None)
        return {position[axis] for position in positions if axis in position}

    def changes(self, since: int) -> list[CatalogueEntry] | None:
        """Return the entries that have changed since a version; None if that is too long ago.

        Those that were removed are in state ``withdrawn``.

        >>> catalogue = Catalogue()
        >>> catalogue.changes(0)
        []
        """
        number = self.version - since
        if number > len(self._changes):
            return None
        changed = islice(reversed(self._changes), max(number, 0))
        return list(dict.fromkeys(changed))[::-1]

    # -- states ------------------------------------------------------------------------------

    def set_state(self, entries: Iterable[CatalogueEntry], state: State) -> None:
        """Change the state of entries that hold an item, and tell the views."""
        changed = [
            (entry, entry.state)
            for entry in entries
            if entry.state != state and entry.item is not None
        ]
        for entry, _ in changed:
            self._set(entry, state)
        for view in self.views if changed else ():
            view(changed)

    def count(self, layer: str, state: State, run: int | None = None) -> int:
        """Return how many entries of a layer are in a state, of a run or of all."""
        return sum(each.counts[state] for each in self._table.runs_of(layer, run))

    def counts(self, layer: str, run: int | None = None) -> Mapping[State, int]:
        """Return the number of entries of a layer in each state, of a run or of all."""
        total = sum((each.counts for each in self._table.runs_of(layer, run)), Counter[State]())
        return dict(+total)

    # -- tasks -------------------------------------------------------------------------------

    def learn(self, status: TaskStatus, run: int = 0) -> None:
        """Take the state of a task into the entry of the item that it makes, in a run.

        Without a run it is the newest one of the layer. An item that is shown stays: what becomes
        of its task later is its :meth:`status`. News that are older than what is known of the
        task are ignored, so that they may come in any order. A status without a layer is of many
        tasks: withdrawn ones that run on a worker, or all to come, which are of another run now.
        """
        meta = status.meta
        if not meta.layer:
            if status.state == "withdrawn":
                self._withdraw(meta.provenance.worker, run)
            elif status.state == "expected":
                self._move(run)
            return
        if not is_placed(meta) and not meta.provenance.key:
            return  # nothing tells which item it will make
        run = run or self.newest_run(meta.layer)
        entry = self._table.of_task(meta, run)
        if entry is not None:
            self._take(entry, status)
            self._merge(entry, meta, ())
        elif status.state == "withdrawn":
            return
        elif self._tasks < MOST_TASKS and (
            meta.stream in self._table.streams or len(self._table.streams) < MOST_STREAMS
        ):
            entry = self._enter(meta, None, run, status.state)
            if entry.state == "failed" and self._news.get(entry) is None:
                self._news.keep(entry, status)
            if not is_placed(meta):
                self._table.by_task(meta.layer, run)
        else:
            self.left_out += 1

    def tasks(self) -> Iterator[CatalogueEntry]:
        """Yield the entries of tasks whose item has not come."""
        return self._table.tasks()

    def status(self, entry: CatalogueEntry) -> TaskStatus | None:
        """Return why the task of an entry failed, or what became of it after its item came.

        None where the state of the entry says it all.
        """
        return self._news.get(entry)

    def failed(self, layer: str | None = None, run: int | None = None) -> list[CatalogueEntry]:
        """Return the entries whose task failed last, those that still show an item too."""
        return [
            entry
            for entry in self._news.failed
            if layer in (None, entry.meta.layer) and run in (None, entry.run)
        ]

    def _withdraw(self, worker: str, run: int) -> None:
        """Forget the entries of the tasks that run on a worker."""
        for entry in list(self._running):
            if entry.meta.provenance.worker == worker and run in (0, entry.run):
                self._forget(entry)

    def _move(self, run: int) -> None:
        """Enter the tasks whose items are to come in another run."""
        for entry in [each for each in self.tasks() if each.state != "failed" and each.run != run]:
            word = self._last_word(entry)
            self._forget(entry)
            if word is not None:
                self.learn(word, run)

    def _take(self, entry: CatalogueEntry, status: TaskStatus) -> None:
        """Take the state of the task of an entry, if that is news."""
        if not self._news.is_news(entry, status):
            return
        if status.state != "withdrawn":
            self._news.keep(entry, status)
            if entry.item is None:
                self._table.unindex(entry)
                entry.meta = replace(entry.meta, provenance=status.meta.provenance)
                entry.reason = ""
                self._table.index(entry)
                self._set(entry, status.state)
            else:
                self._note(entry)
        elif (word := self._last_word(entry)) is not None and word.state != "failed":
            if entry.item is None:
                self._forget(entry)
            else:
                self._news.discard(entry)
                self._note(entry)

    # -- runs --------------------------------------------------------------------------------

    @property
    def streams(self) -> tuple[StreamKey, ...]:
        """Streams that have entries, in the order in which they came."""
        return tuple(self._table.streams)

    def runs(self, stream: StreamKey) -> tuple[int, ...]:
        """Return the numbers of the runs of a stream that hold items, the oldest first."""
        runs = self._table.streams.get(stream, {}).items()
        return tuple(sorted(number for number, run in runs if run.holds_items))

    def has_runs(self, stream: StreamKey) -> bool:
        """Return whether a stream has entries of several runs; other threads may ask."""
        return len(self._table.streams.get(stream, ())) > 1

    def newest_run(self, layer: str) -> int:
        """Return the newest run of a layer, also if it has no items yet; or else of all layers."""
        return self._table.newest_run(layer)

    def remove(self, entries: Iterable[CatalogueEntry]) -> None:
        """Forget entries and what they hold; the views are told that they are dropped."""
        entries = list(entries)
        self.set_state(entries, "dropped")
        for entry in entries:
            self._forget(entry)

    # -- common ------------------------------------------------------------------------------

    def _enter(
        self,
        meta: ItemMeta,
        item: Item | None,
        run: int,
        state: State,
        reason: str = "",
        *,
        is_edited: bool = False,
    ) -> CatalogueEntry:
        table = self._table
        within, place = table.run_of(meta.stream, run), table.place(meta)
        entry, former = within.places.get(place), None
        if entry is None:
            entry = within.places[place] = CatalogueEntry(meta, item, run, state, reason)
        else:
            former = self._last_word(entry)
            if former is not None:
                self._news.discard(entry)
            self._uncount(entry, within)
            if table.keys:
                table.unindex(entry)
            if entry.item is not None and not is_edited:
                if entry.replaced is None:
                    entry.replaced = Counter()
                entry.replaced[entry.item.publisher] += 1
            entry.meta, entry.item, entry.state, entry.reason = meta, item, state, reason
        self._count(entry, within)
        if former is not None:
            self._take(entry, former)
        if table.keys or meta.part or self._tasks:
            self._merge(entry, meta, place)
            table.index(entry)
        return entry

    def _merge(self, entry: CatalogueEntry, meta: ItemMeta, place: Place) -> None:
        """Have an entry take over what is known of its task from entries at other places."""
        for other in self._table.misplaced(meta, entry.run, place):
            word = self._last_word(other)
            if other is not entry and word is not None:
                self._forget(other)
                self._take(entry, word)

    def _last_word(self, entry: CatalogueEntry) -> TaskStatus | None:
        """Return the last status of the task of an entry; None if it has come to its item."""
        known = self._news.get(entry)
        if known is None and entry.state in WITHOUT_ITEM:
            return TaskStatus(entry.meta, cast(TaskState, entry.state))
        return known

    def _set(self, entry: CatalogueEntry, state: State) -> None:
        within = self._table.run_of(entry.meta.stream, entry.run)
        self._uncount(entry, within)
        entry.state = state
        self._count(entry, within)

    def _count(self, entry: CatalogueEntry, within: RunEntries) -> None:
        """Count an entry in its state, and note that it has changed."""
        within.counts[entry.state] += 1
        if entry.state in WITHOUT_ITEM:
            self._tasks += 1
            if entry.state == "running":
                self._running[entry] = None
        self._note(entry)

    def _uncount(self, entry: CatalogueEntry, within: RunEntries) -> None:
        within.counts[entry.state] -= 1
        if entry.state in WITHOUT_ITEM:
            self._tasks -= 1
            self._running.pop(entry, None)
        elif entry.state == "dropped":
            self._dropped.pop(entry, None)

    def _note(self, entry: CatalogueEntry) -> None:
        self.version += 1
        self._changes.append(entry)

    def _forget(self, entry: CatalogueEntry) -> None:
        self._uncount(entry, self._table.run_of(entry.meta.stream, entry.run))
        self._table.remove(entry)
        self._news.discard(entry)
        entry.item, entry.state = None, "withdrawn"  # who reads the changes must not keep it alive
        self._note(entry)
