"""Choice of the entries of the catalogue that the layers show."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

from dask_napari.catalog import Catalogue, CatalogueEntry, StreamKey
from dask_napari.model import Item

RUN_AXIS: Final = "run"
"""Axis on which the runs lie when all of them are shown."""

RunChoice = int | Literal["newest", "all"]
"""Run whose items are shown: one, the newest of each stream, or all on an axis of their own."""


class ShownEntries:
    """Choose the entries of a catalogue that the layers show, by run and by what was removed.

    Of each stream one run is shown, so that two runs of a computation never make one picture.

    Attributes
    ----------
    choice : RunChoice
        What the user chose.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.choice: RunChoice = "newest"
        self._newest: dict[StreamKey, int] = {}
        self._removed: dict[tuple[str, int], str] = {}
        """Tap's layer, by the name and the run of a napari layer that the user has removed."""

    def __repr__(self) -> str:
        return f"<ShownEntries: run {self.choice}, without {[name for name, _ in self._removed]}>"

    def in_run(self, item: Item) -> bool:
        """Return whether the run of an item is one that is shown, or will be with the item."""
        if self.choice == "newest":
            return item.run >= self._newest.get(item.stream, 0)
        return self.choice in ("all", item.run)

    def starts_run(self, item: Item) -> bool:
        """Return whether the items of its stream that are shown now have to give way to an item."""
        newest = self._newest.get(item.stream)
        return self.choice == "newest" and newest is not None and item.run > newest

    def admit(self, item: Item) -> None:
        """Take note of the run of an item that is entered."""
        self._newest[item.stream] = max(item.run, self._newest.get(item.stream, 0))

    def placed(self, item: Item) -> Item:
        """Return an item as it is laid out: with its run on an axis if all runs are shown."""
        if self.choice != "all" or RUN_AXIS in item.position:
            return item
        laid = copy.copy(item)
        laid.amend(position={**item.at, RUN_AXIS: item.run})
        return laid

    def entered(self, placed: Item) -> Item:
        """Return an item that was laid out as it is entered: the reverse of :meth:`placed`."""
        run = placed.position.get(RUN_AXIS)
        if self.choice != "all" or not isinstance(run, int):
            return placed
        item, position = copy.copy(placed), dict(placed.position)
        item.run = run
        del position[RUN_AXIS]
        item.amend(position=position)
        return item

    def entries(self, arriving: Item | None = None) -> Iterator[CatalogueEntry]:
        """Yield the entries with items of the runs that are shown, hidden ones included.

        The run of an arriving item counts, though the item is not entered yet.
        """
        for stream in self.catalogue.streams:
            run = self._run_of(stream)
            if arriving is not None and run is not None and arriving.stream == stream:
                run = arriving.run
            for entry in self.catalogue.entries(stream, run):
                if entry.item is not None:
                    yield entry

    def _run_of(self, stream: StreamKey) -> int | None:
        """Return the run of a stream that is shown, None for all."""
        if self.choice == "all":
            return None
        return self._newest.get(stream, 0) if self.choice == "newest" else self.choice

    def forget(self, run: int) -> None:
        """Take note that a run has no items any more."""
        runs = {stream: self.catalogue.runs(stream) for stream in self.catalogue.streams}
        self._newest = {stream: numbers[-1] for stream, numbers in runs.items()}
        self._removed = {key: tap for key, tap in self._removed.items() if key[1] != run}
        if self.choice == run:
            self.choice = "newest"

    # -- layers that the user has removed ----------------------------------------------------

    def is_removed(self, item: Item, name: Callable[[Item], str]) -> bool:
        """Return whether the user has removed the layer of an item in its run."""
        return bool(self._removed) and (name(item), item.run) in self._removed

    def hide(self, entries: dict[CatalogueEntry, str]) -> None:
        """Hide entries by the names of their layers, and what comes for those in their runs."""
        for entry, name in entries.items():
            self._removed[name, entry.run] = entry.meta.layer
        self.catalogue.set_state(entries, "hidden")

    def reveal(self, layer: str, entries: Iterable[CatalogueEntry]) -> None:
        """Show hidden entries of a tap's layer, and what comes for it."""
        self._removed = {key: tap for key, tap in self._removed.items() if tap != layer}
        self.catalogue.set_state(entries, "shown")
