"""The sinks of the worker that runs the calling task."""

from __future__ import annotations

import functools
from collections.abc import Callable

from distributed import Worker, get_worker

from dask_napari.placement import Placement
from dask_napari.sink._outputs import kept
from dask_napari.sink._plugin import NapariSink, sinks_of
from dask_napari.tap import Tap


def sinks_here() -> list[NapariSink]:
    """Sinks of the worker that runs the calling task; empty outside of one.

    A task may use threads of its own: in a worker's process with nothing else in it (one under
    a nanny) they count as the task.
    """
    try:
        worker = get_worker()
    except ValueError:
        alone = [other for other in list(Worker._instances) if other.nanny]
        if len(alone) != 1:
            return []
        (worker,) = alone
    return sinks_of(worker)


def show_here(
    value: object, tap: Tap, where: Placement | Callable[[], Placement] | None = None
) -> bool:
    """Stream a value from inside a task to all viewers of its worker; see `NapariSink.show`.

    Parameters
    ----------
    value, tap, where
        See :meth:`NapariSink.show`.

    Returns
    -------
    bool
        Whether any viewer will show it; false outside of a worker and without a sink.
    """
    keep = functools.cache(lambda: kept(value))
    return any([sink.show(value, tap, where, keep) for sink in sinks_here()])


def show_chunk(source: str, numbers: tuple[int, ...], block: object) -> None:
    """Stream a chunk of a watched array to all viewers of the worker that runs the task.

    Parameters
    ----------
    source, numbers, block
        See :meth:`NapariSink.show_chunk`.
    """
    keep = functools.cache(lambda: kept(block))
    for sink in sinks_here():
        sink.show_chunk(source, numbers, block, keep)
