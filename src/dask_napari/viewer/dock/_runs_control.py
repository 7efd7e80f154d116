"""The part of the dock in which the user says which run is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QWidget

if TYPE_CHECKING:
    from dask_napari.stream.receive import Receiver
    from dask_napari.viewer.layers import Layers


class RunsControl(QWidget):  # type: ignore[misc]
    """Begin a run, choose the one that is shown, compare all of them, and clear one."""

    def __init__(self, receiver: Receiver, layers: Layers) -> None:
        super().__init__()
        self._layers = layers
        self._runs: tuple[int, ...] = ()
        self._version = -1  # of the catalogue, when its runs were looked through
        self.choice: QComboBox = QComboBox()
        self.choice.setToolTip("The run that is shown; all runs lie on a slider")
        self.choice.currentIndexChanged.connect(self._choose)
        self.clear: QPushButton = QPushButton("Clear")
        self.clear.setToolTip("Let go of the items of the run that is shown")
        self.clear.clicked.connect(self._clear)
        self.begin: QPushButton = QPushButton("New run")
        self.begin.setToolTip("Show what arrives from now on apart from what has arrived")
        self.begin.clicked.connect(lambda: receiver.begin_run())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Run"))
        row.addWidget(self.choice, 1)
        for button in (self.clear, self.begin):
            row.addWidget(button)
        self.refresh()

    def __repr__(self) -> str:
        return f"<RunsControl of runs {self._runs}, {self.choice.currentData()} in view>"

    def refresh(self) -> None:
        """Take in runs that have come, and a choice that could not be had."""
        version = self._layers.catalogue.version
        runs = self._runs if version == self._version else self._layers.runs
        self._version = version
        chosen = self._layers.shown_entries.choice
        if (runs, chosen) == (self._runs, self.choice.currentData()) and self.choice.count():
            return
        self._runs = runs
        self.choice.blockSignals(True)  # not the user's doing
        self.choice.clear()
        self.choice.addItem("the newest", "newest")
        for run in runs:
            self.choice.addItem(str(run), run)
        if len(runs) > 1:
            self.choice.addItem("all", "all")
        self.choice.setCurrentIndex(max(0, self.choice.findData(chosen)))
        self.choice.blockSignals(False)
        self.clear.setEnabled(bool(runs))

    def _choose(self) -> None:
        self._layers.choose_run(self.choice.currentData())
        self.refresh()

    def _clear(self) -> None:
        chosen = self.choice.currentData()
        runs = {"all": self._runs, "newest": self._runs[-1:]}
        for run in runs.get(chosen, (chosen,)):
            self._layers.clear_run(run)
        self.refresh()
