"""Details of a tap's row: numbers, what is amiss, contrast, and what can be done."""

from __future__ import annotations

import difflib
from functools import partial
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from dask_napari.viewer.dock._contrast_control import ContrastControl
from dask_napari.viewer.dock._dock_buttons import DockButton
from dask_napari.viewer.dock._dock_context import DockContext
from dask_napari.viewer.dock._failure_lines import FailureLines
from dask_napari.viewer.dock._plain_label import WrappedLabel
from dask_napari.viewer.dock._tap_figures import TapFigures

if TYPE_CHECKING:
    from collections.abc import Sequence


NAMES_OFFERED: Final = 3
"""Names of running tasks that are offered in place of one that matches nothing."""


class TapDetails(QWidget):  # type: ignore[misc]
    """Show what a row has no room for; made when the user unfolds it."""

    def __init__(self, layer: str, context: DockContext) -> None:
        super().__init__()
        self._layer = layer
        self._context = context
        self._commands = commands = context.commands
        layers, catalogue = context.layers, context.layers.catalogue
        self._figures = TapFigures(layer)
        self._names: tuple[str, ...] = ()
        self.numbers: WrappedLabel = WrappedLabel(role="faint")
        self.hint: WrappedLabel = WrappedLabel(role="warning")
        self.offers: list[DockButton] = []
        self._offer_row = QHBoxLayout()
        self.failures: FailureLines = FailureLines(
            context, lambda entry: status.traceback if (status := catalogue.status(entry)) else ""
        )
        self.contrast: ContrastControl = ContrastControl(layers, layer)
        self.show_hidden: DockButton = DockButton(
            "You removed layers of these items; they are kept", "eye"
        )
        self.show_hidden.clicked.connect(partial(layers.show_hidden, layer))
        self.stop: DockButton = DockButton(
            "Stop: stream no more of these tasks; what is shown stays", "stop"
        )
        self.stop.clicked.connect(lambda: commands.send("untap", layer=layer))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        texts = QVBoxLayout()
        texts.addWidget(self.numbers)
        texts.addWidget(self.hint)
        first = QHBoxLayout()
        first.addLayout(texts, 1)
        first.addWidget(self.stop, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(first)
        column.addLayout(self._offer_row)
        self._offer_row.addStretch(1)
        column.addWidget(self.failures)
        row = QHBoxLayout()
        row.addWidget(self.contrast, 1)
        row.addWidget(self.show_hidden)
        column.addLayout(row)
        for button in (self.show_hidden, self.stop):
            button.take_colours(context.colours)

    def __repr__(self) -> str:
        return f"<TapDetails of {self._layer!r}: {self.numbers.text()}>"

    def show_figures(self, figures: TapFigures, running: Sequence[str]) -> None:
        """Show figures, and which tasks run if these match none."""
        self._figures = figures
        numbers = " · ".join(figures.parts)
        if numbers != self.numbers.text():
            self.numbers.setText(numbers)
        self.numbers.setHidden(not numbers)
        self.failures.show_causes(self._context.failures.of(self._layer))
        self._offer(() if figures.matches else _nearest(figures.select, running))
        text = f"Show {figures.hidden} hidden {'item' if figures.hidden == 1 else 'items'}"
        if text != self.show_hidden.text():
            self.show_hidden.setText(text)
        self.show_hidden.setVisible(figures.hidden > 0)
        self.stop.setVisible(figures.is_told and self._commands.possible)
        self.contrast.refresh()

    def _offer(self, names: tuple[str, ...]) -> None:
        """Say which tasks there are instead, and offer those that a tap may have meant."""
        is_missed = not self._figures.matches
        self.hint.setVisible(is_missed)
        if not is_missed or (names == self._names and self.hint.text()):
            return
        self._names = names
        more = ", …" if len(names) > NAMES_OFFERED else ""
        shown = names[:NAMES_OFFERED]
        found = f"running are: {', '.join(shown)}{more}" if names else "no tasks run"
        self.hint.setText(f"no such task yet; {found}")
        for button in self.offers:
            self._offer_row.removeWidget(button)
            button.deleteLater()
        self.offers = []
        for turn, name in enumerate(shown):
            button = DockButton(f"Stream {name} onto this layer instead", text=f"use {name}")
            button.setProperty("role", "link")
            button.let_shrink()
            button.clicked.connect(partial(self._use, name))
            button.take_colours(self._context.colours)
            self._offer_row.insertWidget(turn, button)
            self.offers.append(button)

    def _use(self, name: str) -> None:
        """Stream other tasks onto the layer."""
        self._commands.send("tap", select=name, replaces=self._layer)


def _nearest(select: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return names, those first that one may have meant."""
    near = difflib.get_close_matches(select, names, NAMES_OFFERED)
    return tuple(dict.fromkeys([*near, *names]))
