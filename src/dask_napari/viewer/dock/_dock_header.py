"""The head of the dock: the cluster, how far all is, and the controls of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from dask_napari.model import duration_text
from dask_napari.viewer.dock._dock_buttons import DockButton
from dask_napari.viewer.dock._plain_label import ElidedLabel, set_plain_tooltip
from dask_napari.viewer.dock._runs_control import RunsControl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dask_napari.model import ClusterState
    from dask_napari.stream.receive import PeerInfo, Receiver
    from dask_napari.viewer.dock._cluster_commands import ClusterCommands
    from dask_napari.viewer.dock._tap_figures import TapFigures
    from dask_napari.viewer.layers import Layers


WEB: Final = ("http://", "https://")
"""Beginnings of addresses that are opened in a browser: others come from elsewhere, and could
start any program."""


class DockHeader(QWidget):  # type: ignore[misc]
    """Show where the tasks run and how far they are; pause, follow the newest, choose a run."""

    def __init__(self, receiver: Receiver, layers: Layers, commands: ClusterCommands) -> None:
        super().__init__()
        self._receiver = receiver
        self._commands = commands
        self._dashboard = ""
        self._is_paused = False
        self.light: DockButton = DockButton("State of the connection", "dot", role="faint")
        self.light.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.state: ElidedLabel = ElidedLabel("", at_end=True)
        self.dashboard: DockButton = DockButton(
            "Open the Dask dashboard in a browser", "link", role="link"
        )
        self.dashboard.clicked.connect(self._open_dashboard)
        self.pause: DockButton = DockButton("Pause", "pause")
        self.pause.clicked.connect(self._pause)
        self.follow: DockButton = DockButton(
            "Follow the newest item: switched off by moving a slider, on by moving all to their "
            "ends (N)",
            "newest",
        )
        self.follow.setCheckable(True)
        self.menu: QMenu = QMenu(self)
        self.more: DockButton = DockButton("More", "more")
        self.more.setMenu(self.menu)
        self.more.setPopupMode(DockButton.ToolButtonPopupMode.InstantPopup)
        self.runs: RunsControl = RunsControl(receiver, layers)
        self.menu.addAction(self.runs.begin)
        self.menu.addAction(self.runs.clear_run)
        self.progress: ElidedLabel = ElidedLabel("", at_end=True)

        first = QHBoxLayout()
        first.setSpacing(2)
        first.addWidget(self.light)
        first.addWidget(self.state, 1)
        for button in (self.dashboard, self.pause, self.follow, self.more):
            first.addWidget(button)
        second = QHBoxLayout()
        second.addWidget(self.runs)
        second.addWidget(self.progress, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(first)
        column.addLayout(second)

    def __repr__(self) -> str:
        return f"<DockHeader: {self.state.text()}, {self.progress.text()}>"

    def refresh(
        self, cluster: ClusterState | None, figures: Sequence[TapFigures], seconds_left: float
    ) -> None:
        """Show the state of the cluster and the sum of the taps."""
        role, state = self._state(cluster)
        self.light.set_role(role)
        if state != self.state.text():
            self.state.setText(state)
            set_plain_tooltip(self.state, state)
            self.light.say(state)
        self._dashboard = cluster.dashboard if cluster is not None else ""
        self.dashboard.setVisible(self._dashboard.startswith(WEB))
        self._show_pause(cluster)
        self.runs.refresh()
        self._show_progress(figures, seconds_left)

    def _state(self, cluster: ClusterState | None) -> tuple[str, str]:
        """Return the colour of the light, and the text beside it."""
        peers = self._receiver.peers()
        alive = [peer for peer in peers if peer.alive]
        if cluster is not None:
            address = cluster.scheduler.rpartition("://")[2]
            # What matters most comes first: a narrow dock shows no more.
            workers = [_number(cluster.workers, "worker"), address, *_ways(alive)]
            if not self._commands.possible:
                return "warning", " · ".join(["client gone", *workers])
            if cluster.paused:
                return "warning", " · ".join(["paused", *workers])
            return "good", " · ".join(workers)
        if alive:
            return "good", " · ".join([_number(len(alive), "worker"), *_ways(alive)])
        if peers:
            return "faint", "all workers have ended"
        return "warning", f"waiting for workers at {self._receiver.addresses[-1]}"

    def _show_pause(self, cluster: ClusterState | None) -> None:
        self._is_paused = cluster is not None and cluster.paused
        self.pause.setVisible(cluster is not None)
        self.pause.setEnabled(self._commands.possible)
        self.pause.set_icon("play" if self._is_paused else "pause")
        tip = "Stream again (P)" if self._is_paused else "Pause streaming; tasks go on (P)"
        if tip != self.pause.accessibleName():
            self.pause.say(tip)

    def _show_progress(self, figures: Sequence[TapFigures], seconds_left: float) -> None:
        total = sum(each.total for each in figures)
        if not total:
            self.progress.setText("")
            return
        done = sum(each.done for each in figures)
        text = f"{done:,} / {total:,} tasks"
        if seconds_left and (left := duration_text(max(1.0, seconds_left))):
            text += f" · {left} left"
        self.progress.setText(text)

    def _pause(self) -> None:
        self._commands.send("resume" if self._is_paused else "pause")

    def _open_dashboard(self) -> None:
        QDesktopServices.openUrl(QUrl(self._dashboard))


def _ways(alive: Sequence[PeerInfo]) -> list[str]:
    """Return how outputs travel, if there are any workers."""
    ways = sorted({peer.transport for peer in alive if peer.transport})
    return [" and ".join(ways).replace("shared-memory", "shared memory")] if ways else []


def _number(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"
