"""The part of the dock in which the user says which run is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QAction, QComboBox

if TYPE_CHECKING:
    from dask_napari.stream.receive import Receiver
    from dask_napari.viewer.layers import Layers


class RunsControl(QComboBox):  # type: ignore[misc]
    """Choose the run that is shown, or compare all of them; hidden as long as there is none.

    Its actions, to begin a run and to clear one, are for a menu.
    """

    def __init__(self, receiver: Receiver, layers: Layers) -> None:
        super().__init__()
        self._layers = layers
        self._runs: tuple[int, ...] = ()
        self._version = -1  # of the catalogue, when its runs were looked through
        self.setToolTip("The run that is shown; all runs lie on a slider")
        self.setAccessibleName("Run")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.currentIndexChanged.connect(self._choose)
        self.begin: QAction = QAction("New run")
        self.begin.setToolTip("Show what arrives from now on apart from what has arrived")
        self.begin.triggered.connect(lambda: receiver.begin_run())
        self.clear_run: QAction = QAction("Clear run")
        self.clear_run.setToolTip("Let go of the items of the run that is shown")
        self.clear_run.triggered.connect(self._clear)
        self.refresh()

    def __repr__(self) -> str:
        return f"<RunsControl of runs {self._runs}, {self.currentData()} in view>"

    def refresh(self) -> None:
        """Take in runs that have come, and a choice that could not be had."""
        version = self._layers.catalogue.version
        runs = self._runs if version == self._version else self._layers.runs
        self._version = version
        chosen = self._layers.run_choice
        if (runs, chosen) == (self._runs, self.currentData()) and self.count():
            return
        self._runs = runs
        self.blockSignals(True)  # not the user's doing
        self.clear()
        self.addItem("newest run" if len(runs) != 1 else f"run {runs[0]}", "newest")
        if len(runs) > 1:
            for run in runs:
                self.addItem(f"run {run}", run)
            self.addItem("all runs", "all")
        self.setCurrentIndex(max(0, self.findData(chosen)))
        self.blockSignals(False)
        self.setVisible(bool(runs))
        self.clear_run.setEnabled(bool(runs))

    def _choose(self) -> None:
        self._layers.choose_run(self.currentData())
        self.refresh()

    def _clear(self) -> None:
        chosen = self.currentData()
        runs = {"all": self._runs, "newest": self._runs[-1:]}
        for run in runs.get(chosen, (chosen,)):
            self._layers.clear_run(run)
        self.refresh()
