"""The sinks of one worker: of the one that runs the calling task, or one that a client asks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dask_napari.placement import Placement
from dask_napari.sink import dask_internals
from dask_napari.sink._napari_sink import SINK_NAME, NapariSink, sinks_of
from dask_napari.sink._snapshots import snapshot
from dask_napari.sink._task_values import TaskValues
from dask_napari.tap import Tap

if TYPE_CHECKING:
    from distributed import Worker


def current_sinks() -> list[NapariSink]:
    """Return the sinks of the worker that runs the calling task; empty outside of one."""
    worker = dask_internals.current_worker()
    return [] if worker is None else sinks_of(worker)


def show_in_sinks(
    value: object, tap: Tap, where: Placement | Callable[[], Placement] | None = None
) -> bool:
    """Stream a value from inside a task to all viewers of its worker; see `TaskValues.show`.

    Returns whether any viewer will show it; false outside of a worker and without a sink.
    """
    takers = _current_values()
    if not takers:
        return False
    compiled, copy = tap.compile(), functools.cache(lambda: snapshot(value))
    return any([values.show(value, compiled, where, copy) for values in takers])


def show_chunk(source: str, numbers: tuple[int, ...], block: object) -> None:
    """Stream a chunk of a watched array to all viewers of its worker."""
    copy = functools.cache(lambda: snapshot(block))
    for values in _current_values():
        values.show_chunk(source, numbers, block, copy)


def _current_values() -> list[TaskValues]:
    return [sink.task_values for sink in current_sinks() if sink.task_values is not None]


def worker_counts(sink: str = SINK_NAME, *, dask_worker: Worker) -> dict[str, Any]:
    """Return the counts of a worker's sink of that name, for ``client.run``; empty without one."""
    return next((found.counts() for found in sinks_of(dask_worker) if found.name == sink), {})
