"""The panel "Under the cursor": all that is known of the item or the task that was clicked."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices, QGuiApplication
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from dask_napari.model import PIXEL_KINDS, duration_text
from dask_napari.viewer.dock._dock_buttons import DockButton
from dask_napari.viewer.dock._plain_label import ElidedLabel, WrappedLabel, set_plain_tooltip
from dask_napari.viewer.layers import place_text, shortened, state_text, worker_text

if TYPE_CHECKING:
    from dask_napari.catalog import CatalogueEntry
    from dask_napari.stream.receive import Receiver
    from dask_napari.viewer.dock._dock_context import DockContext
    from dask_napari.viewer.layers import PointedEntry

FILES: Final = {True: "TIFF (*.tif);;NumPy (*.npy)", False: "CSV (*.csv);;NumPy (*.npy)"}
"""Files that one item is saved as, for pixels and for elements."""

RETRIED: Final = frozenset({"failed", "computed", "shown", "hidden", "dropped"})
"""States in which a task has ended, so that it can be run again."""

TRACEBACK_LINES: Final = 8
"""Last lines of a traceback that are shown; the tooltip has all of them."""

ARGUMENTS_SHOWN: Final = 160
"""Characters of a task's arguments, some two lines; the tooltip has all of them."""

STATUS_PAGE: Final = "/status"
"""End of the address of a dashboard's status page."""


