"""The sending end of a stream: the publisher, its queue, its thread and its socket."""

from __future__ import annotations

from dask_napari.stream.send._outbox import Dropped, Entry
from dask_napari.stream.send._publisher import Publisher
from dask_napari.stream.send._sendable import UnsendableItem
from dask_napari.stream.send._transport import Transport, check_transport

__all__ = [
    "Dropped",
    "Entry",
    "Publisher",
    "Transport",
    "UnsendableItem",
    "check_transport",
]
