"""The user's choice of a layout: modes of axes, and a run."""

from __future__ import annotations

import copy

from dask_napari.model import AxisMode, Item
from dask_napari.viewer.layers._arrangement_draft import ArrangementDraft
from dask_napari.viewer.layers._shown_entries import RunChoice, ShownEntries


class LayoutChoice:
    """Modes and a run that the user has chosen, and the arrangement that is to show them.

    Attributes
    ----------
    modes : dict of str to AxisMode
        Modes of axes.
    run : RunChoice, optional
        The run; None for that in view.
    draft : ArrangementDraft, optional
        The items laid out so far; None if that has to be begun, since all has moved meanwhile.
    """

    def __init__(self, shown: ShownEntries) -> None:
        self.modes: dict[str, AxisMode] = {}
        self.run: RunChoice | None = None
        self.draft: ArrangementDraft | None = None
        self._shown = shown

    def __repr__(self) -> str:
        return f"<LayoutChoice of {self.modes} and run {self.run}: {self.draft}>"

    @property
    def view(self) -> ShownEntries:
        """Choice of the entries that will be shown."""
        view = copy.copy(self._shown)
        view.choice = view.choice if self.run is None else self.run
        return view

    def add(self, item: Item) -> None:
        """Take in an item that has come, and is shown."""
        view = self.view
        if self.draft is not None and view.in_run(item):
            self.draft.add(view.placed(item))