class UnderCursor(QWidget):  # type: ignore[misc]
    """Show one entry of the catalogue, as it is at each refresh.

    ``save_wanted`` is emitted with an item and the path of a file.
    """

    save_wanted: Signal = Signal(object, str)

    def __init__(self, receiver: Receiver, context: DockContext) -> None:
        super().__init__()
        self._receiver = receiver
        self._catalogue = context.layers.catalogue
        self._commands = context.commands
        self._pointed: PointedEntry | None = None
        self.heading: ElidedLabel = ElidedLabel("Under the cursor")
        self.heading.setProperty("role", "heading")
        self.place: WrappedLabel = WrappedLabel()
        self.task: WrappedLabel = WrappedLabel()
        self.arguments: WrappedLabel = WrappedLabel(role="faint")
        self.times: WrappedLabel = WrappedLabel(role="faint")
        self.state: WrappedLabel = WrappedLabel(role="error")
        self.copy: DockButton = DockButton("Copy the key of the task", text="copy", role="link")
        self.retry: DockButton = DockButton("Run the task again", text="retry", role="link")
        self.dashboard: DockButton = DockButton(
            "Open the task's page on the Dask dashboard", text="dashboard", role="link"
        )
        self.save: DockButton = DockButton("Save this item", text="save this", role="link")
        self.close_panel: DockButton = DockButton("Close this panel", text="close", role="link")
        for button, action in (
            (self.copy, self._copy_key),
            (self.retry, self._retry_task),
            (self.dashboard, self._open_page),
            (self.save, self._ask_for_file),
            (self.close_panel, partial(self.show_entry, None)),
        ):
            button.clicked.connect(action)
        self._arrange()
        self.hide()

    def __repr__(self) -> str:
        return f"<UnderCursor {self.place.text()!r}>"

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 4)
        column.setSpacing(2)
        top = QHBoxLayout()
        top.addWidget(self.heading, 1)
        top.addWidget(self.close_panel)
        column.addLayout(top)
        for label in (self.place, self.task, self.arguments, self.times, self.state):
            column.addWidget(label)
        line = QHBoxLayout()
        line.setSpacing(2)
        for button in (self.copy, self.retry, self.dashboard, self.save):
            line.addWidget(button)
        line.addStretch(1)
        column.addLayout(line)

    @property
    def entry(self) -> CatalogueEntry | None:
        """The entry that is shown."""
        return None if self._pointed is None else self._pointed.entry

    def show_entry(self, pointed: PointedEntry | None, *_: object) -> None:
        """Show what was clicked; nothing, with None."""
        self._pointed = pointed
        self.setVisible(pointed is not None)
        if pointed is not None and (key := pointed.entry.meta.provenance.key):
            self._receiver.cluster.ask_arguments(key)
        self.refresh()

    def refresh(self) -> None:
        """Show the present state of the entry."""
        if self._pointed is None:
            return
        entry, value, layer_axes, spec = self._pointed
        status = self._catalogue.status(entry)
        task = entry.meta.provenance if status is None else status.meta.provenance
        place = place_text(entry.meta, layer_axes, spec) or entry.meta.name
        show(self.place, f"{place}    value {value}" if value else place)
        parts = [task.key, worker_text(task.worker), f"run {entry.run}"]
        show(self.task, "\n".join(filter(None, (parts[0], " · ".join(filter(None, parts[1:]))))))
        arguments = self._receiver.cluster.arguments_of(task.key)
        show(
            self.arguments,
            f"arguments: {shortened(arguments, ARGUMENTS_SHOWN)}" if arguments else "",
        )
        set_plain_tooltip(self.arguments, arguments)
        show(self.times, "\n".join(times(entry)))
        is_said = entry.item is None or status is not None
        lines = [state_text(entry, status)] if is_said else []
        trace = "" if status is None else status.traceback.rstrip()
        calls = trace.splitlines()
        lines += ["…"] * (len(calls) > TRACEBACK_LINES) + calls[-TRACEBACK_LINES:]
        show(self.state, "\n".join(lines))
        set_plain_tooltip(self.state, trace)
        state = entry.state if status is None else status.state
        self.copy.setEnabled(bool(task.key))
        self.retry.setEnabled(bool(task.key) and state in RETRIED and self._commands.possible)
        self.dashboard.setEnabled(bool(task.key and self._page(task.key)))
        self.save.setEnabled(entry.item is not None)

    # -- buttons -----------------------------------------------------------------------------

    def _page(self, key: str) -> str:
        """Return the address of a task's page, empty without a dashboard."""
        cluster = self._receiver.cluster.state()
        address = "" if cluster is None else cluster.dashboard
        if not address.startswith(("http://", "https://")):
            return ""
        return f"{address.removesuffix(STATUS_PAGE)}/info/task/{quote(key, safe='')}.html"

    def _copy_key(self) -> None:
        if self.entry is not None and (clipboard := QGuiApplication.clipboard()) is not None:
            clipboard.setText(self.entry.meta.provenance.key)

    def _retry_task(self) -> None:
        if self.entry is not None:
            self._commands.send("retry", keys=[self.entry.meta.provenance.key])

    def _open_page(self) -> None:
        if self.entry is not None and (page := self._page(self.entry.meta.provenance.key)):
            QDesktopServices.openUrl(QUrl(page))

    def _ask_for_file(self) -> None:
        entry = self.entry
        if entry is None or entry.item is None:
            return
        files = FILES[entry.meta.kind in PIXEL_KINDS]
        path, chosen = QFileDialog.getSaveFileName(self, "Save this item", "", files)
        if path:
            ending = chosen[chosen.rfind(".") : -1]
            self.save_wanted.emit(
                entry.item, path if "." in path.rpartition("/")[2] else path + ending
            )


def show(label: WrappedLabel, text: str) -> None:
    """Show a text, and no label without one."""
    if text != label.text():
        label.setText(text)
    label.setVisible(bool(text))


def times(entry: CatalogueEntry) -> list[str]:
    """Return when the task of an entry ran, and how its item came, for people.

    The clocks of two hosts may differ; a transfer that would end before it began is not told.
    """
    task, item = entry.meta.provenance, entry.item
    lines = []
    if task.start > 0:
        began = time.strftime("%H:%M:%S", time.localtime(task.start))
        took = f" · took {duration_text(task.stop - task.start)}" if task.stop > task.start else ""
        lines.append(f"began {began}{took}")
    if item is None:
        return lines
    parts = [
        f"{bytes_text(item.nbytes)}, {' x '.join(map(str, item.data.shape))} {item.data.dtype}"
    ]
    if 0 < task.stop <= item.arrived:
        parts.append(f"arrived {duration_text(item.arrived - task.stop)} after its task")
    if 0 < item.arrived <= item.drawn:
        parts.append(f"drawn {duration_text(item.drawn - item.arrived)} later")
    return [*lines, " · ".join(parts)]


def bytes_text(count: int) -> str:
    """Return a number of bytes for people.

    >>> bytes_text(999), bytes_text(8_400_000)
    ('999 B', '8.4 MB')
    """
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
