"""The part of the dock in which the user says how each axis is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtWidgets import QComboBox, QFormLayout, QPushButton, QWidget

from dask_napari.viewer.dock._plain_label import ElidedLabel, set_plain_tooltip

if TYPE_CHECKING:
    from dask_napari.model import AxisMode
    from dask_napari.viewer.layers import Layers


MODES: Final[dict[AxisMode, str]] = {
    "slider": "slider",
    "layer": "one layer each",
    "mosaic": "side by side",
}
"""Names of the modes on the screen."""


NOTICEABLE: Final = 4
"""Layers that are made and removed before a person could press a button."""


class AxesControl(QWidget):  # type: ignore[misc]
    """Choose a mode for each axis of the positions so far."""

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self._layers = layers
        self.choices: dict[str, Any] = {}
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self.progress: QPushButton = QPushButton()
        self.progress.setToolTip("Go back to the layout before")
        self.progress.clicked.connect(layers.cancel_choice)
        self.progress.hide()  # not in the form, which may be folded

    def __repr__(self) -> str:
        return f"<AxesControl of {list(self.choices)}>"

    def refresh(self) -> None:
        """Take in axes that have come, modes that taps have set, and how far a change is."""
        left, total = self._layers.in_progress
        self.progress.setVisible(left > NOTICEABLE)
        self.progress.setEnabled(self._layers.can_cancel)
        offer = "Cancel: " if self._layers.can_cancel else ""
        self.progress.setText(f"{offer}{total - left} of {total} are laid out")
        for axis in self._layers.position_axes:
            if axis not in self.choices:
                self._add(axis)
            mode = self._layers.mode(axis)
            choice = self.choices[axis]
            if choice.currentData() != mode:
                choice.blockSignals(True)  # not the user's doing
                choice.setCurrentIndex(choice.findData(mode))
                choice.blockSignals(False)

    def _add(self, axis: str) -> None:
        choice = QComboBox()
        for mode, text in MODES.items():
            choice.addItem(text, mode)
        set_plain_tooltip(choice, f"How coordinates on the axis {axis!r} are shown, on all layers")
        choice.currentIndexChanged.connect(
            lambda _: self._layers.choose(axis, self.choices[axis].currentData())
        )
        self.choices[axis] = choice
        self._form.addRow(ElidedLabel(axis), choice)
