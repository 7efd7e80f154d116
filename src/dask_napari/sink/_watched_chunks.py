"""Which task streams a chunk of a watched array, so that each chunk is streamed once.

A watched array passes on the chunks of another, its source. A tap on the source may select the
same chunks, and Dask may give them further names.
"""

from __future__ import annotations

from typing import Any

from dask_napari.sink._tasks import is_alias
from dask_napari.tap import Tap, TapSet


def comes_by_itself(taps: TapSet, tap: Tap, key: tuple[Any, ...], task: Any) -> bool:
    """Whether a tap on the source of a watched array streams the chunk already.

    Parameters
    ----------
    taps : TapSet
        Those in force.
    tap : Tap
        The one on the watched array.
    key : tuple
        Of the chunk.
    task : distributed.worker_state_machine.TaskState or None
        The task that has the chunk in hands.
    """
    return _source(taps, tap, key, task) is not None


def passed_on(taps: TapSet, tap: Tap, task: Any) -> bool:
    """Whether another task has streamed what a task ends with.

    Parameters
    ----------
    taps : TapSet
        Those in force.
    tap : Tap
        One that selects the output.
    task : distributed.worker_state_machine.TaskState
        The task.
    """
    if tap.chunks is None or not tap.chunks.source:
        return False
    # An alias stands for the task that made the chunk under another name, and showed it.
    return is_alias(task) or comes_by_itself(taps, tap, task.key, task)


def source_in_memory(taps: TapSet, tap: Tap, task: Any) -> bool:
    """Whether a chunk in memory is there as a chunk of its source too, which is tapped.

    Parameters
    ----------
    taps, tap, task
        See :func:`passed_on`.
    """
    source = _source(taps, tap, task.key, task)
    return source is not None and source.state == "memory"


def _source(taps: TapSet, tap: Tap, key: tuple[Any, ...], task: Any) -> Any:
    """The task of the same chunk of the source, if a tap shows that on the layer; else None."""
    chunks = tap.chunks
    if chunks is None or not chunks.source or task is None:
        return None
    if not taps.taps_array(chunks.source, tap.layer):
        return None
    wanted = (chunks.source, *key[1:])
    return next((other for other in task.dependencies if other.key == wanted), None)
