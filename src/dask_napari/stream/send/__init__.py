"""The sending end of a stream: the publisher, its queue, its thread and its socket."""

from __future__ import annotations

from dask_napari.stream.send._entries import Entry
from dask_napari.stream.send._options import Transport, check_transport
from dask_napari.stream.send._publisher import Publisher
from dask_napari.stream.send._task_notices import TaskNotice

__all__ = [
    "Entry",
    "Publisher",
    "TaskNotice",
    "Transport",
    "check_transport",
]
