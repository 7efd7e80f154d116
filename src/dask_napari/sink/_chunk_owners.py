"""Which task streams a chunk of a watched array, so that each chunk is streamed once.

The tasks of a watched array pass on the chunks of another array, its source. A tap on the source
may select those chunks too, and Dask may give them further names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dask_napari.sink import dask_internals
from dask_napari.tap import CompiledTap, TapSet

if TYPE_CHECKING:
    from distributed.worker_state_machine import TaskState


def source_task(
    taps: TapSet, tap: CompiledTap, key: tuple[Any, ...], task: TaskState | None
) -> TaskState | None:
    """Return the task that made a chunk for the source, if a tap shows the source on the layer.

    The tap is one on the watched array; the key is that of the chunk which ``task`` has.
    """
    chunks = tap.chunks
    if chunks is None or not chunks.source or task is None:
        return None
    if not taps.taps_array(chunks.source, tap.layer):
        return None
    return dask_internals.dependency(task, (chunks.source, *key[1:]))


def is_streamed_elsewhere(taps: TapSet, tap: CompiledTap, task: TaskState) -> bool:
    """Return whether another task has streamed the output of a task that a tap selects."""
    if tap.chunks is None or not tap.chunks.source:
        return False
    # An alias stands for the task that made the chunk under another name, and showed it.
    return dask_internals.is_alias(task) or source_task(taps, tap, task.key, task) is not None


def is_source_stored(taps: TapSet, tap: CompiledTap, task: TaskState) -> bool:
    """Return whether a chunk in memory is there as a chunk of its source too, which is tapped."""
    source = source_task(taps, tap, task.key, task)
    return source is not None and dask_internals.is_stored(source)
