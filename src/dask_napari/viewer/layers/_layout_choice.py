"""The user's choice of a layout: modes of axes, runs, and layers to show again."""

from __future__ import annotations

import copy

from dask_napari.catalog import State
from dask_napari.model import AxisMode, Item
from dask_napari.viewer.layers._arrangement_draft import ArrangementDraft
from dask_napari.viewer.layers._axis_modes import Modes
from dask_napari.viewer.layers._shown_entries import RunChoice, ShownEntries


class LayoutChoice:
    """All that the user has chosen since the last layout, and the arrangement that is to show it.

    Without any choice, what is shown is laid out anew, since some of it has gone.

    Attributes
    ----------
    laid_over : Modes, optional
        Modes to which ``modes`` are chosen; None for those in view.
    modes : dict of str to AxisMode
        Modes of axes.
    run : RunChoice, optional
        The run; None for that in view.
    cleared : set of int
        Runs to let go of.
    revealed : set of str
        Taps' layers whose hidden items are to be shown.
    draft : ArrangementDraft, optional
        The items laid out so far; None if that has to be begun, since all has moved meanwhile.
    """

    def __init__(self, shown: ShownEntries) -> None:
        self.laid_over: Modes | None = None
        self.modes: dict[str, AxisMode] = {}
        self.run: RunChoice | None = None
        self.cleared: set[int] = set()
        self.revealed: set[str] = set()
        self.draft: ArrangementDraft | None = None
        self._shown = shown

    def __repr__(self) -> str:
        chosen = f"{self.modes}, run {self.run}, without {self.cleared}, with {self.revealed}"
        return f"<LayoutChoice of {chosen}: {self.draft}>"

    def __bool__(self) -> bool:
        chosen = self.laid_over or self.modes or self.cleared or self.revealed
        return bool(chosen) or self.run is not None

    @property
    def view(self) -> ShownEntries:
        """Choice of the entries that will be shown."""
        view = copy.copy(self._shown)
        view.choice = view.choice if self.run is None else self.run
        view.cleared |= self.cleared
        return view

    def add(self, item: Item, state: State) -> None:
        """Take in an item that has come, and is shown or will be."""
        is_seen = state == "shown" or item.layer in self.revealed
        if self.draft is not None and is_seen and self.view.in_run(item):
            self.draft.add(item)
