"""The form for a new tap: layer, kind and place, guessed from the tasks, for the user to change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qtpy.QtWidgets import QComboBox, QFormLayout, QFrame, QHBoxLayout, QLineEdit

from dask_napari.model import KINDS, Kind, TaskGroup
from dask_napari.viewer.dock._dock_buttons import DockButton
from dask_napari.viewer.dock._place_guess import guessed_pattern
from dask_napari.viewer.dock._plain_label import set_plain_tooltip

if TYPE_CHECKING:
    from collections.abc import Callable

    from dask_napari.viewer.dock._dock_context import DockContext


NAMED_LIKE: Final[dict[Kind, str]] = {
    "labels": r"segment|label|mask|watershed|nuclei|cells\b|thresh",
    "points": r"point|spot|peak|blob|centroid|detect|local_max|quantif|measure|regionprops",
    "tracks": r"track|link",
    "shapes": r"polygon|contour|shape|roi|bbox|box",
    "vectors": r"vector|flow|gradient",
    "surface": r"surface|mesh|marching",
}
"""Names of tasks whose outputs are of a kind, most likely."""

TABLES: Final = re.compile(r"DataFrame|Table|geopandas|polars|pyarrow")


class TapForm(QFrame):  # type: ignore[misc]
    """Ask how the tasks of a group are to be shown, and tap them."""

    def __init__(self, group: TaskGroup, context: DockContext, close: Callable[[], None]) -> None:
        super().__init__()
        self.group: TaskGroup = group
        self._commands = context.commands
        self._close = close
        self.layer: QLineEdit = QLineEdit(group.name)
        self.kind: QComboBox = QComboBox()
        for each in KINDS:
            self.kind.addItem(each, each)
        self.kind.setCurrentIndex(self.kind.findData(guessed_kind(group)))
        self.at: QLineEdit = QLineEdit(guessed_pattern(context.layers.catalogue))
        self.at.setPlaceholderText("{plate}/{well}_s{field:d}")
        tips = {
            self.layer: "Name of the layer",
            self.kind: "Kind of the layer, unless an output names its own",
            self.at: "Pattern of file names or keys, whose fields are the axes; without one, "
            "coordinates of the outputs or their order place them",
        }
        form = QFormLayout(self)
        form.setContentsMargins(4, 2, 4, 4)
        form.setSpacing(2)
        for name, field in (("layer", self.layer), ("kind", self.kind), ("place", self.at)):
            set_plain_tooltip(field, tips[field])
            field.setAccessibleName(name)
            form.addRow(name, field)
        self.start: DockButton = DockButton(
            f"Stream the outputs of {group.name}", "check", "Stream", role="link"
        )
        self.start.clicked.connect(self.send)
        self.cancel: DockButton = DockButton("Close the form", "stop", "Cancel")
        self.cancel.clicked.connect(close)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for button in (self.start, self.cancel):
            button.take_colours(context.colours)
            buttons.addWidget(button)
        form.addRow(buttons)
        for field in (self.layer, self.at):
            field.returnPressed.connect(self.send)

    def __repr__(self) -> str:
        return f"<TapForm of {self.group.name!r} as {self.kind.currentData()}>"

    def send(self) -> None:
        """Tap the tasks as the form says."""
        options = {"layer": self.layer.text().strip() or self.group.name}
        if at := self.at.text().strip():
            options["at"] = at
        kind = self.kind.currentData()
        if self._commands.send("tap", select=self.group.name, kind=kind, **options):
            self._close()


def guessed_kind(group: TaskGroup) -> Kind:
    """Return the kind that outputs of a group have, as far as its name and types tell.

    >>> guessed_kind(TaskGroup("segment_cells", types=("numpy.ndarray",)))
    'labels'
    >>> guessed_kind(TaskGroup("quantify", types=("pandas.core.frame.DataFrame",)))
    'points'
    """
    for kind, pattern in NAMED_LIKE.items():
        if re.search(pattern, group.name, re.IGNORECASE):
            return kind
    return "points" if any(map(TABLES.search, group.types)) else "image"
