"""The rows of the dock: one a tap, in one list that scrolls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from dask_napari.viewer.dock._tap_row import TapRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dask_napari.viewer.dock._dock_context import DockContext
    from dask_napari.viewer.dock._tap_figures import TapFigures


UNFOLDED = 6
"""Rows that are made unfolded: as many fill a window; more are looked through first."""


class TapList(QScrollArea):  # type: ignore[misc]
    """Show a row for each tap, filtered and sorted; rows out of view cost nothing."""

    def __init__(self, context: DockContext) -> None:
        super().__init__()
        self._context = context
        self._layers = context.layers
        self._rows: dict[str, TapRow] = {}
        self._order: list[str] = []
        self._figures: dict[str, TapFigures] = {}
        self._running: Sequence[str] = ()
        self._by_source: Mapping[str, Sequence[Any]] = {}
        self._filter = ""
        self.failed_first: bool = True
        content = QWidget()
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.addStretch(1)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        self.verticalScrollBar().valueChanged.connect(self.show_rows)

    def __repr__(self) -> str:
        return f"<TapList of {self._order}>"

    def __getitem__(self, layer: str) -> TapRow:
        """Return the row of a layer."""
        return self._rows[layer]

    @property
    def order(self) -> tuple[str, ...]:
        """Layers of the rows, from the top."""
        return tuple(self._order)

    def minimumSizeHint(self) -> QSize:
        """Ask for the width of the rows: they do not scroll sideways."""
        content, bar = self.widget().minimumSizeHint(), self.verticalScrollBar().sizeHint()
        return QSize(content.width() + bar.width(), super().minimumSizeHint().height())

    def add_below(self, widget: QWidget) -> None:
        """Add a widget that scrolls with the rows, below them."""
        self._column.insertWidget(self._column.count() - 1, widget)

    def refresh(self, figures: Sequence[TapFigures], running: Sequence[str]) -> None:
        """Take other figures in, and show those of the rows in view."""
        self._figures = {each.layer: each for each in figures}
        self._running = running
        by_source: dict[str, list[Any]] = {}
        for stream in self._layers.streams.values():
            if stream.layer is not None:
                by_source.setdefault(stream.source[0], []).append(stream.layer)
        self._by_source = by_source
        now = time.monotonic()
        for each in figures:
            row = self._rows.get(each.layer)
            if row is None:
                row = self._add(each.layer)
            row.pace.take(each.done + each.failed, now)
        for layer in self._rows.keys() - self._figures.keys():
            row = self._rows.pop(layer)
            self._column.removeWidget(row)
            row.deleteLater()
        self._sort()
        self.show_rows()

    @property
    def seconds_left(self) -> float:
        """Seconds until the tasks of all taps have ended, 0 if nothing is left to do."""
        left = (
            self._rows[layer].pace.time_left(figures.unfinished)
            for layer, figures in self._figures.items()
            if figures.unfinished
        )
        return max(left, default=0.0)

    def filter(self, text: str) -> None:
        """Show only rows whose names hold a text."""
        self._filter = text.casefold()
        for row in self._rows.values():
            row.setVisible(self._passes(row.layer))
        self.show_rows()

    def sort(self, failed_first: bool) -> None:
        """Put rows with failed tasks first, or keep the order of the taps."""
        self.failed_first = failed_first
        self._sort()

    def show_rows(self) -> None:
        """Bring the rows that are in view up to date."""
        top = self.verticalScrollBar().value()
        bottom = top + self.viewport().height()
        for layer in self._order:
            row = self._rows[layer]
            at = row.y()
            # A row that was just added has no place yet.
            if not row.isHidden() and at <= bottom and (at + row.height() >= top or not at):
                row.show_figures(
                    self._figures[layer], self._by_source.get(layer, ()), self._running
                )

    def _add(self, layer: str) -> TapRow:
        row = self._rows[layer] = TapRow(layer, self._context)
        row.setParent(self.widget())  # before it is shown: it would be a window of its own
        row.setVisible(self._passes(layer))
        if len(self._rows) <= UNFOLDED:
            row.set_open(True)
        return row

    def _passes(self, layer: str) -> bool:
        figures = self._figures[layer]
        return self._filter in f"{figures.select} {layer} {figures.kind}".casefold()

    def _sort(self) -> None:
        order = list(self._figures)
        if self.failed_first:
            order.sort(key=lambda layer: not self._figures[layer].failed)
        if order != self._order:
            self._order = order
            for turn, layer in enumerate(order):
                self._column.insertWidget(turn, self._rows[layer])
