"""Outputs of tasks that have just ended."""

from __future__ import annotations

from typing import Any

from dask_napari.sink._context import SinkContext
from dask_napari.sink._outputs import kept
from dask_napari.sink._selection import Selection
from dask_napari.sink._tasks import chunk_within
from dask_napari.sink._watched_chunks import passed_on
from dask_napari.tap import Tap


class FinishedTasks:
    """Select what tasks end with; on the event loop, where it must cost next to nothing.

    Parameters
    ----------
    outlet : SinkContext
        Where outputs go.
    """

    def __init__(self, outlet: SinkContext) -> None:
        self._outlet = outlet

    def select(self, key: Any) -> None:
        """Put the output of a task into the queue if a tap wants it. Never raises.

        Parameters
        ----------
        key : str, bytes, int, float or tuple
            The task's key.
        """
        if not len(self._outlet.taps):
            return
        try:
            self._select(key)
        except BaseException as error:
            # SystemExit too: Dask would take one as the end of the worker. The task has succeeded
            # and stays so.
            self._outlet.failed(key, error)

    def _select(self, key: Any) -> None:
        outlet, taps = self._outlet, self._outlet.taps
        task = outlet.worker.state.tasks[key]
        chosen, chunk = outlet.select(taps, task), None
        if not chosen and taps.of_one_chunk:
            chunk = chunk_within(task.run_spec)
            if chunk is not None:
                chosen = taps.select(chunk, "", None, outlet.select_failed(key))
        if not chosen:
            return
        outlet.pause()
        for tap in chosen:
            if not passed_on(taps, tap, task):
                self._put(tap, task, chunk)

    def _put(self, tap: Tap, task: Any, chunk: Any) -> None:
        outlet = self._outlet
        try:
            value = outlet.worker.data[task.key]
            held = kept(value) if tap.copy == "eager" else value
            selection = Selection(tap, task, held, outlet.worker, outlet.report, chunk)
        except BaseException as error:
            outlet.refuse(tap, task.key, error)
        else:
            outlet.publisher.put(selection)
