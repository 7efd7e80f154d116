"""Labels for text from outside."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent
    from qtpy.QtWidgets import QWidget

WIDEST: Final = 200
"""Pixels that an elided label asks for at most."""


class ElidedLabel(QLabel):  # type: ignore[misc]
    """Show one line of plain text, with its middle elided if it is too long."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._text = text

    def __repr__(self) -> str:
        return f"<ElidedLabel {self._text[:40]!r}>"

    def text(self) -> str:
        """Return all of the text."""
        return self._text

    def sizeHint(self) -> QSize:
        """Ask for the width of the text within bounds: no name widens the dock."""
        metrics = self.fontMetrics()
        # Napari's style sheet gives labels a padding, which the metrics do not know.
        padding = 2 * metrics.averageCharWidth()
        return QSize(min(metrics.horizontalAdvance(self._text) + padding, WIDEST), metrics.height())

    def minimumSizeHint(self) -> QSize:
        """Ask for the height of a line alone."""
        return QSize(0, self.fontMetrics().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Elide the text to the new width."""
        super().resizeEvent(event)
        middle = Qt.TextElideMode.ElideMiddle
        super().setText(self.fontMetrics().elidedText(self._text, middle, self.width()))


class WrappedLabel(QLabel):  # type: ignore[misc]
    """Show lines of plain text; long words do not widen the dock."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)


def set_plain_tooltip(widget: QWidget, text: str) -> None:
    """Give a widget a tooltip that shows text as it is; Qt takes what looks like markup for it."""
    widget.setToolTip(f"<qt>{html.escape(text)}</qt>")
