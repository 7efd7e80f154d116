"""The sink: a worker plugin that copies tapped task outputs to the viewer.

The only package that touches the internals of ``distributed``. What it relies on:

- ``WorkerPlugin.transition`` is called on the event loop after a state change;
- ``worker.state.tasks[key]``: ``prefix``, ``run_spec`` (a :class:`dask._task_spec.Task`),
  ``run_id``, ``startstops``, ``nbytes``, ``state``;
- ``worker.data``: a mapping, with ``fast`` and ``slow`` where it can spill (zict mappings, which
  may be read from another thread);
- ``worker.security.require_encryption``;
- ``worker.scheduler.who_has(keys=)``: addresses of the workers that hold each output;
- ``worker.metrics``, called at each heartbeat; ``worker.monitor.get_process_memory()``, and
  ``worker.memory_manager`` with ``memory_limit`` and ``memory_{target,spill,pause}_fraction``;
- ``scheduler.task_prefixes[name].states``;
- ``dask._task_spec._execute_subgraph``, the function of fused tasks: its first arguments are the
  steps by key, and the last key;
- ``dask._task_spec.Alias``, the spec of a task that gives another's output a second name;
- in a task: ``get_worker()``, ``worker.active_threads`` (thread -> key), and the asyncio task of an
  asynchronous one, which is called ``execute(<key>)``.
"""

from __future__ import annotations

from dask_napari.sink._chunk_tasks import options_of, tapped
from dask_napari.sink._lifetime import SinkLifetime
from dask_napari.sink._plugin import SINK_NAME, NapariSink, memory_of_sinks
from dask_napari.sink._queries import known_tasks, worker_counts
from dask_napari.sink._show import show
from dask_napari.sink._taps_update import TapsUpdate
from dask_napari.sink._worker_sinks import show_chunk, show_here, sinks_here

__all__ = [
    "SINK_NAME",
    "NapariSink",
    "SinkLifetime",
    "TapsUpdate",
    "known_tasks",
    "memory_of_sinks",
    "options_of",
    "show",
    "show_chunk",
    "show_here",
    "sinks_here",
    "tapped",
    "worker_counts",
]
