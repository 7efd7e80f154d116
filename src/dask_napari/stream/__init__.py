"""Items from publishers to a receiver. Knows neither Dask nor napari."""

from __future__ import annotations

from dask_napari.model import Policy
from dask_napari.model._item import Item
from dask_napari.model._item_meta import Calibration, Provenance
from dask_napari.model._layer import Kind, LayerSpec
from dask_napari.model._ledger import Ledger, Tally
from dask_napari.model._position import Position
from dask_napari.model._refusal import Refusal
from dask_napari.stream._viewer_client import Control, ViewerGone
from dask_napari.stream.auth._security import Security
from dask_napari.stream.receive._board import Board
from dask_napari.stream.receive._clients import Request
from dask_napari.stream.receive._peers import PeerInfo
from dask_napari.stream.receive._receiver import Receiver
from dask_napari.stream.send._outbox import Entry
from dask_napari.stream.send._publisher import Publisher
from dask_napari.stream.wire._limits import Limits

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
