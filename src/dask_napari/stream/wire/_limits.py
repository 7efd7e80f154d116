"""Limits of what one receiver grants and holds, and the error for messages beyond them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ITEM_COST: Final = 1 << 10
"""Bytes that an item without any pixels costs its receiver; so credit bounds tiny items too."""

LEAST_CREDIT: Final = 8 << 20
"""Bytes of the smallest share: two batches, so that both ends are busy."""

LEAST_ARENA: Final = 12 << 20
"""The same in shared memory: the window of a connection and one more batch. Larger items go
inline."""

MESSAGE: Final = 64 << 20
"""Bytes of the largest frame on a socket; larger payloads come in parts. ZeroMQ takes a frame in
before anybody is asked who sends it, so this is what a stranger can make a receiver hold."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of what one receiver grants its peers, and holds of them.

    Memory that peers can make a receiver hold is bounded by these, and for each message by the
    limits in :mod:`~dask_napari.stream.wire.messages`. Pictures that were shown are the viewer's.

    Attributes
    ----------
    credit, total_credit : int
        Bytes that one publisher, and all of them, may have on the way. With many publishers
        each gets an even share, but two batches in any case.
    arena, total_arena : int
        Bytes of the arena of one publisher, and of all of them: each takes memory of its host,
        which with a viewer and many workers on one host is the same for all.
    frame : int
        Bytes of the largest payload, hence of the largest inline array.
    peers : int
        Connections of publishers at once.
    clients : int
        Clients remembered; beyond it the one that has been silent for longest is forgotten, and
        welcome to introduce itself again.
    requests : int
        Requests that wait for the viewer.
    layers : int
        Layers that taps declare, over all publishers.
    specs : int
        Bytes of what they say of their layers.
    publishers : int
        Publishers remembered, those that have ended included.
    ended : int
        Those of them that have ended; the counts of older ones are added up.
    tallies : int
        Counts kept, one for each layer of each publisher; besides, each may have one of what there
        was no room for.
    heartbeat : float
        Seconds between signs of life.
    """

    credit: int = 64 << 20
    total_credit: int = 1 << 30
    arena: int = 64 << 20
    total_arena: int = 2 << 30
    frame: int = 4 << 30
    peers: int = 4096
    clients: int = 256
    requests: int = 64
    layers: int = 1024
    specs: int = 64 << 20
    publishers: int = 8192
    ended: int = 1024
    tallies: int = 65_536
    heartbeat: float = 2.0

    def fair_credit(self, peers: int) -> int:
        """Credit of each of so many publishers.

        >>> Limits().fair_credit(1) >> 20, Limits().fair_credit(200) >> 20
        (64, 8)
        """
        return min(self.credit, max(LEAST_CREDIT, self.total_credit // max(1, peers)))

    def next_arena(self, granted: int) -> int:
        """Size of the next arena when so many bytes are granted already.

        Arenas cannot shrink later, so early ones leave room: each gets an eighth of what is left.
        With 64 MiB each, 200 workers on one host would take 12.8 GiB of its memory.

        >>> Limits().next_arena(0) >> 20, Limits().next_arena(2 << 30) >> 20
        (64, 12)
        """
        return min(self.arena, max(LEAST_ARENA, (self.total_arena - granted) // 8))


class Rejected(Exception):
    """A message that cannot be used; the reason has nothing of what the peer wrote."""


def cost_of(payload: int, header: int, items: int) -> int:
    """Return the bytes of credit that a batch takes; both ends compute them.

    >>> cost_of(payload=4096, header=200, items=1)
    5320
    """
    return payload + header + ITEM_COST * items
