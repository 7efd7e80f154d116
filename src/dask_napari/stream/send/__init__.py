"""The sending end of a stream: the publisher, its queue, its thread and its socket."""

from __future__ import annotations

from dask_napari.stream.send._entries import Entry
from dask_napari.stream.send._options import Transport, check_transport
from dask_napari.stream.send._publisher import Publisher

__all__ = [
    "Entry",
    "Publisher",
    "Transport",
    "check_transport",
]
