"""Labels for text from outside."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QLabel, QSizePolicy

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent, QMouseEvent, QResizeEvent
    from qtpy.QtWidgets import QWidget

WIDEST: Final = 28
"""Characters for which an elided label asks for room at most, unless it is told another number."""


class ElidedLabel(QLabel):  # type: ignore[misc]
    """Show one line of plain text, with its middle or its end elided if it is too long."""

    def __init__(self, text: str, *, at_end: bool = False, widest: int = WIDEST) -> None:
        super().__init__(text)
        self._widest = widest
        self._mode = Qt.TextElideMode.ElideRight if at_end else Qt.TextElideMode.ElideMiddle
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._text = text

    def __repr__(self) -> str:
        return f"<ElidedLabel {self._text[:40]!r}>"

    def text(self) -> str:
        """Return all of the text."""
        return self._text

    def setText(self, text: str) -> None:
        """Show another text."""
        if text != self._text:
            self._text = text
            self._elide()
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Ask for the width of the text within bounds: no name widens the dock."""
        metrics = self.fontMetrics()
        # Napari's style sheet gives labels a padding, which the metrics do not know.
        wide = metrics.averageCharWidth()
        width = metrics.horizontalAdvance(self._text) + 2 * wide
        return QSize(min(width, self._widest * wide), metrics.height())

    def minimumSizeHint(self) -> QSize:
        """Ask for the height of a line alone."""
        return QSize(0, self.fontMetrics().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Elide the text to the new width."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        # Napari's style sheet gives labels a padding.
        super().setText(self.fontMetrics().elidedText(self._text, self._mode, self.width() - 2))


class TitleLabel(ElidedLabel):
    """Elided title that can be clicked, or reached by the keyboard."""

    clicked: Signal = Signal()

    def __init__(self, text: str) -> None:
        super().__init__(text, at_end=True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setProperty("role", "title")

    def __repr__(self) -> str:
        return f"<TitleLabel {self.text()[:40]!r}>"

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Take a click."""
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.pos()):
            self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take Return and Space as clicks."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)


class WrappedLabel(QLabel):  # type: ignore[misc]
    """Show lines of plain text; long words do not widen the dock."""

    def __init__(self, text: str = "", *, role: str = "text") -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setProperty("role", role)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)


def set_plain_tooltip(widget: QWidget, text: str) -> None:
    """Give a widget a tooltip that shows text as it is; Qt takes what looks like markup for it."""
    widget.setToolTip(f"<qt>{html.escape(text)}</qt>")
