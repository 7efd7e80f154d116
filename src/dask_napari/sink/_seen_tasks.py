"""Names of the tasks of a worker, and the taps that have matched any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dask_napari.model import TAPS_LIMIT, TASK_NAMES_LIMIT, TapMatches, unfit_name
from dask_napari.tap import CompiledTap


class SeenTasks:
    """Remember names of tasks and the taps that matched; tell when either is new.

    On the event loop alone. So that a tap whose name is nearly right is not waited for in vain.
    """

    def __init__(self, tell: Callable[[TapMatches], None]) -> None:
        self.names: set[str] = set()
        self.matches: TapMatches = TapMatches()
        self._taps: dict[str, str] = {}
        self._matched: set[str] = set()
        self._tell = tell

    def __repr__(self) -> str:
        return f"<SeenTasks: {len(self.names)} names, {len(self._matched)} taps matched>"

    def set_taps(self, taps: Iterable[CompiledTap]) -> None:
        """Look after other taps; not after those in a graph, which match whatever it is part of."""
        found = {
            tap.title: tap.selector if isinstance(tap.selector, str) else ""
            for tap in taps
            if not (tap.chunks and tap.chunks.source) and not unfit_name(tap.title)
        }
        self._taps = dict(list(found.items())[:TAPS_LIMIT])
        self._changed()

    def note(self, name: str, selected: Iterable[CompiledTap]) -> None:
        """Note a task by its name, and the taps that chose its output."""
        before = len(self.names), len(self._matched)
        if len(self.names) < TASK_NAMES_LIMIT and name not in self.names and not unfit_name(name):
            self.names.add(name)
        self._matched.update(tap.title for tap in selected if tap.title in self._taps)
        if before != (len(self.names), len(self._matched)):
            self._changed()

    def _changed(self) -> None:
        self._matched &= self._taps.keys()
        self.matches = TapMatches(sorted(self.names), self._taps, sorted(self._matched))
        self._tell(self.matches)
