"""The sink: a worker plugin that copies tapped task outputs to the viewer.

Dask's internals are touched in :mod:`dask_napari.sink.dask_internals`, and those of its scheduler
in :mod:`dask_napari.sink.scheduler_internals`, alone.
"""

from __future__ import annotations

from dask_napari.sink._lifetime import SinkLifetime
from dask_napari.sink._napari_sink import SINK_NAME, NapariSink, memory_of_sinks
from dask_napari.sink._output_shapes import output_shapes
from dask_napari.sink._portable import PortableFunction
from dask_napari.sink._sent_taps import SentTap, unusable
from dask_napari.sink._show import show
from dask_napari.sink._taps_update import TapsUpdate
from dask_napari.sink._watched_arrays import tapped, variable_options
from dask_napari.sink._worker_sinks import current_sinks, show_in_sinks, worker_counts
from dask_napari.sink.scheduler_internals import TapTasks, TaskChange, TaskWatch

__all__ = [
    "SINK_NAME",
    "NapariSink",
    "PortableFunction",
    "SentTap",
    "SinkLifetime",
    "TapTasks",
    "TapsUpdate",
    "TaskChange",
    "TaskWatch",
    "current_sinks",
    "memory_of_sinks",
    "output_shapes",
    "show",
    "show_in_sinks",
    "tapped",
    "unusable",
    "variable_options",
    "worker_counts",
]
