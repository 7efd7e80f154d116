"""Outputs that are in memory already: for a new tap, or for a new viewer."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from dask_napari.sink import dask_internals
from dask_napari.sink._chunk_owners import is_source_stored
from dask_napari.sink._context import SinkContext
from dask_napari.sink._outputs import TaskOutput
from dask_napari.tap import TapSet

if TYPE_CHECKING:
    from distributed.worker_state_machine import TaskState

logger = logging.getLogger(__name__)

SCAN_STEP: Final = 500
"""Tasks looked at in one go, so that the event loop is free in between; some 1 ms."""


class StoredOutputs:
    """Select outputs that a worker computed and still has, by key alone."""

    def __init__(self, context: SinkContext) -> None:
        self._context = context
        self._scans: set[asyncio.Task[None]] = set()

    def scan(self, taps: TapSet) -> None:
        """Begin to select by some taps from all that is in memory now. On the event loop."""
        # Listed now: `FinishedTasks` alone selects outputs of tasks that end from here on.
        keys = dask_internals.stored_keys(self._context.worker)
        scan = asyncio.ensure_future(self._scan(taps, keys))
        self._scans.add(scan)
        scan.add_done_callback(self._scans.discard)

    def __repr__(self) -> str:
        return f"<StoredOutputs of {self._context.worker.address}: {len(self._scans)} scans>"

    def close(self) -> None:
        """Stop all scans."""
        for scan in self._scans:
            scan.cancel()

    async def _scan(self, taps: TapSet, keys: list[Any]) -> None:
        fetched: list[Any] = []
        for number, key in enumerate(keys):
            if number % SCAN_STEP == 0:
                await asyncio.sleep(0)
            task = self._stored_task(key)
            if task is None:
                continue
            if dask_internals.was_computed_here(task):
                self._put(taps, task)
            elif self._context.select(taps, task, _uncounted):
                fetched.append(key)
        for key in await self._only_here(fetched):
            task = self._stored_task(key)
            if task is not None:
                self._put(taps, task)

    def _stored_task(self, key: Any) -> TaskState | None:
        """Return a task, or None if its output has left the memory."""
        task = dask_internals.task_of(self._context.worker, key)
        return task if task is not None and dask_internals.is_stored(task) else None

    async def _only_here(self, fetched: list[Any]) -> list[Any]:
        """Return which outputs fetched from other workers are on this one alone.

        Dask may have moved an output here: it keeps one copy of what was fetched, and that need
        not be the one where the task ran.
        """
        try:
            return await dask_internals.stored_only_here(self._context.worker, fetched)
        except Exception as error:  # of the scheduler, which may be ending
            logger.debug("the scheduler does not say where outputs are: %r", error)
            return []

    def _put(self, taps: TapSet, task: TaskState) -> None:
        context = self._context
        try:
            for tap in context.select(taps, task):
                if not is_source_stored(context.taps, tap, task):
                    context.publisher.put(TaskOutput(context, tap, task, None))
        except BaseException as error:
            context.failed(error, task.key)


def _uncounted(*_: object) -> None:
    """Ignore a predicate that raises: the output may be counted by another worker."""
