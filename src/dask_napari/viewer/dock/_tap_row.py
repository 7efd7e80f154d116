"""The row of a tap in the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout

from dask_napari.model import Pace, duration_text, rate_text
from dask_napari.viewer.dock._dock_buttons import DockButton
from dask_napari.viewer.dock._dock_context import DockContext
from dask_napari.viewer.dock._plain_label import ElidedLabel, TitleLabel, set_plain_tooltip
from dask_napari.viewer.dock._tap_details import TapDetails
from dask_napari.viewer.dock._tap_figures import TapFigures
from dask_napari.viewer.dock._task_bar import TaskBar

if TYPE_CHECKING:
    from collections.abc import Sequence


class TapRow(QFrame):  # type: ignore[misc]
    """Show the tasks of a tap: a line, a bar, and details when unfolded.

    A click on the title selects the layers in napari's list; the eye shows or hides them.
    """

    def __init__(self, layer: str, context: DockContext) -> None:
        super().__init__()
        self.layer = layer
        self._context = context
        self._layers = context.layers
        self.figures: TapFigures = TapFigures(layer)
        self.pace: Pace = Pace()
        self._napari: Sequence[Any] = ()
        self._running: Sequence[str] = ()
        self._details: TapDetails | None = None
        self.fold: DockButton = DockButton("Unfold", "closed")
        self.fold.clicked.connect(lambda: self.set_open(not self.is_open))
        self.title: TitleLabel = TitleLabel(layer)
        self.title.clicked.connect(self.select)
        self.counts: QLabel = QLabel()
        self.failures: DockButton = DockButton("Failed tasks", "warning", role="error")
        self.failures.clicked.connect(lambda: self.set_open(True))
        self.check: DockButton = DockButton("All tasks are done and shown", "check", role="good")
        self.eye: DockButton = DockButton("Hide or show the layers", "eye")
        self.eye.clicked.connect(self.toggle)
        self.bar: TaskBar = TaskBar(context.colours)
        self.speed: ElidedLabel = ElidedLabel("")
        self.speed.setProperty("role", "faint")

        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(self.fold)
        head.addWidget(self.title, 1)
        for widget in (self.counts, self.check, self.failures, self.eye):
            head.addWidget(widget)
        progress = QHBoxLayout()
        progress.addWidget(self.bar, 1)
        progress.addWidget(self.speed)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(4, 2, 4, 4)
        self._column.setSpacing(2)
        self._column.addLayout(head)
        self._column.addLayout(progress)
        for button in (self.fold, self.failures, self.check, self.eye):
            button.take_colours(context.colours)
        self.failures.hide()
        self.check.hide()

    def __repr__(self) -> str:
        return f"<TapRow {self.title.text()!r}: {self.counts.text()}>"

    # -- what the user does ------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """True while the details are shown."""
        return self._details is not None and not self._details.isHidden()

    @property
    def details(self) -> TapDetails:
        """The part that is shown when the row is unfolded; made at first use."""
        if self._details is None:
            self._details = TapDetails(self.layer, self._context)
            self._details.hide()
            self._column.addWidget(self._details)
            self._details.show_figures(self.figures, self._running)
        return self._details

    def set_open(self, on: bool) -> None:
        """Unfold or fold the details."""
        if on != self.is_open:
            self.details.setVisible(on)
            self.fold.set_icon("open" if on else "closed")
            self.fold.say("Fold" if on else "Unfold")

    def select(self) -> None:
        """Select the layers of the row in napari's list."""
        selection = self._layers.viewer.layers.selection
        found = [layer for layer in self._napari if layer in self._layers.viewer.layers]
        if found:
            selection.clear()
            selection.update(found)
            selection.active = found[-1]

    def toggle(self) -> None:
        """Hide the layers of the row if any is visible, else show them."""
        visible = any(layer.visible for layer in self._napari)
        for layer in self._napari:
            layer.visible = not visible
        self._show_eye()

    # -- what is shown -----------------------------------------------------------------------

    def show_figures(
        self, figures: TapFigures, napari_layers: Sequence[Any], running: Sequence[str]
    ) -> None:
        """Show figures, the state of the napari layers, and which tasks run."""
        self._napari, self._running = napari_layers, running
        changed = figures != self.figures
        self.figures = figures
        self._show_title()
        self._show_speed()
        self._show_eye()
        if self.is_open:
            self.details.show_figures(figures, running)
        if not changed:
            return
        self.bar.show_figures(figures)
        self.counts.setText(self._counts())
        self.check.setVisible(figures.complete)
        self.failures.setText(f"{figures.failed:,}")
        self.failures.setVisible(figures.failed > 0)

    def _counts(self) -> str:
        figures = self.figures
        if figures.is_told and not figures.total:
            return "waiting" if figures.matches else "no task"
        return f"{figures.done:,} / {figures.total:,}"

    def _show_title(self) -> None:
        layer, select = self.layer, self.figures.select
        kinds = sorted({type(each).__name__.lower() for each in self._napari})
        kind = ", ".join(kinds) or self.figures.kind
        number = f", {len(self._napari)} layers" if len(self._napari) > 1 else ""
        name = f"{select} → {layer}" if select not in ("", layer, f'"{layer}"') else layer
        text = f"{name} ({kind}{number})" if kind else name
        if text != self.title.text():
            self.title.setText(text)
            self.title.setAccessibleName(text)
            set_plain_tooltip(self.title, f"{text}. A click selects the layer")

    def _show_speed(self) -> None:
        figures = self.figures
        parts = []
        if figures.unfinished and (rate := rate_text(self.pace.rate)):
            left = duration_text(max(1.0, self.pace.time_left(figures.unfinished)))
            parts = [rate, f"{left} left" if left else ""]
        elif figures.total and not figures.done and not figures.running:
            parts = ["waiting"]
        self.speed.setText(" · ".join(filter(None, parts)))

    def _show_eye(self) -> None:
        self.eye.setVisible(bool(self._napari))
        visible = any(layer.visible for layer in self._napari)
        self.eye.set_icon("eye" if visible else "eye closed")
