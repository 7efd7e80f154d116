"""The part of the dock in which the user says what contrast limits follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from qtpy.QtWidgets import QComboBox

from dask_napari.model import ContrastMode
from dask_napari.viewer.dock._plain_label import set_plain_tooltip

if TYPE_CHECKING:
    from dask_napari.viewer.layers import Contrast, Layers


MODES: Final[dict[ContrastMode, str]] = {
    "running": "contrast of recent data",
    "frame": "contrast of this frame",
    "first": "contrast of the first data",
}
"""Names of the modes on the screen."""

BY_HAND: Final = "contrast set by hand"
VARIOUS: Final = "contrast differs"


class ContrastControl(QComboBox):  # type: ignore[misc]
    """Choose what the contrast limits of the layers of one name follow; hidden without any."""

    def __init__(self, layers: Layers, layer: str) -> None:
        super().__init__()
        self._layers = layers
        self._layer = layer
        for mode in get_args(ContrastMode):
            self.addItem(MODES[mode], mode)
        self.setSizeAdjustPolicy(self.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        set_plain_tooltip(
            self, "Limits follow the data until you set them; choose how, and they follow again"
        )
        self.activated.connect(self._on_chosen)

    def __repr__(self) -> str:
        return f"<ContrastControl of {self._layer!r}: {self.currentText()}>"

    @property
    def _contrasts(self) -> list[Contrast]:
        streams = self._layers.streams.values()
        return [s.contrast for s in streams if s.source[0] == self._layer and s.contrast]

    def refresh(self) -> None:
        """Show what the limits follow now."""
        states = {"" if each.by_hand else each.mode for each in self._contrasts}
        self.setVisible(bool(states))
        mode = next(iter(states)) if len(states) == 1 else ""
        self.setPlaceholderText(BY_HAND if states == {""} else VARIOUS)
        self.setCurrentIndex(self.findData(mode) if mode else -1)

    def _on_chosen(self, _: int) -> None:
        for each in self._contrasts:
            each.choose(self.currentData())
