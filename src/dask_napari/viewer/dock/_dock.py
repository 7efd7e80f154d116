"""The dock widget: the tasks of each tap, and what became of their outputs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from napari.settings import get_settings
from qtpy.QtCore import QEvent, Qt, QTimer, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QShortcut, QVBoxLayout, QWidget

from dask_napari.model import Tally
from dask_napari.viewer.dock._axes_control import AxesControl
from dask_napari.viewer.dock._cluster_commands import ClusterCommands
from dask_napari.viewer.dock._dock_buttons import DockButton
from dask_napari.viewer.dock._dock_colours import DockColours
from dask_napari.viewer.dock._dock_context import DockContext
from dask_napari.viewer.dock._dock_header import DockHeader
from dask_napari.viewer.dock._dock_style import style_sheet
from dask_napari.viewer.dock._group_list import GroupList
from dask_napari.viewer.dock._message_list import MessageList
from dask_napari.viewer.dock._panel_bar import PanelBar
from dask_napari.viewer.dock._plain_label import WrappedLabel
from dask_napari.viewer.dock._runs_control import RunsControl
from dask_napari.viewer.dock._tap_figures import figures_of_taps
from dask_napari.viewer.dock._tap_list import TapList
from dask_napari.viewer.dock._task_bar import TaskBar
from dask_napari.viewer.dock._task_failures import TaskFailures
from dask_napari.viewer.dock._under_cursor import UnderCursor
from dask_napari.viewer.storage import describe

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from dask_napari.model import ClusterState
    from dask_napari.stream.receive import Receiver
    from dask_napari.viewer.layers import Layers


INTERVAL_MS: Final = 250
"""Milliseconds between readings; a person reads them."""

NARROWEST: Final = 52
"""Characters of the dock's least width: a row has room for its name and numbers."""

SMOOTHING: Final = 0.3
"""Weight of the newest reading in the rates, so that they can be read."""


