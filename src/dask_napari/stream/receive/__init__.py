"""The receiving end of a stream: one thread, one socket, and the board."""

from __future__ import annotations

from dask_napari.stream.receive._board import Board
from dask_napari.stream.receive._clients import Request, plain
from dask_napari.stream.receive._cluster_link import ClusterLink
from dask_napari.stream.receive._peers import PeerInfo
from dask_napari.stream.receive._pool import IDLE_BYTES
from dask_napari.stream.receive._publishers import BEYOND
from dask_napari.stream.receive._receiver import ANY_IPC, Receiver

__all__ = [
    "ANY_IPC",
    "BEYOND",
    "IDLE_BYTES",
    "Board",
    "ClusterLink",
    "PeerInfo",
    "Receiver",
    "Request",
    "plain",
]
