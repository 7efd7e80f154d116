"""The failed tasks of a tap, a line a cause: show the first one's place, retry all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from dask_napari.viewer.dock._dock_buttons import DockButton
from dask_napari.viewer.dock._dock_context import DockContext
from dask_napari.viewer.dock._plain_label import ElidedLabel, WrappedLabel, set_plain_tooltip

if TYPE_CHECKING:
    from dask_napari.catalog import CatalogueEntry


CAUSES_SHOWN: Final = 4
"""Causes of a tap that are listed, those of most tasks first."""

KEYS_SENT: Final = 10_000
"""Tasks that one click retries at most: a command has a size."""


class FailureLine(QWidget):  # type: ignore[misc]
    """Show one cause, with the number of its tasks."""

    def __init__(self, cause: str, context: DockContext) -> None:
        super().__init__()
        self._cause = cause
        self._commands = context.commands
        self._show = context.show
        self._entries: dict[CatalogueEntry, None] = {}
        self._turn = 0
        self.text: WrappedLabel = WrappedLabel(role="error")
        self.show_place: DockButton = DockButton(
            "Go to the place of a task that failed; a further click shows the next one",
            text="show",
            role="link",
        )
        self.show_place.clicked.connect(self._go)
        self.retry: DockButton = DockButton("Run these tasks again", text="retry", role="link")
        self.retry.clicked.connect(self._retry)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(2)
        line.addWidget(self.text, 1)
        for button in (self.show_place, self.retry):
            button.take_colours(context.colours)
            line.addWidget(button)

    def __repr__(self) -> str:
        return f"<FailureLine {self.text.text()!r}>"

    def show_entries(self, entries: dict[CatalogueEntry, None], traceback: str) -> None:
        """Show how many tasks failed by the cause."""
        self._entries = entries
        number = f"{len(entries):,}"
        text = f"{number} \N{MULTIPLICATION SIGN} {self._cause}"
        if text != self.text.text():
            self.text.setText(text)
            set_plain_tooltip(self.text, traceback or self._cause)
            self.retry.setText(f"retry {number}")
        self.retry.setVisible(self._commands.possible)

    def _go(self) -> None:
        entries = list(self._entries)
        if entries:
            self._show(entries[self._turn % len(entries)])
            self._turn += 1

    def _retry(self) -> None:
        keys = dict.fromkeys(entry.meta.provenance.key for entry in self._entries)
        self._commands.send("retry", keys=list(keys)[:KEYS_SENT])


class FailureLines(QWidget):  # type: ignore[misc]
    """List the causes of the failed tasks of a tap."""

    def __init__(self, context: DockContext, traceback: Callable[[CatalogueEntry], str]) -> None:
        super().__init__()
        self._context = context
        self._traceback = traceback
        self.lines: dict[str, FailureLine] = {}
        self.more: ElidedLabel = ElidedLabel("")
        self.more.setProperty("role", "faint")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.addWidget(self.more)
        self.hide()

    def __repr__(self) -> str:
        return f"<FailureLines {list(self.lines)}>"

    def show_causes(self, causes: Mapping[str, dict[CatalogueEntry, None]]) -> None:
        """Show the failed entries by cause."""
        order = sorted(causes, key=lambda cause: -len(causes[cause]))[:CAUSES_SHOWN]
        if order != list(self.lines):
            former, self.lines = self.lines, {}
            for turn, cause in enumerate(order):
                line = former.pop(cause, None) or FailureLine(cause, self._context)
                self.lines[cause] = line
                self._column.insertWidget(turn, line)
            for line in former.values():
                self._column.removeWidget(line)
                line.deleteLater()
        for cause, line in self.lines.items():
            entries = causes[cause]
            line.show_entries(entries, self._traceback(next(iter(entries))))
        left = len(causes) - len(order)
        self.more.setText(f"{left} more causes")
        self.more.setVisible(left > 0)
        self.setVisible(bool(order))
