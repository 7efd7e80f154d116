"""Items from publishers to a receiver. Knows neither Dask nor napari."""

from __future__ import annotations

from dask_napari.model import (
    Calibration,
    Item,
    Kind,
    LayerSpec,
    Ledger,
    Policy,
    Position,
    Provenance,
    Refusal,
    Tally,
)
from dask_napari.stream._viewer_client import Control, ViewerGone
from dask_napari.stream.auth import Security
from dask_napari.stream.receive import Board, PeerInfo, Receiver, Request
from dask_napari.stream.send import Entry, Publisher
from dask_napari.stream.wire import Limits

__all__ = [
    "Board",
    "Calibration",
    "Control",
    "Entry",
    "Item",
    "Kind",
    "LayerSpec",
    "Ledger",
    "Limits",
    "PeerInfo",
    "Policy",
    "Position",
    "Provenance",
    "Publisher",
    "Receiver",
    "Refusal",
    "Request",
    "Security",
    "Tally",
    "ViewerGone",
]
