"""Failed tasks by layer and cause, kept up to date with the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dask_napari.catalog import Catalogue, CatalogueEntry


Causes = dict[str, dict["CatalogueEntry", None]]
"""Failed entries by the text of their errors, in the order in which they failed."""

NO_TEXT = "failed"
"""Cause of a failure that came without a text."""


class TaskFailures:
    """Group the failed tasks of the newest run of each layer by the text of their errors.

    Only entries that have changed since the last look are looked at.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._version = -1
        self._causes: dict[str, Causes] = {}
        self._known: dict[CatalogueEntry, str] = {}
        self._newest: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<TaskFailures: {len(self._known)} entries>"

    def refresh(self) -> None:
        """Take in what has changed."""
        version = self._catalogue.version
        if version == self._version:
            return
        changed = self._catalogue.changes(self._version) if self._version >= 0 else None
        self._version = version
        if changed is None:
            self._causes, self._known = {}, {}
            changed = self._catalogue.failed()
        for entry in changed:
            self._take(entry)

    def of(self, layer: str) -> Mapping[str, dict[CatalogueEntry, None]]:
        """Return the failed entries of a layer by cause."""
        return self._causes.get(layer, {})

    def count(self, layer: str) -> int:
        """Return the number of failed entries of a layer."""
        return sum(len(entries) for entries in self._causes.get(layer, {}).values())

    def _take(self, entry: CatalogueEntry) -> None:
        layer = entry.meta.layer
        former = self._known.pop(entry, None)
        if former is not None:
            causes = self._causes[layer]
            causes[former].pop(entry, None)
            if not causes[former]:
                del causes[former]
        status = None if entry.state == "withdrawn" else self._catalogue.status(entry)
        if status is None or status.state != "failed":
            return
        newest = self._catalogue.newest_run(layer)
        if newest != self._newest.get(layer, newest):
            self._forget(layer)
        self._newest[layer] = newest
        if entry.run != newest:
            return
        cause = status.error.strip().partition("\n")[0] or NO_TEXT
        self._causes.setdefault(layer, {}).setdefault(cause, {})[entry] = None
        self._known[entry] = cause

    def _forget(self, layer: str) -> None:
        """Forget the failures of the run before."""
        for entries in self._causes.pop(layer, {}).values():
            for entry in entries:
                self._known.pop(entry, None)
