"""Whether the batches of a connection are compressed, by what its link carries."""

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
    """The codecs of one connection over a socket.

    Parameters
    ----------
    address : str
        Address of the receiver.
    link : LinkRate
        What is known of the way to it.
    """

    def __init__(self, address: str, link: LinkRate) -> None:
        self._link = link
        self._same_host = is_local(address)
        self._never = address.startswith("ipc://")
        self._compressor = Compressor()

    def encoder(self, items: Sequence[Item], publishers: int) -> Encode:
        """What compresses a batch, at the rate of the link as it is now.

        Parameters
        ----------
        items : sequence of Item
            The batch.
        publishers : int
            How many share the receiver.
        """
        rate = self._link.limit
        if not self._worth_a_thought(rate, publishers):
            rate = 0.0
        elif not rate:
            waits = sum(item.nbytes for item in items) > self._link.room
            # Not known yet, but this has to wait: better small. On a fast link that costs a
            # millisecond, once.
            rate = max(1.0, self._link.rate) if waits else 0.0
        return lambda item, array: self._compressor.encode(item.layer, item.kind, array, rate)

    def _worth_a_thought(self, rate: float, publishers: int) -> bool:
        if self._never:
            return False
        # Within a host both ends share the processor, and compression only adds to its work;
        # unless it is the near end of a tunnel.
        return not self._same_host or 0 < rate < TUNNEL / publishers