class LiveDock(QWidget):  # type: ignore[misc]
    """Show the cluster, a row for each tap, what else could be tapped, and what was reported.

    ``place_wanted`` is emitted with an entry of the catalogue that the user wants to see.
    """

    place_wanted: Signal = Signal(object)

    def __init__(self, receiver: Receiver, layers: Layers) -> None:
        super().__init__()
        # Sizes follow the font, which a style has given to all parts only after its event.
        self._restyle = QTimer(self)
        self._restyle.setSingleShot(True)
        self._restyle.timeout.connect(self._take_theme)
        self._receiver = receiver
        self._layers = layers
        self._then = time.monotonic(), 0, 0
        self._rates = 0.0, 0.0
        viewer = layers.viewer
        self._commands = commands = ClusterCommands(receiver, layers.reports)
        self._failures = TaskFailures(layers.catalogue)
        self._context = context = DockContext(
            layers,
            commands,
            self._failures,
            self.place_wanted.emit,
            DockColours.of(viewer.theme),
        )
        self.header: DockHeader = DockHeader(receiver, layers, commands)
        self.follow: DockButton = self.header.follow
        self.runs: RunsControl = self.header.runs
        self.filter: QLineEdit = QLineEdit()
        self.filter.setPlaceholderText("Filter")
        self.filter.setAccessibleName("Filter taps and tasks by name")
        self.filter.setToolTip("Show rows and tasks whose names hold a text (/ or Ctrl+Alt+L)")
        self.filter.setClearButtonEnabled(True)
        self.failed_first: DockButton = DockButton(
            "Rows with failed tasks first; else in the order of the taps", text="failed first"
        )
        self.failed_first.setCheckable(True)
        self.failed_first.setChecked(True)
        self.states: DockButton = DockButton(
            "Draw the states of tasks over the pictures: waiting hatched, running framed, failed"
            " crossed (S)",
            text="states",
        )
        self.states.setCheckable(True)
        self.hint: WrappedLabel = WrappedLabel(role="warning")
        self.rows: TapList = TapList(context)
        self.groups: GroupList = GroupList(context)
        self.rows.add_below(self.hint)
        self.rows.add_below(self.groups)
        self.axes: AxesControl = AxesControl(layers)
        self.messages: MessageList = MessageList(receiver, layers.reports)
        self.memory: WrappedLabel = WrappedLabel()
        self.total: WrappedLabel = WrappedLabel()
        self.under_cursor: UnderCursor = UnderCursor(receiver, context)
        self.panels: PanelBar = PanelBar()
        for name, panel, tip in (
            ("Axes", self.axes, "How each axis is shown (A)"),
            ("Messages", self.messages, "What the workers and the viewer report (M)"),
            ("Memory", self.memory, "What is held of the outputs"),
            ("Ledger", self.total, "What became of every output (L)"),
        ):
            self.panels.add(name, panel, tip)
        self._arrange()
        self._connect()
        self._take_theme()
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def __repr__(self) -> str:
        return f"<LiveDock of {self._receiver}: {self.rows.order}>"

    def _arrange(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self.filter, 1)
        line.addWidget(self.failed_first)
        line.addWidget(self.states)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 2, 6, 2)
        column.setSpacing(4)
        column.addWidget(self.header)
        column.addLayout(line)
        column.addWidget(self.rows, 1)
        column.addWidget(self.axes.progress)
        column.addWidget(self.under_cursor)
        column.addWidget(self.panels)

    def _connect(self) -> None:
        self.filter.textChanged.connect(self.rows.filter)
        self.filter.textChanged.connect(self.groups.filter)
        self.failed_first.toggled.connect(self.rows.sort)
        self.states.toggled.connect(self._show_states)
        memory = self.header.menu.addAction("Memory")
        memory.triggered.connect(lambda: self.panels.toggle("Memory"))
        for keys, action in (
            ("/", self.filter.setFocus),
            ("P", self.header.pause.click),
            ("N", self.follow.click),
            ("S", self.states.click),
            ("A", lambda: self.panels.toggle("Axes")),
            ("M", lambda: self.panels.toggle("Messages")),
            ("L", lambda: self.panels.toggle("Ledger")),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)
        # From anywhere in the window.
        QShortcut(QKeySequence("Ctrl+Alt+L"), self).activated.connect(self.filter.setFocus)

    def _show_states(self, on: bool) -> None:
        self._layers.overlay.visible = on

    def _take_theme(self) -> None:
        """Draw in the colours of the theme that napari has now."""
        colours = DockColours.of(self._layers.viewer.theme)
        self._context.colours = colours
        if (
            rules := style_sheet(colours, get_settings().appearance.font_size)
        ) != self.styleSheet():
            self.setStyleSheet(rules)
        for part in (*self.findChildren(DockButton), *self.findChildren(TaskBar)):
            part.take_colours(colours)
        self.setMinimumWidth(NARROWEST * self.fontMetrics().averageCharWidth())
        # Layouts keep the sizes that widgets had in another font, or before they were shown.
        for widget in (self, *self.findChildren(QWidget)):
            if (layout := widget.layout()) is not None:
                layout.invalidate()
        if (layout := self.layout()) is not None:
            layout.activate()
        self.panels.fit()

    def changeEvent(self, event: QEvent) -> None:
        """Take on another theme, or the user's font size."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._restyle.start(0)

    def showEvent(self, event: QShowEvent) -> None:
        """Lay everything out in the fonts of the window."""
        super().showEvent(event)
        self._restyle.start(0)

    # -- readings ----------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read the receiver and show it."""
        cluster = self._receiver.cluster.state()
        ledger = self._receiver.sums()
        self._commands.refresh()
        self._failures.refresh()
        figures = figures_of_taps(
            cluster, ledger, self._receiver.known(), self._layers.catalogue, self._failures
        )
        self.rows.refresh(figures, _running(cluster))
        self.header.refresh(cluster, figures, self.rows.seconds_left)
        self.groups.refresh(cluster)
        self._show_hint(cluster, bool(figures))
        self.axes.refresh()
        self.under_cursor.refresh()
        self._show_messages()
        self._show_memory()
        self._show_total(ledger.total)

    def _show_hint(self, cluster: ClusterState | None, has_rows: bool) -> None:
        """Say which taps match nothing, as far as workers know, or that there is none."""
        lines = self._receiver.unmatched() if cluster is None else []
        if not lines and not has_rows and cluster is not None:
            lines = ["No tap streams anything yet"]
        text = "\n".join(lines)
        if text != self.hint.text():
            self.hint.setText(text)
        self.hint.setVisible(bool(text))

    def _show_messages(self) -> None:
        if self.messages.refresh():
            number = len(self.messages)
            self.panels.title(
                "Messages",
                f"Messages ({number})" if number else "Messages",
                sign="warning" if self.messages.errors else "",
                role="error",
            )
            self.panels.fit()

    def _show_memory(self) -> None:
        peers = self._receiver.peers()
        now = time.monotonic()
        items, nbytes = sum(p.items for p in peers), sum(p.nbytes for p in peers)
        then, old_items, old_nbytes = self._then
        elapsed = now - then
        if elapsed > 0.05:
            self._then = now, items, nbytes
            fresh = (items - old_items) / elapsed, (nbytes - old_nbytes) / elapsed / 1e6
            self._rates = (
                self._rates[0] + SMOOTHING * (fresh[0] - self._rates[0]),
                self._rates[1] + SMOOTHING * (fresh[1] - self._rates[1]),
            )
        rates = f"{self._rates[0]:,.0f} items/s, {self._rates[1]:,.1f} MB/s arrive"
        self.memory.setText(f"{describe(self._layers.store)}\n{rates}")

    def _show_total(self, tally: Tally) -> None:
        text = (
            f"{tally.selected} selected = {tally.shown} shown + {tally.coalesced} coalesced"
            f" + {tally.dropped.total()} dropped + {tally.pending} pending"
        )
        if not tally.balanced:
            text = f"The ledger does not balance: {text}"
        text += "".join(f"\n{n} dropped: {why}" for why, n in sorted(tally.dropped.items()))
        if text == self.total.text():
            return
        self.total.setText(text)
        if tally.balanced:
            self.panels.title("Ledger", "Ledger", "Ledger balances", sign="check", role="good")
        else:
            words = "Ledger does not balance"
            self.panels.title("Ledger", "Ledger", words, sign="warning", role="error")
        self.panels.fit()


def _running(cluster: ClusterState | None) -> list[str]:
    """Return the names of the task groups of the cluster, those that run first."""
    if cluster is None:
        return []
    groups = sorted(reversed(cluster.groups), key=lambda each: not each.counts.running)
    return [each.name for each in groups]
