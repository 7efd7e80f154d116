"""The dock widget: is anything coming, how fast, and what became of it."""

from __future__ import annotations

import html
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from dask_napari.model import Ledger, Tally
from dask_napari.viewer.dock._axes_control import AxesControl
from dask_napari.viewer.dock._contrast_control import ContrastControl
from dask_napari.viewer.dock._plain_label import ElidedLabel, WrappedLabel, set_plain_tooltip
from dask_napari.viewer.dock._runs_control import RunsControl
from dask_napari.viewer.storage import describe

if TYPE_CHECKING:
    from dask_napari.stream.receive import Receiver
    from dask_napari.viewer.layers import Layers


INTERVAL_MS: Final = 250
"""Milliseconds between readings; a person reads them."""

SMOOTHING: Final = 0.3
"""Weight of the newest reading in the rates, so that they can be read."""


REPORTS_SHOWN: Final = 4
"""Causes of errors that are shown, the latest; the workers' logs have all of them."""


class LayerRow:
    """Progress bar, counts and contrast of one layer."""

    def __init__(self, grid: QGridLayout, row: int, name: str, layers: Layers) -> None:
        self.title = ElidedLabel(name)
        set_plain_tooltip(self.title, name)
        self.title.setStyleSheet("font-weight: bold")
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.counts = WrappedLabel()
        self.counts.setStyleSheet("color: palette(mid); font-size: 10px")
        self.contrast = ContrastControl(layers, name)
        self.show_hidden = QPushButton()
        self.show_hidden.setToolTip("You removed layers of these items; they are kept")
        self.show_hidden.clicked.connect(partial(layers.show_hidden, name))
        self.show_hidden.hide()
        widgets = self.title, self.bar, self.counts, self.show_hidden, self.contrast
        for turn, widget in enumerate(widgets):
            grid.addWidget(widget, len(widgets) * row + turn, 0)

    def update(self, tally: Tally, known: int | None, hidden: int) -> None:
        """Show a tally; without a known total the bar compares with what was selected."""
        self.show_hidden.setText(f"Show {hidden} hidden {'item' if hidden == 1 else 'items'}")
        self.show_hidden.setVisible(hidden > 0)
        done = tally.selected - tally.pending
        total = max(known or tally.selected, done, 1)
        self.bar.setMaximum(total)
        self.bar.setValue(done)
        self.bar.setFormat(f"{done} / {total}")
        parts = [f"{tally.shown} shown"]
        parts += [f"{tally.pending} pending"] if tally.pending else []
        parts += [f"{tally.coalesced} coalesced"] if tally.coalesced else []
        parts += [f"{n} dropped ({reason})" for reason, n in sorted(tally.dropped.items())]
        self.counts.setText(" · ".join(parts))
        self.contrast.refresh()


class LiveDock(QWidget):  # type: ignore[misc]
    """Show the state of a receiver, rates, the ledger and progress per layer.

    The axes of the layers can change their modes here.
    """

    def __init__(self, receiver: Receiver, layers: Layers) -> None:
        super().__init__()
        self._receiver = receiver
        self._layers = layers
        self._store = layers.store
        self._reports = layers.reports
        self._rows: dict[str, LayerRow] = {}
        self._then = time.monotonic(), 0, 0
        self._rates = 0.0, 0.0
        self.state: QLabel = QLabel()
        self.state.setTextFormat(Qt.TextFormat.RichText)
        self.state.setWordWrap(True)
        self.rates: QLabel = QLabel()
        self.memory: QLabel = QLabel()
        self.memory.setWordWrap(True)
        self.total: QLabel = QLabel()
        self.total.setWordWrap(True)
        self.taps: QLabel = _report_label("#ffb300")
        self.errors: QLabel = _report_label("#e57373")
        self.notes: QLabel = _report_label("#ffb300")
        self.follow: QCheckBox = QCheckBox("Follow the newest item")
        self.follow.setToolTip("Switched off by moving a slider, on by moving all to their ends")

        rows = QWidget()
        self._grid = QGridLayout(rows)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignTop)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(rows)
        layout = QVBoxLayout(self)
        self.axes: AxesControl = AxesControl(layers)
        self.runs: RunsControl = RunsControl(receiver, layers)
        for widget in (
            self.state,
            self.rates,
            self.follow,
            self.axes,
            self.runs,
            scroll,
            self.taps,
            self.errors,
            self.notes,
            self.memory,
            self.total,
        ):
            layout.addWidget(widget, 1 if widget is scroll else 0)

        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def __repr__(self) -> str:
        return f"<LiveDock of {self._receiver}: {list(self._rows)}>"

    def refresh(self) -> None:
        """Read the receiver and show it."""
        self._show_state()
        self.axes.refresh()
        self.runs.refresh()
        ledger = self._receiver.sums()
        known = self._receiver.known()
        for layer in ledger:
            if layer not in self._rows:
                self._rows[layer] = LayerRow(self._grid, len(self._rows), layer, self._layers)
            hidden = self._layers.catalogue.count(layer, "hidden")
            self._rows[layer].update(ledger[layer], known.get(layer), hidden)
        self._show_reports()
        self.memory.setText(describe(self._store))
        self._show_total(ledger)

    def _show_state(self) -> None:
        peers = self._receiver.peers()
        alive = [peer for peer in peers if peer.alive]
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
        if alive:
            ways = sorted({peer.transport for peer in alive})
            workers = "1 worker" if len(alive) == 1 else f"{len(alive)} workers"
            how = html.escape(" and ".join(ways))
            text = f"<span style='color:#4caf50'>●</span> {workers} by {how}"
        elif peers:
            text = "<span style='color:#9e9e9e'>●</span> all workers have ended"
        else:
            where = html.escape(self._receiver.addresses[-1])
            text = f"<span style='color:#ffb300'>●</span> waiting for workers at {where}"
        self.state.setText(text)
        self.rates.setText(f"{self._rates[0]:,.0f} items/s   {self._rates[1]:,.1f} MB/s")

    def _show_reports(self) -> None:
        # One line for all workers with a cause in common.
        latest = {(r.layer, r.reason): (name, r) for name, r in self._receiver.reports()}
        errors: list[str] = []
        notes = [str(report) for report in self._reports.all()]
        for name, report in latest.values():
            if report.note:
                notes.append(str(report))
            else:
                worker = "" if report.layer else f"{name.partition('#')[0]}: "
                errors.append(f"{worker}{report}")
        silent = self._receiver.unmatched()
        for label, lines in ((self.taps, silent), (self.errors, errors), (self.notes, notes)):
            text = "\n".join(lines[-REPORTS_SHOWN:])
            if text != label.text():
                label.setText(text)
            label.setVisible(bool(text))

    def _show_total(self, ledger: Ledger) -> None:
        tally = ledger.total
        self.total.setText(
            f"{tally.selected} selected = {tally.shown} shown + {tally.coalesced} coalesced"
            f" + {tally.dropped.total()} dropped + {tally.pending} pending"
        )


def _report_label(colour: str) -> QLabel:
    label = WrappedLabel()
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setStyleSheet(f"color: {colour}; font-size: 10px")
    return label
