"""The foot of the dock: a line of headings that open a panel each."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from dask_napari.viewer.dock._dock_buttons import DockButton
from dask_napari.viewer.dock._dock_colours import DockColours


class PanelBar(QWidget):  # type: ignore[misc]
    """Show one of some panels at a time, or none; the headings say the most of each."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: dict[str, DockButton] = {}
        self.panels: dict[str, QScrollArea] = {}
        self._line = QHBoxLayout()
        self._line.setSpacing(2)
        self._line.addStretch(1)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.addLayout(self._line)

    def __repr__(self) -> str:
        return f"<PanelBar of {list(self.panels)}, {self.opened or 'none'} open>"

    def add(self, name: str, panel: QWidget, tip: str) -> None:
        """Add a panel, folded."""
        heading = DockButton(tip, text=name)
        heading.setCheckable(True)
        heading.let_shrink()
        heading.clicked.connect(lambda: self.toggle(name))
        self._line.insertWidget(len(self.headings), heading)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(panel)
        area.hide()
        self._column.addWidget(area)
        self.headings[name], self.panels[name] = heading, area

    @property
    def opened(self) -> str:
        """Name of the panel that is shown, empty if none is."""
        return next((name for name, area in self.panels.items() if not area.isHidden()), "")

    def toggle(self, name: str) -> None:
        """Show a panel instead of another, or fold it."""
        opened = "" if self.opened == name else name
        for each, area in self.panels.items():
            area.setVisible(each == opened)
            self.headings[each].setChecked(each == opened)
        self.fit()

    def fit(self) -> None:
        """Give the panel that is shown the height of its content, within bounds."""
        if self.opened:
            area = self.panels[self.opened]
            content = area.widget()
            wanted = max(
                content.sizeHint().height(), content.heightForWidth(area.viewport().width())
            )
            area.setFixedHeight(min(wanted, self.window().height() // 4) + 2)

    def title(
        self, name: str, text: str, spoken: str = "", *, sign: str = "", role: str = "text"
    ) -> None:
        """Say something else in the heading of a panel, with a sign in the colour of a role.

        ``spoken`` says the sign in words, for screen readers.
        """
        heading = self.headings[name]
        heading.setText(text)
        heading.setAccessibleName(spoken or text)
        heading.set_role(role)
        heading.set_icon(sign)

    def take_colours(self, colours: DockColours) -> None:
        """Draw in the colours of a theme."""
        for heading in self.headings.values():
            heading.take_colours(colours)
