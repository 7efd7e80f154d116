"""Compression of batches where it makes them arrive sooner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dask_napari.model import Item
from dask_napari.stream.auth import is_local
from dask_napari.stream.send._link_rate import LinkRate
from dask_napari.stream.wire import Compressor, Encode

TUNNEL: Final = 100e6
"""Bytes a second below which an address of this host is taken for the near end of a tunnel
(``ssh -L``): the loopback interface carries ten times as much on a bad day."""


class LinkCompression:
    """Codecs of one connection, chosen by the rate of its link."""

    def __init__(self, address: str, link: LinkRate) -> None:
        self._link = link
        self._same_host = is_local(address)
        self._never = address.startswith("ipc://")
        self._compressor = Compressor()

    def __repr__(self) -> str:
        return f"<LinkCompression: {self._compressor}>"

    def encoder(self, items: Sequence[Item], publishers: int) -> Encode:
        """Return the codec of a batch for a receiver that so many publishers share."""
        rate = self._link.limit
        if not self._may_pay(rate, publishers):
            rate = 0.0
        elif not rate:
            waits = sum(item.nbytes for item in items) > self._link.room
            # Not known yet, but this has to wait: better small. On a fast link that costs a
            # millisecond, once.
            rate = max(1.0, self._link.rate) if waits else 0.0
        return lambda item, array: self._compressor.encode(item.layer, item.kind, array, rate)

    def _may_pay(self, rate: float, publishers: int) -> bool:
        if self._never:
            return False
        # Within a host both ends share the processor, and compression only adds to its work;
        # unless it is the near end of a tunnel.
        return not self._same_host or 0 < rate < TUNNEL / publishers
