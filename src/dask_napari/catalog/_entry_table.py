"""All entries of a catalogue: by stream, run and place, and by task where that is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from dask_napari.catalog._entry import WITHOUT_ITEM, CatalogueEntry, StreamKey
from dask_napari.catalog._run_entries import Place, RunEntries
from dask_napari.model import Coordinate, ItemMeta

_Names = tuple[str, ...]


class EntryTable:
    """Find entries by stream, run and place, and by the keys of their tasks.

    Attributes
    ----------
    streams : dict
        Entries by stream and run, in the order in which they came.
    newest : int
        The newest run of any stream so far.
    keys : dict
        Entries by task, of layers and runs where only outputs tell some of the positions.
    """

    def __init__(self) -> None:
        self.streams: dict[StreamKey, dict[int, RunEntries]] = {}
        self.newest: int = 1
        self._parts: dict[str, dict[StreamKey, None]] = {}  # streams by layer
        self._names: dict[_Names, _Names] = {}  # of positions, sorted and shared
        self.keys: dict[tuple[str, int], dict[str, CatalogueEntry]] = {}
        self._extended: set[tuple[str, int]] = set()
        """Layers and runs whose outputs add axes to the positions of their tasks."""

    def __repr__(self) -> str:
        return f"<EntryTable of {len(self.streams)} streams, {len(self.keys)} indices by key>"

    def place(self, meta: ItemMeta) -> Place:
        """Return the identity of a place: smaller than that of a set, and quicker to make."""
        return self.place_of(meta.at, meta.origin)

    def place_of(self, position: Mapping[str, Coordinate], origin: tuple[int, ...]) -> Place:
        """Return the identity of the place of a position, of a chunk with an origin."""
        given = tuple(position)
        names = self._names.get(given)
        if names is None:
            names = tuple(sorted(given))
            names = self._names.setdefault(names, names)
            self._names[given] = names
        return (names, *map(position.__getitem__, names), *origin)

    def at(self, stream: StreamKey, run: int, place: Place) -> CatalogueEntry | None:
        """Return the entry at a place."""
        within = self.streams.get(stream, {}).get(run)
        return within.places.get(place) if within is not None else None

    def run_of(self, stream: StreamKey, run: int) -> RunEntries:
        """Return the entries of a run of a stream, which need not have any yet."""
        runs = self.streams.get(stream)
        if runs is None:
            runs = self.streams[stream] = {}
            self._parts.setdefault(stream[0], {})[stream] = None
        within = runs.get(run)
        if within is None:
            within = runs[run] = RunEntries()
            self.newest = max(self.newest, run)
        return within

    def remove(self, entry: CatalogueEntry) -> None:
        """Remove an entry from its place."""
        meta, run = entry.meta, entry.run
        runs, streams = self.streams[meta.stream], self._parts[meta.layer]
        del runs[run].places[self.place(meta)]
        self.unindex(entry)
        if runs[run].places:
            return
        del runs[run]
        if not runs:
            del self.streams[meta.stream], streams[meta.stream]
        if not any(run in self.streams[stream] for stream in streams):
            self.keys.pop((meta.layer, run), None)
            self._extended.discard((meta.layer, run))
        if not streams:
            del self._parts[meta.layer]

    # -- many --------------------------------------------------------------------------------

    def entries(
        self, stream: StreamKey | None = None, run: int | None = None
    ) -> Iterator[CatalogueEntry]:
        """Yield entries in the order in which they came: of a stream and a run, or of all."""
        streams: Iterable[dict[int, RunEntries]] = (
            self.streams.values() if stream is None else [self.streams.get(stream, {})]
        )
        for runs in streams:
            for within in _chosen(runs, run):
                yield from within.places.values()

    def runs_of(self, layer: str, run: int | None) -> Iterator[RunEntries]:
        """Yield the entries of a run of all parts of a layer, or of all its runs."""
        for stream in self._parts.get(layer, ()):
            yield from _chosen(self.streams[stream], run)

    def tasks(self) -> Iterator[CatalogueEntry]:
        """Yield the entries of tasks whose item has not come."""
        for within in [each for runs in self.streams.values() for each in runs.values()]:
            if any(within.counts[state] for state in WITHOUT_ITEM):
                yield from (e for e in within.places.values() if e.state in WITHOUT_ITEM)

    def newest_run(self, layer: str) -> int:
        """Return the newest run of a layer, also if it has no items yet; or else of all layers."""
        runs = (self.streams[stream] for stream in self._parts.get(layer, ()))
        return max(chain.from_iterable(runs), default=self.newest)

    # -- entries of tasks --------------------------------------------------------------------

    def of_task(self, meta: ItemMeta, run: int) -> CatalogueEntry | None:
        """Return the entry of the item that a task makes, in any part of its layer."""
        if not is_placed(meta):
            return self.by_task(meta.layer, run).get(meta.provenance.key)
        place = self.place(meta)
        found = (self.at(stream, run, place) for stream in self._parts.get(meta.layer, ()))
        entry = next(filter(None, found), None)
        if entry is None and (meta.layer, run) in self._extended:
            other = self.by_task(meta.layer, run).get(meta.provenance.key)
            if other is not None and meta.position.items() <= other.meta.position.items():
                return other
        return entry

    def misplaced(self, meta: ItemMeta, run: int, place: Place) -> list[CatalogueEntry]:
        """Return entries of the task of an item that are not at its place.

        The place may not have been known before the item came, nor the part of its layer.
        """
        found = [self.at((meta.layer, ""), run, place)] if meta.part else []
        # Axes of the output's own follow those by which its task was placed.
        axes = tuple(meta.position)
        for count in range(1, len(axes)):
            position = {axis: meta.position[axis] for axis in axes[:count]}
            entry = self.at((meta.layer, ""), run, self.place_of(position, meta.origin))
            if entry is not None and entry.meta.provenance.key == meta.provenance.key:
                self._extended.add((meta.layer, run))
                found.append(entry)
        if self.keys and (keys := self.keys.get((meta.layer, run))):
            other = keys.get(meta.provenance.key)
            if other is not None and not is_placed(other.meta):
                found.append(other)
        return [other for other in found if other is not None and other.state in WITHOUT_ITEM]

    def index(self, entry: CatalogueEntry) -> None:
        """Have an entry found by its task, where that is needed."""
        if self.keys and (key := entry.meta.provenance.key):
            keys = self.keys.get((entry.meta.layer, entry.run))
            if keys is not None:
                keys[key] = entry

    def unindex(self, entry: CatalogueEntry) -> None:
        """Have an entry no longer found by its task."""
        if self.keys:
            keys, key = self.keys.get((entry.meta.layer, entry.run)), entry.meta.provenance.key
            if keys is not None and keys.get(key) is entry:
                del keys[key]

    def by_task(self, layer: str, run: int) -> dict[str, CatalogueEntry]:
        """Return the entries of a layer in a run by task, which is kept up to date from now on."""
        keys = self.keys.get((layer, run))
        if keys is None:
            within = chain.from_iterable(each.places.values() for each in self.runs_of(layer, run))
            keys = {entry.meta.provenance.key: entry for entry in within}
            if keys:
                self.keys[layer, run] = keys
        return keys


def _chosen(runs: dict[int, RunEntries], run: int | None) -> Iterable[RunEntries]:
    if run is None:
        return runs.values()
    return [runs[run]] if run in runs else []


def is_placed(meta: ItemMeta) -> bool:
    """Return whether it is known where the item of a task belongs, before the item comes."""
    return bool(meta.position or meta.array_shape)
