"""The messages of the dock: what is amiss, and how something is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from napari.utils import notifications
from qtpy.QtWidgets import QVBoxLayout, QWidget

from dask_napari.viewer.dock._plain_label import WrappedLabel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dask_napari.model import Report, Reports
    from dask_napari.stream.receive import Receiver


NOTIFIED: Final = 3
"""Errors that pop up at a time; more of them at once are only counted."""

CAUSES_KEPT: Final = 1000
"""Causes that are remembered so that they pop up once."""


class DockMessage(NamedTuple):
    """A line for the user; its cause pops up once if it is an error."""

    text: str
    cause: tuple[str, str]
    is_error: bool


class MessageList(QWidget):  # type: ignore[misc]
    """List what the workers, the client and the viewer report; the newest first."""

    def __init__(self, receiver: Receiver, reports: Reports) -> None:
        super().__init__()
        self._receiver = receiver
        self._reports = reports
        self._shown: list[DockMessage] = []
        self._notified: set[tuple[str, str]] = set()
        self._labels: list[WrappedLabel] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(4, 0, 4, 0)
        self._column.setSpacing(4)
        self._none = WrappedLabel("Nothing is amiss", role="faint")
        self._column.addWidget(self._none)
        self._column.addStretch(1)

    def __repr__(self) -> str:
        return f"<MessageList: {len(self.errors)} errors, {len(self.notes)} notes>"

    def __len__(self) -> int:
        return len(self._shown)

    @property
    def errors(self) -> list[str]:
        """Lines of what is amiss."""
        return [each.text for each in self._shown if each.is_error]

    @property
    def notes(self) -> list[str]:
        """Lines of how something is shown."""
        return [each.text for each in self._shown if not each.is_error]

    def refresh(self) -> bool:
        """Take reports in; return whether the list has changed."""
        messages = list(reversed(list(self._messages())))
        if messages == self._shown:
            return False
        self._shown = messages
        for label in self._labels:
            self._column.removeWidget(label)
            label.deleteLater()
        self._labels = []
        for turn, each in enumerate(messages):
            label = WrappedLabel(each.text, role="error" if each.is_error else "text")
            self._column.insertWidget(turn, label)
            self._labels.append(label)
        self._none.setVisible(not messages)
        self._notify()
        return True

    def _messages(self) -> Iterator[DockMessage]:
        # One line for all workers with a cause in common.
        workers = {(r.layer, r.reason): (name, r) for name, r in self._receiver.reports()}
        own = {(r.layer, r.reason): ("", r) for r in self._reports.all()}
        for cause, (name, report) in [*own.items(), *workers.items()]:
            yield DockMessage(_line(name, report), cause, not report.note)

    def _notify(self) -> None:
        """Pop up new errors, each cause once."""
        new = [m for m in self._shown if m.is_error and m.cause not in self._notified]
        if not new or len(self._notified) > CAUSES_KEPT:
            return
        self._notified.update(each.cause for each in new)
        for each in new[:NOTIFIED]:
            notifications.show_warning(_never_markup(each.text))
        if len(new) > NOTIFIED:
            more = len(new) - NOTIFIED
            notifications.show_warning(f"{more} more messages are in the dock")


def _line(worker: str, report: Report) -> str:
    of_worker = worker.partition("#")[0] if not (report.note or report.layer) else ""
    return f"{of_worker}: {report}" if of_worker else str(report)


def _never_markup(text: str) -> str:
    """Return a text that Qt takes for plain: labels of napari's show what looks like markup.

    Qt takes no tag for one that begins with a space of no width.
    """
    return text.replace("<", "<\u200b")
