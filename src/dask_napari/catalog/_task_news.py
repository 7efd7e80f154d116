"""News of tasks that the state of an entry does not tell: failures, and what came after an item."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from dask_napari.catalog._entry import CatalogueEntry
from dask_napari.catalog._task_order import task_order
from dask_napari.model import TaskStatus

MOST_NEWS: Final = 100_000
"""Most entries whose last status is kept, some 50 MB."""

MOST_TRACEBACKS: Final = 1000
"""Failed entries whose traceback is kept, 16 MB at most; nobody reads more of them."""


class TaskNews:
    """Keep the last status of the tasks that failed, and of those that shown entries had later."""

    def __init__(self) -> None:
        self._statuses: dict[CatalogueEntry, TaskStatus] = {}
        self._traced: dict[CatalogueEntry, None] = {}  # those with a traceback, the oldest first

    def __repr__(self) -> str:
        return f"<TaskNews of {len(self._statuses)} entries>"

    def __bool__(self) -> bool:
        return bool(self._statuses)

    def get(self, entry: CatalogueEntry) -> TaskStatus | None:
        """Return what is known of the task of an entry beyond its state."""
        return self._statuses.get(entry)

    @property
    def failed(self) -> list[CatalogueEntry]:
        """Entries whose task failed last, in the order in which that was told."""
        return [entry for entry, told in self._statuses.items() if told.state == "failed"]

    def is_news(self, entry: CatalogueEntry, status: TaskStatus) -> bool:
        """Return whether a status is newer than all that is known of the task of an entry."""
        order = task_order(status.meta.provenance.run_id, status.state)
        known = self._statuses.get(entry)
        if known is None:
            return order > task_order(entry.meta.provenance.run_id, entry.state)
        before = task_order(known.meta.provenance.run_id, known.state)
        # One of two that tell of a failure may know more of it.
        return (order, len(status.traceback)) > (before, len(known.traceback))

    def keep(self, entry: CatalogueEntry, status: TaskStatus) -> None:
        """Keep the status of a task, unless the entry says it all."""
        self.discard(entry)
        if entry.item is None and status.state != "failed":
            return
        self._statuses[entry] = status
        if len(self._statuses) > MOST_NEWS:
            self.discard(next(iter(self._statuses)))
        if status.traceback:
            self._traced[entry] = None
            if len(self._traced) > MOST_TRACEBACKS:
                oldest = next(iter(self._traced))
                del self._traced[oldest]
                self._statuses[oldest] = replace(self._statuses[oldest], traceback="")

    def discard(self, entry: CatalogueEntry) -> bool:
        """Forget the news of an entry; return whether there were any."""
        self._traced.pop(entry, None)
        return self._statuses.pop(entry, None) is not None
