"""Outputs that are in memory without a task that ends: for new taps and viewers, and scattered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from dask_napari.sink import dask_internals
from dask_napari.sink._chunk_owners import is_source_stored
from dask_napari.sink._context import SinkContext
from dask_napari.sink._copies import shown_by
from dask_napari.sink._outputs import TaskOutput
from dask_napari.tap import CompiledTap, TapSet

if TYPE_CHECKING:
    from distributed import Worker
    from distributed.worker_state_machine import TaskState

logger = logging.getLogger(__name__)

SCAN_TIME: Final = 0.001
"""Seconds for tasks that are looked at in one go, so that the event loop is free in between: some
500 of them, or one whose predicate takes longer."""


class StoredOutputs:
    """Select outputs that a worker computed and still has, and scattered data, by key alone."""

    def __init__(self, context: SinkContext) -> None:
        self._context = context
        self._scans: set[asyncio.Task[None]] = set()
        self._arrived: tuple[TapSet, list[Any]] = (context.taps, [])

    def scan(self, taps: TapSet) -> None:
        """Begin to select by some taps from all that is in memory now. On the event loop."""
        # Listed now: `FinishedTasks` alone selects outputs of tasks that end from here on.
        keys = dask_internals.stored_keys(self._context.worker, taps.names, taps.keys)
        if keys:
            self._start(self._scan(taps, keys))

    def arrived(self, key: Any) -> None:
        """Select data that a client has scattered, if they are no copy. On the event loop."""
        taps, keys = self._arrived
        if self._context.taps is not taps:  # a scan has found what had arrived before
            taps, keys = self._arrived = self._context.taps, []
        if not len(taps):
            return
        keys.append(key)
        if len(keys) == 1:  # all that arrive together are asked for at once
            self._start(self._select_arrived(taps, keys))

    async def _select_arrived(self, taps: TapSet, keys: list[Any]) -> None:
        if self._arrived[1] is keys:
            self._arrived = taps, []
        tasks = filter(None, map(self._stored_task, keys))
        wanted = [
            task.key
            for task in tasks
            if self._context.select(taps, task, self._context.ignore_failed_select)
        ]
        for key in await self._where(dask_internals.first_here, wanted):
            if (task := self._stored_task(key)) is not None:
                self._put(taps, task)

    def _start(self, scan: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(scan)
        self._scans.add(task)
        task.add_done_callback(self._scans.discard)

    def __repr__(self) -> str:
        return f"<StoredOutputs of {self._context.worker.address}: {len(self._scans)} scans>"

    def close(self) -> None:
        """Stop all scans."""
        for scan in self._scans:
            scan.cancel()

    async def _scan(self, taps: TapSet, keys: list[Any]) -> None:
        fetched: list[Any] = []
        until = 0.0
        for key in keys:
            if perf_counter() > until:
                await asyncio.sleep(0)
                if not any(map(self._is_active, taps)):
                    return
                until = perf_counter() + SCAN_TIME
            task = self._stored_task(key)
            if task is None:
                continue
            if dask_internals.was_computed_here(task):
                self._put(taps, task)
            elif self._context.select(taps, task, self._context.ignore_failed_select):
                fetched.append(key)
        # Nobody computed scattered data, and Dask need not keep the first copy of an output.
        for key in await self._where(shown_by, fetched):
            task = self._stored_task(key)
            if task is not None:
                self._put(taps, task)

    def _is_active(self, tap: CompiledTap) -> bool:
        """Return whether a tap that a scan began with has not been removed since."""
        return any(tap is active for active in self._context.taps)

    def _stored_task(self, key: Any) -> TaskState | None:
        """Return a task, or None if its output has left the memory."""
        task = dask_internals.task_of(self._context.worker, key)
        return task if task is not None and dask_internals.is_stored(task) else None

    async def _where(
        self, ask: Callable[[Worker, list[Any]], Awaitable[list[Any]]], keys: list[Any]
    ) -> list[Any]:
        """Return which of some outputs are this worker's to show, as the scheduler says."""
        if not keys:
            return []
        try:
            return await ask(self._context.worker, keys)
        except Exception as error:  # of the scheduler, which may be ending
            logger.debug("the scheduler does not say where outputs are: %r", error)
            return []

    def _put(self, taps: TapSet, task: TaskState) -> None:
        context = self._context
        try:
            for tap in context.select(taps, task):
                if self._is_active(tap) and not is_source_stored(context.taps, tap, task):
                    context.publisher.put(TaskOutput(context, tap, task, None))
        except BaseException as error:
            context.failed(error, task.key)
