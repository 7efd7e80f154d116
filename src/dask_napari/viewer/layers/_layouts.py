"""Layouts of the catalogue: what the user chooses and what items ask for, over several ticks."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Container, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from dask_napari.canvas import CanvasAxes, Mosaic
from dask_napari.catalog import Catalogue, CatalogueEntry, StreamKey
from dask_napari.model import AxisMode, Coordinate, Item, LayerSpec, Refusal, Reports
from dask_napari.viewer.layers._arrangement import Arrangement
from dask_napari.viewer.layers._arrangement_draft import ArrangementDraft
from dask_napari.viewer.layers._axis_modes import Modes
from dask_napari.viewer.layers._layer_stream import LayerContext, LayerStream
from dask_napari.viewer.layers._layout_choice import LayoutChoice
from dask_napari.viewer.layers._redraw import Redraw
from dask_napari.viewer.layers._shown_entries import Naming, RunChoice, ShownEntries

if TYPE_CHECKING:
    import napari


AT_ONCE: Final = 2000
"""Items of a layout that are laid out at once, in some 0.1 s. More of them would freeze the window
for seconds, and go on over several ticks."""

LAYOUT_BUDGET: Final = 0.020
"""Seconds of a tick for a layout under way."""

REMOVED_TOGETHER: Final = 256
"""Entries that are let go of between looks at the clock, in some 2 ms."""

MOST_LOOKS: Final = 1024
"""Layers that are gone whose appearance is remembered, of some 500 bytes each: more than there
may be of them at a time."""


class Layouts:
    """Lay out what the catalogue shows: the arrangement in view, and another one beside it.

    The other one is asked for by the user or by an item. It takes the place of the one in view
    when all items are there, or never, if any of them has no place in it.
    """

    def __init__(
        self, viewer: napari.viewer.Viewer, shown_entries: ShownEntries, context: LayerContext
    ) -> None:
        self.viewer = viewer
        self.reports: Reports = context.reports
        self.catalogue: Catalogue = shown_entries.catalogue
        """All items, whatever layers show of them."""
        self.shown_entries = shown_entries
        self._arrangement = Arrangement(Modes(), context)
        self._specs: dict[str, LayerSpec | None] = {}
        self._misfits: dict[str, tuple[tuple[Modes, int, LayerSpec | None], Refusal]] = {}
        """By layer, modes that its tap asks for in a run and that have no place for other items."""
        self._choice: LayoutChoice | None = None
        """What the user has chosen and is not laid out yet."""
        self._asked: tuple[object, ArrangementDraft] | None = None
        """What an item asks for that waits, and the arrangement that is to show it."""
        self._removed: set[str] = set()
        """Names of the layers that the user has removed and whose axes are still there."""
        self._cleared: list[CatalogueEntry] = []
        """Entries to let go of."""
        self._known: tuple[int, dict[str, set[Coordinate]]] = -1, {}
        """Coordinates by axis, and the version of the catalogue that has them."""
        self._former: Modes | None = None
        """Modes before the user's last choice."""
        self._redraw = Redraw(viewer, self.reports)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._arrangement}>"

    # -- the arrangement in view, and others -------------------------------------------------

    @property
    def axes(self) -> CanvasAxes:
        """Axes of all canvases."""
        return self._arrangement.context.axes

    @property
    def mosaic(self) -> Mosaic:
        """Places of tiles in space."""
        return self._arrangement.context.mosaic

    @property
    def streams(self) -> Mapping[str, LayerStream]:
        """Streams by the names of their layers."""
        return self._arrangement.streams

    def _entries_of(self, names: Container[str]) -> dict[str, list[CatalogueEntry]]:
        """Return the entries that are shown on layers, by the names of these."""
        shown, naming = self.shown_entries, self._naming
        self._take_edits()
        sources = {each.source for each in self.streams.values() if each.name in names}
        found: dict[str, list[CatalogueEntry]] = {}
        for entry in shown.entries(sources):
            if entry.state == "shown" and entry.item is not None:
                name = naming(shown.placed(entry.item))
                if name in names:
                    found.setdefault(name, []).append(entry)
        return found

    def _take_edits(self) -> None:
        """Enter all that the user has done by hand, before the entries are looked through."""
        for stream in self.streams.values():
            stream.take_edits()

    @property
    def _naming(self) -> Naming:
        """Function that names the layers of items by the present modes, whatever others come."""
        modes, specs = self._arrangement.modes, dict(self._specs)
        return lambda item: modes.layer_name(item, specs.get(item.layer))

    def _coordinates(self, axis: str) -> Collection[Coordinate]:
        """Return the coordinates of all items on an axis, which are looked for once a version."""
        version, known = self._known
        if version != self.catalogue.version:
            version, known = self._known = self.catalogue.version, {}
        if axis not in known:
            known[axis] = self.catalogue.coordinates(axis)
        return known[axis]

    def _rearranged(
        self, modes: Modes, space: tuple[str, ...], item: Item, spec: LayerSpec | None
    ) -> Arrangement | None:
        """Go on to lay out what is shown by modes that an item asks for; return it once it is."""
        known, wanted = self._misfits.get(item.layer), (modes, item.run, spec)
        if known is not None and known[0] == wanted:
            raise Refusal(known[1].reason, known[1].detail)
        asked = (item.stream, space, wanted)
        if self._asked is None or self._asked[0] != asked:
            specs = {**self._specs, item.layer: spec}
            self._asked = asked, self._draft(modes, space, arriving=item, specs=specs)
        draft = self._asked[1]
        try:
            if not self._go_on(draft, time.monotonic() + LAYOUT_BUDGET):
                return None
        except Refusal as error:
            self._misfits[item.layer] = wanted, error
            self._asked = None
            raise
        return draft.arrangement

    def _go_on(self, draft: ArrangementDraft, until: float) -> bool:
        """Go on with a layout, at once if it is one of few items; return whether all are there."""
        return draft.go_on(math.inf if draft.total <= AT_ONCE else until)

    def _draft(
        self,
        modes: Modes | None = None,
        space: tuple[str, ...] | None = None,
        *,
        view: ShownEntries | None = None,
        arriving: Item | None = None,
        revealed: Container[str] = (),
        specs: Mapping[str, LayerSpec | None] | None = None,
    ) -> ArrangementDraft:
        """Begin to lay out the entries that are shown, in the present modes or others.

        Hidden ones of ``revealed`` layers of taps are laid out too. A view other than the present
        one may choose the entries.
        """
        present = self._arrangement
        shown = self.shown_entries if view is None else view
        self._take_edits()
        items = [
            entry.item
            for entry in shown.entries(arriving=arriving)
            if entry.item is not None and (entry.state == "shown" or entry.meta.layer in revealed)
        ]
        return present.draft(
            present.modes if modes is None else modes,
            present.space if space is None else space,
            items,
            shown.placed,
            self._specs if specs is None else specs,
        )

    def _adopt(self, other: Arrangement, starts: StreamKey | None = None) -> None:
        """Show another arrangement from the next update on; in it, what there is may have moved.

        If a stream starts a run, its layers stay, empty, until it is seen which of them that fills.
        """
        old, self._arrangement = self._arrangement, other
        if self._choice is not None:
            self._choice.draft = None  # of what lay otherwise
        self._asked, self._removed = None, set()
        other.settle()
        self._misfits.clear()
        kept = {id(stream.layer) for stream in other.streams.values()}
        gone = [each for each in old.streams.values() if id(each.layer) not in kept]
        if starts is not None:
            may_come = [each for each in gone if each.source == starts and each.clear()]
            other.waiting = {each.name: each for each in may_come}
            gone = [each for each in gone if each.name not in other.waiting]
        given_up = [each for each in old.waiting.values() if id(each.layer) not in kept]
        self._redraw.let_go([*gone, *given_up])
        looks = other.context.looks
        looks.update({(each.name, each.kind): each.appearance for each in gone})
        for key in list(looks)[:-MOST_LOOKS]:
            del looks[key]
        is_moved = (other.modes, other.space) != (old.modes, old.space)
        if old.streams and is_moved:  # it would be out of sight
            self._redraw.fit.start()

    # -- what the user chooses ---------------------------------------------------------------

    def _hide_removed(self) -> bool:
        """Hide the items of layers that the user has removed; their axes go with them."""
        listed = {id(layer) for layer in self.viewer.layers}
        removed = {
            stream.name
            for stream in self.streams.values()
            if stream.layer is not None and id(stream.layer) not in listed
        }
        if fresh := removed - self._removed:
            self.shown_entries.hide(self._entries_of(fresh), self._naming)
            self._removed |= fresh
            self._asked = None
        if fresh or (removed and self._choice is None):
            self._chosen()
        return False

    def show_hidden(self, layer: str) -> None:
        """Show the items of a tap's layer whose napari layers the user has removed.

        If they would have no place, they stay hidden, and the viewer says so.
        """
        self._chosen().revealed.add(layer)
        self._lay_out_choice(0.0)

    @property
    def runs(self) -> tuple[int, ...]:
        """Return the numbers of all runs that have items, the oldest first."""
        streams = self.catalogue.streams
        runs = {run for each in streams for run in self.catalogue.runs(each)}
        return tuple(sorted(runs - self.shown_entries.cleared))

    def choose_run(self, choice: RunChoice) -> None:
        """Show one run, the newest run of each stream, or all of them on an axis ``run``.

        If items would have no place, the choice stays as it was, and the viewer says so.
        """
        self._chosen().run = choice
        self._lay_out_choice(0.0)

    def clear_run(self, run: int) -> None:
        """Let go of all items of a run.

        If items of others that come into view would have no place, the viewer says so instead.
        """
        self._chosen().cleared.add(run)
        self._lay_out_choice(0.0)

    @property
    def position_axes(self) -> tuple[str, ...]:
        """Return the axes of the positions of all items so far, whatever their modes."""
        return tuple(self._arrangement.position_axes)

    def mode(self, axis: str) -> AxisMode:
        """Return the mode of an axis, on some layer at least; the user's last choice counts."""
        chosen = self._choice.modes if self._choice is not None else {}
        return chosen.get(axis) or self._arrangement.mode(axis)

    def choose(self, axis: str, mode: AxisMode) -> None:
        """Show an axis another way from now on; nothing is sent or copied for that.

        If items would have no place, the axis stays as it is, and the viewer says so.
        """
        self._chosen().modes[axis] = mode
        self._lay_out_choice(0.0)

    def _chosen(self) -> LayoutChoice:
        """Return the user's choice, for more to be chosen: all of it is laid out at once."""
        if self._choice is None:
            self._choice = LayoutChoice(self.shown_entries)
        self._choice.draft = None
        return self._choice

    def _lay_out_choice(self, until: float) -> bool:
        """Go on with the layout that the user has chosen, and show it once all is laid out.

        One of few items is laid out at once.
        """
        choice, former = self._choice, self._arrangement.modes
        if choice is None:
            return False
        try:
            if choice.draft is None:
                modes = choice.laid_over or former
                for axis, mode in choice.modes.items():
                    modes = modes.choose(axis, mode, self._coordinates)
                choice.draft = self._draft(modes, view=choice.view, revealed=choice.revealed)
            draft = choice.draft
            if not self._go_on(draft, until):
                return False
        except Exception as error:
            self._choice = None
            if not isinstance(error, Refusal) or not choice:
                raise
            self._refuse(choice, error)
            return False
        self._choice = None
        self._take_choice(choice)
        self._adopt(draft.arrangement)
        if choice.modes:
            self._former = former
        return True

    def _take_choice(self, choice: LayoutChoice) -> None:
        """Enter the user's choice into the catalogue, now that it is laid out."""
        shown, catalogue = self.shown_entries, self.catalogue
        shown.choice = choice.view.choice
        for layer in choice.revealed:
            entries = (entry for entry in catalogue.entries() if entry.meta.layer == layer)
            shown.reveal(layer, [entry for entry in entries if entry.state == "hidden"])
        if choice.cleared:
            shown.cleared |= choice.cleared
            self._cleared += [e for e in catalogue.entries() if e.run in choice.cleared]
            self._let_go(0.0)

    def _let_go(self, until: float) -> bool:
        """Let go of entries of runs that the user has cleared, of few of them at once."""
        left, runs = self._cleared, self.shown_entries.cleared
        until = math.inf if len(left) <= AT_ONCE else until
        while left:
            some = left[-REMOVED_TOGETHER:]
            del left[-REMOVED_TOGETHER:]
            self.catalogue.remove(entry for entry in some if entry.state != "withdrawn")
            if time.monotonic() > until:
                return False
        if runs:
            self.shown_entries.forget(runs)
        return False

    def _refuse(self, choice: LayoutChoice, error: Refusal) -> None:
        """Say that all stays as it is, since the user's choice has no place."""
        for axis in choice.modes:
            self.reports.error(f"axis {axis!r} stays a {self.mode(axis)}", error)
        if choice.run is not None:
            self.reports.error(f"run {self.shown_entries.choice} stays in view", error)
        for layer in choice.revealed:
            self.reports.error("stays hidden", error, layer=layer)
        for run in choice.cleared:
            self.reports.error(f"run {run} is not cleared", error)
        if choice.laid_over is not None:
            self.reports.error("the new layout stays", error)

    # -- over several ticks ------------------------------------------------------------------

    def go_on(self, now: float, *, force: bool = False) -> None:
        """Go on with what is laid out, for a part of a tick; with ``force`` to the end."""
        attempt, until = self._redraw.attempt, time.monotonic() + LAYOUT_BUDGET
        until = math.inf if force else until
        attempt("removed layers", now, force, self._hide_removed)
        attempt("layout", now, force, partial(self._lay_out_choice, until))
        attempt("cleared runs", now, force, partial(self._let_go, until))

    @property
    def in_progress(self) -> tuple[int, int]:
        """Return how much has to be laid out, made or removed still, and how much there is.

        First all items are laid out, then layers are made.
        """
        for under_way in (self._choice, self._asked):
            if under_way is not None:
                draft = under_way.draft if isinstance(under_way, LayoutChoice) else under_way[1]
                return (1, 1) if draft is None else (draft.total - draft.laid + 1, draft.total + 1)
        return self._redraw.progress(self._arrangement)

    @property
    def run_choice(self) -> RunChoice:
        """The run that the user has chosen, also if it is not in view yet."""
        chosen = None if self._choice is None else self._choice.run
        return self.shown_entries.choice if chosen is None else chosen

    @property
    def can_cancel(self) -> bool:
        """Return whether what is laid out is the user's choice, and no item asks for it."""
        return bool(self._choice or self._former is not None)

    def cancel_choice(self) -> None:
        """Take back the last choice, if its items are not all laid out, or its layers not made."""
        if self._choice is not None:
            self._choice = None
        elif self._former is not None and self.in_progress[0]:
            former, self._former = self._former, None
            self._chosen().laid_over = former
            self._lay_out_choice(0.0)
