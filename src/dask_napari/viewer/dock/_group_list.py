"""The task groups of the cluster: a click streams one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from dask_napari.model import duration_text
from dask_napari.viewer.dock._dock_buttons import DockButton
from dask_napari.viewer.dock._plain_label import ElidedLabel, TitleLabel, set_plain_tooltip
from dask_napari.viewer.dock._tap_form import TapForm

if TYPE_CHECKING:
    from dask_napari.model import ClusterState, TaskGroup
    from dask_napari.viewer.dock._dock_colours import DockColours
    from dask_napari.viewer.dock._dock_context import DockContext


GROUPS_SHOWN: Final = 20
"""Groups that are listed, the newest; the filter finds the others."""


FACTS_WIDTH: Final = 40
"""Characters of numbers, the shape of an array and a duration, for which there is room."""


class GroupLine(QWidget):  # type: ignore[misc]
    """Show a task group; a click asks for its form."""

    def __init__(self, name: str, colours: DockColours) -> None:
        super().__init__()
        self.add: DockButton = DockButton(f"Stream the outputs of {name}", "add", role="link")
        self.title: TitleLabel = TitleLabel(name)
        set_plain_tooltip(self.title, f"Stream the outputs of {name}")
        self.facts: ElidedLabel = ElidedLabel("", widest=FACTS_WIDTH)
        self.facts.setProperty("role", "faint")
        line = QHBoxLayout(self)
        line.setContentsMargins(4, 0, 4, 0)
        line.setSpacing(2)
        line.addWidget(self.add)
        line.addWidget(self.title, 1)
        line.addWidget(self.facts)
        self.add.take_colours(colours)

    def __repr__(self) -> str:
        return f"<GroupLine {self.title.text()!r}: {self.facts.text()}>"

    def show_group(self, group: TaskGroup) -> None:
        """Show the numbers of the group."""
        types = ", ".join(name.rpartition(".")[2] for name in group.types)
        # Of an array, shape and dtype say it all.
        output = group.shape if types == "ndarray" and group.shape else f"{types} {group.shape}"
        counts = group.counts
        number = f"{counts.computed:,} / {counts.total:,}"
        parts = [f"{counts.total:,}" if counts.computed == counts.total else number]
        parts += [output.strip(), f"{duration_text(group.seconds)} each" if group.seconds else ""]
        text = " · ".join(filter(None, parts))
        if text != self.facts.text():
            self.facts.setText(text)
            size = f" · {group.nbytes / 1e6:,.1f} MB of outputs" if group.nbytes else ""
            failed = f" · {counts.failed:,} failed" if counts.failed else ""
            set_plain_tooltip(self.facts, f"{text}{failed}{size}")


class GroupList(QWidget):  # type: ignore[misc]
    """List the task groups that no tap streams, the newest first."""

    def __init__(self, context: DockContext) -> None:
        super().__init__()
        self._context = context
        self.lines: dict[str, GroupLine] = {}
        self.form: TapForm | None = None
        self._groups: dict[str, TaskGroup] = {}
        self._filter = ""
        self.heading: QLabel = QLabel("Tap another")
        self.heading.setProperty("role", "heading")
        self.more: ElidedLabel = ElidedLabel("")
        self.more.setProperty("role", "faint")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 4, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.heading)
        self._column.addWidget(self.more)
        self.hide()

    def __repr__(self) -> str:
        return f"<GroupList of {list(self.lines)}>"

    def refresh(self, cluster: ClusterState | None) -> None:
        """Take in the groups of the cluster."""
        groups = () if cluster is None else cluster.groups
        tapped = set() if cluster is None else {name for tap in cluster.taps for name in tap.groups}
        found = {each.name: each for each in reversed(groups) if each.name not in tapped}
        if found == self._groups:
            return
        self._groups = found
        self._show()

    def filter(self, text: str) -> None:
        """List only groups whose names hold a text."""
        self._filter = text.casefold()
        self._show()

    def _show(self) -> None:
        passing = [name for name in self._groups if self._filter in name.casefold()]
        shown = passing[:GROUPS_SHOWN]
        if shown != list(self.lines):
            self._list(shown)
        for name, line in self.lines.items():
            line.show_group(self._groups[name])
        left = len(passing) - len(shown)
        self.more.setText(f"{left} more; the filter finds them")
        self.more.setVisible(left > 0)
        self.setVisible(bool(passing))

    def _list(self, names: list[str]) -> None:
        """Make the lines anew."""
        former, self.lines = self.lines, {}
        for turn, name in enumerate(names):
            line = former.pop(name, None)
            if line is None:
                line = GroupLine(name, self._context.colours)
                line.add.clicked.connect(partial(self._ask, name))
                line.title.clicked.connect(partial(self._ask, name))
            self.lines[name] = line
            self._column.insertWidget(1 + turn, line)
        for line in former.values():
            self._column.removeWidget(line)
            line.deleteLater()
        if self.form is not None:
            if self.form.group.name in self.lines:
                self._place_form(self.form)
            else:
                self.close_form()

    def _ask(self, name: str) -> None:
        """Open the form of a group below its line."""
        self.close_form()
        self.form = TapForm(self._groups[name], self._context, self.close_form)
        self._place_form(self.form)
        self.form.layer.setFocus()
        self.form.layer.selectAll()

    def _place_form(self, form: TapForm) -> None:
        self._column.removeWidget(form)
        self._column.insertWidget(self._column.indexOf(self.lines[form.group.name]) + 1, form)

    def close_form(self) -> None:
        """Close the form."""
        if self.form is not None:
            self._column.removeWidget(self.form)
            self.form.deleteLater()
            self.form = None
