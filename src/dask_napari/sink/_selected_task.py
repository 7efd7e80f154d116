"""Tasks that taps select, before they have an output, as a viewer is told of them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from dask_napari.model import Provenance, TaskState, TaskStatus, exception_line, traceback_end
from dask_napari.sink import dask_internals
from dask_napari.sink._context import SinkContext
from dask_napari.sink._task_arguments import (
    Arguments,
    are_plain,
    held_by_arguments,
    needed_arguments,
)
from dask_napari.tap import CompiledTap, expected_items

if TYPE_CHECKING:
    from distributed.worker_state_machine import TaskState as DaskTask


class SelectedTask:
    """Task that a tap selects, in one of its states; a notice of the publisher.

    Made on the event loop, where it must cost next to nothing. It holds no data: arguments that
    are large are read again from Dask.
    """

    __slots__ = ("_arguments", "_context", "_task", "_texts", "key", "state", "tap")

    def __init__(
        self, context: SinkContext, tap: CompiledTap, task: DaskTask, state: TaskState
    ) -> None:
        self.key: Any = task.key
        self.tap = tap
        self.state: TaskState = state
        self._context = context
        self._task = dask_internals.attempted_task(task)
        self._texts = dask_internals.error_of(task) if state == "failed" else ("", "")
        arguments = needed_arguments(tap, dask_internals.arguments_of(task))
        self._arguments: Arguments | None = None if held_by_arguments(arguments) else arguments

    def __repr__(self) -> str:
        return f"<SelectedTask {self.key!r} for {self.tap.layer!r}: {self.state}>"

    @property
    def run_id(self) -> int:
        """Dask's number of the attempt to run the task."""
        return self._task.run_id

    @property
    def identity(self) -> Hashable:
        """Task and layer."""
        return self.tap.layer, self.key

    def ended(self, state: TaskState) -> SelectedTask:
        """Return the task in the state in which it has ended."""
        other = object.__new__(SelectedTask)
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        other.state = state
        return other

    def shorten(self) -> None:
        """Let go of the traceback."""
        self._texts = self._texts[0], ""

    def statuses(self) -> list[TaskStatus]:
        """Return a status for each item that the task is to make; on the publisher's thread."""
        task, worker = self._task, self._context.worker.address
        provenance = Provenance(str(self.key), worker, task.run_id, task.start, task.stop)
        args, kwargs = self._readable_arguments()
        metas = expected_items(self.tap, self.key, provenance, args, kwargs, task.name)
        error, traceback = exception_line(self._texts[0]), traceback_end(self._texts[1])
        return [
            # A traceback is long, and the same for all items.
            TaskStatus(meta, self.state, error, "" if number else traceback)
            for number, meta in enumerate(metas)
        ]

    def _readable_arguments(self) -> Arguments:
        """Return the arguments; none if they are gone, or have code of their authors."""
        arguments = self._arguments
        if arguments is None:
            task = dask_internals.task_of(self._context.worker, self.key)
            if task is None:
                return (), {}
            arguments = needed_arguments(self.tap, dask_internals.arguments_of(task))
        return arguments if are_plain(arguments) else ((), {})
