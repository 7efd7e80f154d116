"""The bar of a tap: tasks shown, done, running, waiting and failed, apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QBrush, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from dask_napari.viewer.dock._dock_colours import DockColours, qcolor
from dask_napari.viewer.dock._plain_label import set_plain_tooltip
from dask_napari.viewer.dock._tap_figures import TapFigures

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

LEAST: Final = 2.0
"""Pixels of a part that is not empty: one failed task of 100 000 is seen."""


class TaskBar(QWidget):  # type: ignore[misc]
    """Draw how far the tasks of a tap are; the tooltip has the numbers."""

    def __init__(self, colours: DockColours) -> None:
        super().__init__()
        self.colours = colours
        self._figures = TapFigures("")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def take_colours(self, colours: DockColours) -> None:
        """Draw in the colours of a theme."""
        self.colours = colours
        self.update()

    def __repr__(self) -> str:
        return f"<TaskBar: {', '.join(self._figures.parts)}>"

    def show_figures(self, figures: TapFigures) -> None:
        """Draw other figures."""
        if self.segments != segments(figures):
            self.update()
        self._figures = figures
        text = ", ".join(figures.parts) or "no tasks yet"
        self.setAccessibleName(f"Tasks of {figures.layer}")
        self.setAccessibleDescription(text)
        set_plain_tooltip(self, f"{text}, of {figures.total:,} tasks")

    @property
    def segments(self) -> list[tuple[str, int]]:
        """Role and number of tasks of each part that is drawn."""
        return segments(self._figures)

    def sizeHint(self) -> QSize:
        """Ask for half the height of a line of text."""
        return QSize(40, max(6, round(0.55 * self.fontMetrics().height())))

    def minimumSizeHint(self) -> QSize:
        """Ask for as little."""
        return self.sizeHint()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the parts."""
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        area = QRectF(self.rect())
        painter.fillRect(area, qcolor(self.colours.waiting))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, right = area.left(), area.right()
        scale = area.width() / max(1, self._figures.total)
        for role, number in self.segments:
            width = max(LEAST, number * scale)
            if role == "failed":  # from the right: in the middle it would be taken for a gap
                part = QRectF(right - width, area.top(), width, area.height())
            else:
                part = QRectF(left, area.top(), min(width, right - left), area.height())
                left += width
            painter.fillRect(part, self._brush(role))

    def _brush(self, role: str) -> QBrush:
        colours = self.colours
        if role == "running":
            return QBrush(qcolor(colours.faint), Qt.BrushStyle.Dense4Pattern)
        rgb = {"shown": colours.shown, "done": colours.done, "failed": colours.failed}[role]
        return QBrush(qcolor(rgb))


def segments(figures: TapFigures) -> list[tuple[str, int]]:
    """Return role and number of tasks of each part of a bar, those of none left out.

    >>> segments(TapFigures("cells", total=9, done=5, shown=4, running=1, failed=1))
    [('shown', 4), ('done', 1), ('running', 1), ('failed', 1)]
    """
    numbers = {
        "shown": figures.shown,
        "done": figures.done - figures.shown,
        "running": figures.running,
        "failed": figures.failed,
    }
    return [(role, number) for role, number in numbers.items() if number > 0]
