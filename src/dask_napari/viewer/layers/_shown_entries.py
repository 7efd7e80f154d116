"""Choice of the entries of the catalogue that the layers show."""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

from dask_napari.catalog import Catalogue, CatalogueEntry, StreamKey
from dask_napari.model import Coordinate, Item, Position
from dask_napari.viewer.layers._inherited_calibrations import InheritedCalibrations

RUN_AXIS: Final = "live run"
"""Axis on which the runs lie when all of them are shown; users call axes of their own "run"."""

RunChoice = int | Literal["newest", "all"]
"""Run whose items are shown: one, the newest of each stream, or all on an axis of their own."""

Naming = Callable[[Item], str]
"""Returns the name of the napari layer of an item."""


class ShownEntries:
    """Choose the entries of a catalogue that the layers show, by run and by what was removed.

    Of each stream one run is shown, so that two runs of a computation never make one picture.

    Attributes
    ----------
    choice : RunChoice
        What the user chose.
    cleared : frozenset of int
        Runs that are left out as if they were forgotten.
    calibrations : InheritedCalibrations
        Calibrations of items that state none.
    """

    def __init__(self, catalogue: Catalogue, calibrations: InheritedCalibrations) -> None:
        self.catalogue = catalogue
        self.calibrations = calibrations
        self.choice: RunChoice = "newest"
        self.cleared: frozenset[int] = frozenset()
        self._newest: dict[StreamKey, int] = {}
        self._removed: list[tuple[Naming, dict[tuple[str, int], str]]] = []
        """Tap's layer, by the name and the run of a napari layer that the user has removed; with
        the names as they were then, since other modes give layers other names."""

    def __repr__(self) -> str:
        removed = [name for _, names in self._removed for name, _ in names]
        return f"<ShownEntries: run {self.choice}, without {removed}>"

    def in_run(self, item: Item) -> bool:
        """Return whether the run of an item is one that is shown, or will be with the item."""
        run = self._run_of(item.stream)
        if item.run in self.cleared:
            return False
        if self.choice == "newest":
            return run is None or item.run >= run
        return run in (None, item.run)

    def starts_run(self, item: Item) -> bool:
        """Return whether the items of its stream that are shown now have to give way to an item."""
        newest = self._newest.get(item.stream)
        return self.choice == "newest" and newest is not None and item.run > newest

    def admit(self, item: Item) -> None:
        """Take note of the run of an item that is entered."""
        self._newest[item.stream] = max(item.run, self._newest.get(item.stream, 0))

    def placed(self, item: Item) -> Item:
        """Return an item as it is laid out.

        It has the calibration of its picture, if it states none, and its run on an axis if all
        runs are shown.
        """
        item = self.calibrations.applied(item)
        return _on_run(item) if self.choice == "all" else item

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

    def entries(
        self, streams: Iterable[StreamKey] | None = None, *, arriving: Item | None = None
    ) -> Iterator[CatalogueEntry]:
        """Yield the entries with items of the runs that are shown, hidden ones included.

        They are those of some streams, or of all. The run of an arriving item counts, though the
        item is not entered yet.
        """
        for stream in self.catalogue.streams if streams is None else streams:
            run = self._run_of(stream)
            if arriving is not None and run is not None and arriving.stream == stream:
                run = arriving.run
            for entry in self.catalogue.entries(stream, run):
                if entry.item is not None and entry.run not in self.cleared:
                    yield entry

    def entry_at(
        self, stream: StreamKey, position: Position, origin: tuple[int, ...] = ()
    ) -> CatalogueEntry | None:
        """Return the entry at a place as it is laid out; other threads may ask.

        A task of a run that has no items yet counts where the shown run has nothing.
        """
        run: Coordinate | None = self._run_of(stream)
        if run is None:
            run = position.get(RUN_AXIS)
            position = {axis: at for axis, at in position.items() if axis != RUN_AXIS}
        entry = self.catalogue.at(stream, run, position, origin) if isinstance(run, int) else None
        if entry is None and self.choice == "newest":
            newest = self.catalogue.newest_run(stream[0])
            entry = self.catalogue.at(stream, newest, position, origin)
        return entry

    def _run_of(self, stream: StreamKey) -> int | None:
        """Return the run of a stream that is shown, None for all."""
        if self.choice == "all":
            return None
        if self.choice != "newest" and self.choice not in self.cleared:
            return self.choice
        if not self.cleared:
            return self._newest.get(stream, 0)
        runs = (run for run in self.catalogue.runs(stream) if run not in self.cleared)
        return max(runs, default=0)

    def forget(self, runs: Container[int]) -> None:
        """Take note that runs have no items any more."""
        held = {stream: self.catalogue.runs(stream) for stream in self.catalogue.streams}
        self._newest = {stream: numbers[-1] for stream, numbers in held.items() if numbers}
        self._keep_removed(lambda tap, number: number not in runs)
        if self.choice in runs:
            self.choice = "newest"
        self.cleared = frozenset()

    # -- layers that the user has removed ----------------------------------------------------

    def is_removed(self, item: Item) -> bool:
        """Return whether the user has removed the layer of an item in its run."""
        return any((name(_on_run(item)), item.run) in names for name, names in self._removed)

    def hide(self, layers: Mapping[str, Sequence[CatalogueEntry]], name: Naming) -> None:
        """Hide the entries of layers, by their names, and what comes for those in their runs."""
        entries = [entry for each in layers.values() for entry in each]
        # One of each layer and run tells the name that the others have, too.
        alike = {(on, e.run): e.item for on, each in layers.items() for e in each if e.item}
        names = {(name(_on_run(item)), run): item.layer for (_, run), item in alike.items()}
        self._removed.append((name, names))
        self.catalogue.set_state(entries, "hidden")

    def reveal(self, layer: str, entries: Iterable[CatalogueEntry]) -> None:
        """Show hidden entries of a tap's layer, and what comes for it."""
        self._keep_removed(lambda tap, number: tap != layer)
        self.catalogue.set_state(entries, "shown")

    def _keep_removed(self, wanted: Callable[[str, int], bool]) -> None:
        """Forget the removed layers but those of some taps' layers and runs."""
        kept = [
            (naming, {key: tap for key, tap in names.items() if wanted(tap, key[1])})
            for naming, names in self._removed
        ]
        self._removed = [(naming, names) for naming, names in kept if names]


def _on_run(item: Item) -> Item:
    """Return an item with its run on an axis."""
    laid = copy.copy(item)
    laid.amend(position={**item.at, RUN_AXIS: item.run})
    return laid
