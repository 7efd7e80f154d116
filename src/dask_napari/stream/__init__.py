"""Items from publishers to a receiver. Knows neither Dask nor napari."""

from dask_napari.stream.board import Board
from dask_napari.stream.clients import Request
from dask_napari.stream.control import Control, ViewerGone
from dask_napari.stream.item import Calibration, Item, Kind, LayerSpec, Position, Provenance
from dask_napari.stream.ledger import Ledger, Tally
from dask_napari.stream.limits import Limits
from dask_napari.stream.outbox import Dropped, Entry, Policy
from dask_napari.stream.peer import PeerInfo
from dask_napari.stream.publisher import Publisher
from dask_napari.stream.receiver import Receiver
from dask_napari.stream.security import Security

__all__ = [
    "Board",
    "Calibration",
    "Control",
    "Dropped",
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
    "Request",
    "Security",
    "Tally",
    "ViewerGone",
]
