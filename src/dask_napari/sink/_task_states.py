"""States of tapped tasks before they have an output: those that run for long, and that failed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from dask_napari.model import TaskState
from dask_napari.sink import dask_internals
from dask_napari.sink._chunk_owners import is_streamed_elsewhere
from dask_napari.sink._context import SinkContext
from dask_napari.sink._selected_task import SelectedTask
from dask_napari.tap import TapSet

if TYPE_CHECKING:
    from distributed.worker_state_machine import TaskState as DaskTask


LOOK_INTERVAL: Final = 0.25
"""Seconds between looks at the tasks that run, which take some 5 us."""

SHORT: Final = 0.3
"""Seconds for which a task runs before the viewer is told: the items of shorter ones come soon."""

SCAN_TIME: Final = 0.001
"""Seconds for failed tasks that are looked at in one go, so that the event loop is free."""


class TaskStates:
    """Tell the viewer of tapped tasks that run, and of those that fail; on the event loop.

    All that it tells the worker knows: a viewer that comes late, or after the connection was cut,
    is told anew.
    """

    def __init__(self, context: SinkContext) -> None:
        self._context = context
        self._told: dict[Any, list[SelectedTask]] = {}
        """Tasks that run, once they were looked at; none for those that no tap selects."""
        self._timer: asyncio.TimerHandle | None = None
        self._scan: asyncio.Task[None] | None = None
        self._closed = False

    def __repr__(self) -> str:
        running = sum(map(len, self._told.values()))
        return f"<TaskStates of {self._context.worker.address}: {running} told to run>"

    def failed(self, key: Any) -> None:
        """Tell of a task that has just failed. Never raises."""
        if not len(self._context.taps):
            return
        try:
            self._failed(key)
        except BaseException as error:  # SystemExit too: Dask would end the worker
            self._context.failed(error, key)

    def look(self) -> None:
        """Look at the tasks that run now and, at intervals, until it is closed."""
        self._timer = asyncio.get_running_loop().call_later(LOOK_INTERVAL, self.look)
        try:
            self._look()
        except Exception as error:
            self._context.failed(error)

    def set_taps(self) -> None:
        """Tell of the tasks that other taps select from now on."""
        before = [task for tasks in self._told.values() for task in tasks]
        self._told = {}
        try:
            self._look()
        except Exception as error:
            self._context.failed(error)
        told = {task.identity for tasks in self._told.values() for task in tasks}
        self._tell(*(task.ended("withdrawn") for task in before if task.identity not in told))
        self.tell_failed()

    def tell_all(self) -> None:
        """Tell anew of all tasks that run or have failed."""
        if self._closed:
            return
        self._tell(*(task for tasks in self._told.values() for task in tasks))
        self.tell_failed()

    def tell_failed(self) -> None:
        """Tell of all failed tasks that the worker knows of."""
        if self._scan is not None:
            self._scan.cancel()
        self._scan = None
        keys = dask_internals.failed_keys(self._context.worker) if len(self._context.taps) else []
        if keys:
            self._scan = asyncio.ensure_future(self._tell_failed(keys))

    def close(self) -> None:
        """Stop looking."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._scan is not None:
            self._scan.cancel()

    # -- on the way --------------------------------------------------------------------------

    def _look(self) -> None:
        context = self._context
        if not len(context.taps) and not self._told:
            return
        running = dask_internals.running_tasks(context.worker)
        for key in [key for key in self._told if key not in running]:
            self._end(key)
        begun = time.time() - SHORT
        for key, task in running.items():
            told, attempt = self._told.get(key), dask_internals.attempt_of(task)
            is_known = told is not None and all(each.run_id == attempt for each in told)
            if not is_known and dask_internals.began_at(task) <= begun:
                self._told[key] = tasks = self._selected(task, "running")
                self._tell(*tasks)

    def _end(self, key: Any) -> None:
        """Tell that a task does not run any more."""
        tasks, task = self._told.pop(key), dask_internals.task_of(self._context.worker, key)
        if task is not None and dask_internals.has_failed(task):
            return  # that was told at once
        is_computed = task is not None and dask_internals.is_stored(task)
        self._tell(*(each.ended("computed" if is_computed else "withdrawn") for each in tasks))

    def _failed(self, key: Any) -> None:
        task = dask_internals.task_of(self._context.worker, key)
        if task is not None and dask_internals.has_failed(task):
            self._tell(*self._selected(task, "failed"))

    async def _tell_failed(self, keys: list[Any]) -> None:
        until = 0.0
        for key in keys:
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + SCAN_TIME
            self.failed(key)

    def _selected(self, task: DaskTask, state: TaskState) -> list[SelectedTask]:
        """Return a task for each tap that selects it, as far as that is known without an output."""
        context = self._context
        taps: TapSet = context.taps
        return [
            SelectedTask(context, tap, task, state)
            for tap in context.select(taps, task, context.ignore_failed_select)
            if not is_streamed_elsewhere(taps, tap, task)
        ]

    def _tell(self, *tasks: SelectedTask) -> None:
        for task in tasks:
            self._context.publisher.tell_task(task)
