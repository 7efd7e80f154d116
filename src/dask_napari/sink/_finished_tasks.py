"""Outputs of tasks that have just ended."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from dask_napari.model import contain, foreign_code
from dask_napari.sink import dask_internals
from dask_napari.sink._chunk_owners import is_streamed_elsewhere
from dask_napari.sink._context import SinkContext
from dask_napari.sink._outputs import TaskOutput
from dask_napari.sink._snapshots import snapshot
from dask_napari.tap import CompiledTap

if TYPE_CHECKING:
    from distributed.worker_state_machine import TaskState


class FinishedTasks:
    """Select outputs of tasks that end; on the event loop, where it must cost next to nothing."""

    def __init__(self, context: SinkContext) -> None:
        self._context = context

    def __repr__(self) -> str:
        return f"<FinishedTasks of {self._context.worker.address}>"

    def select(self, key: Any) -> None:
        """Put the output of a task into the queue if a tap wants it. Never raises."""
        if not len(self._context.taps):
            return
        try:
            self._select(key)
        except BaseException as error:
            # SystemExit too: Dask would take one as the end of the worker. The task has succeeded
            # and stays so.
            self._context.failed(error, key)

    def _select(self, key: Any) -> None:
        context, taps = self._context, self._context.taps
        task = dask_internals.task_of(context.worker, key)
        assert task is not None
        selected, chunk = context.select(taps, task), None
        if not selected and taps.of_one_chunk:
            chunk = dask_internals.only_chunk_in(task)
            if chunk is not None:
                selected = taps.select(
                    chunk, "", None, context.select_failed(key), context.select_is_slow
                )
                context.seen.note(task.prefix, selected)
        if not selected:
            return
        context.pause()
        for tap in selected:
            if not is_streamed_elsewhere(taps, tap, task):
                self._put(tap, task, chunk)

    def _put(self, tap: CompiledTap, task: TaskState, chunk: Any) -> None:
        context = self._context
        try:
            with foreign_code():  # of outputs, which are unpickled
                value = dask_internals.read_output(context.worker, task.key)
            if tap.copy == "eager":
                began = perf_counter()
                with foreign_code():
                    value = snapshot(value)
                context.count_copy(tap, perf_counter() - began)
            output = TaskOutput(context, tap, task, value, chunk)
        except BaseException as error:
            context.refuse(tap, error, task.key)
            contain(error)
        else:
            context.publisher.put(output)
