"""The wire: messages, packing, codecs, and their limits."""

from __future__ import annotations

from dask_napari.stream.wire._codec import Compressor
from dask_napari.stream.wire._compatibility import complaint, refusal
from dask_napari.stream.wire._foreign_messages import ForeignMessage, MalformedMessage
from dask_napari.stream.wire._keep_alive import keep_alive
from dask_napari.stream.wire._limits import (
    ITEM_COST,
    LEAST_ARENA,
    MESSAGE,
    Limits,
    Rejected,
    cost_of,
)
from dask_napari.stream.wire._packing import (
    DATA,
    Encode,
    arrays_of,
    as_it_is,
    pack,
    pack_frames,
    payload_size,
    unpack,
)
from dask_napari.stream.wire._zmq_context import open_context
from dask_napari.stream.wire.messages import PayloadPart

__all__ = [
    "DATA",
    "ITEM_COST",
    "LEAST_ARENA",
    "MESSAGE",
    "Compressor",
    "Encode",
    "ForeignMessage",
    "Limits",
    "MalformedMessage",
    "PayloadPart",
    "Rejected",
    "arrays_of",
    "as_it_is",
    "complaint",
    "cost_of",
    "keep_alive",
    "open_context",
    "pack",
    "pack_frames",
    "payload_size",
    "refusal",
    "unpack",
]
