"""Flat buttons of the dock, with icons."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QSizePolicy, QToolButton

from dask_napari.viewer.dock._dock_colours import DockColours
from dask_napari.viewer.dock._dock_icons import icon
from dask_napari.viewer.dock._plain_label import set_plain_tooltip

NARROWEST_BUTTON: Final = 6
"""Characters to which the text of a button may shrink."""


class DockButton(QToolButton):  # type: ignore[misc]
    """Flat button with an icon in a colour of the theme, a text, or both.

    ``tip`` is its tooltip and, without a text, its name for screen readers.
    """

    def __init__(
        self, tip: str, icon_name: str = "", text: str = "", *, role: str = "text"
    ) -> None:
        super().__init__()
        self._icon_name = icon_name
        self._role = role
        self._colours: DockColours | None = None
        self.setProperty("role", role)
        self.setText(text)
        self.setAutoRaise(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.say(tip)

    def __repr__(self) -> str:
        return f"<DockButton {self.accessibleName()!r}>"

    def setText(self, text: str) -> None:
        """Show a text, as it is: Qt would underline what follows a single ampersand."""
        super().setText(text.replace("&", "&&"))
        both, alone = (
            Qt.ToolButtonStyle.ToolButtonTextBesideIcon,
            Qt.ToolButtonStyle.ToolButtonIconOnly,
        )
        self.setToolButtonStyle(both if text else alone)

    def text(self) -> str:
        """Return the text."""
        return str(super().text()).replace("&&", "&")

    def say(self, tip: str) -> None:
        """Set the tooltip, and the name for screen readers."""
        set_plain_tooltip(self, tip)
        self.setAccessibleName(self.text() or tip)
        self.setAccessibleDescription(tip)

    def take_colours(self, colours: DockColours) -> None:
        """Draw the icon in the colours of a theme."""
        self._colours = colours
        if not self._icon_name:
            self.setIcon(QIcon())
        else:
            side = round(0.85 * self.fontMetrics().height())
            self.setIconSize(QSize(side, side))
            rgb = getattr(colours, self._role)
            self.setIcon(icon(self._icon_name, rgb, colours.background))

    def let_shrink(self) -> None:
        """Get narrower than the text rather than widen the dock, which napari does not lay out."""
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(NARROWEST_BUTTON * self.fontMetrics().averageCharWidth())

    def set_icon(self, name: str) -> None:
        """Draw another icon."""
        if name != self._icon_name:
            self._icon_name = name
            if self._colours is not None:
                self.take_colours(self._colours)

    def set_role(self, role: str) -> None:
        """Draw the icon in the colour of another role."""
        if role != self._role:
            self._role = role
            if self._colours is not None:
                self.take_colours(self._colours)
