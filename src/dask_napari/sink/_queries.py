"""What a client asks about: the counts of a worker's sink, the tasks that a scheduler knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dask_napari.sink._plugin import SINK_NAME, NapariSink

if TYPE_CHECKING:
    from distributed import Scheduler, Worker


def worker_counts(sink: str = SINK_NAME, *, dask_worker: Worker) -> dict[str, Any]:
    """Counts of a worker's sink of that name, for ``client.run``; empty without one."""
    found = dask_worker.plugins.get(sink)
    return found.counts() if isinstance(found, NapariSink) else {}


def known_tasks(names: Sequence[str], dask_scheduler: Scheduler) -> dict[str, int]:
    """Tasks that the scheduler knows by name, done ones included, for ``run_on_scheduler``."""
    prefixes = dask_scheduler.task_prefixes
    return {name: sum(prefixes[name].states.values()) for name in names if name in prefixes}
