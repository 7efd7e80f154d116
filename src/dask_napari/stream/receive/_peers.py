"""What a receiver knows of the other ends: connections that come and go, and their sources."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from dask_napari.model import Reports, Tally
from dask_napari.stream.receive._reassembly import Reassembly
from dask_napari.stream.shm import ArenaReader


@dataclass(slots=True, repr=False)
class KnownPublisher:
    """A publisher over all of its connections.

    Attributes
    ----------
    name : str
        The publisher's name.
    instance : str
        Tells the publisher whether it is still known: another one means that it is not.
    seq : int
        Number of the last item that arrived.
    counts : dict of str to Tally
        The publisher's side of the ledger, by layer, as of its last message.
    alive : bool
        Whether it may still send; false after BYE and after too long a silence.
    layers : set of str
        Layers that it has counts or items of.
    selected : int
        Outputs that it has selected, over all layers.
    uncounted : set of str
        Layers that it has sent items of and no counts.
    reports : Reports
        The last error of each cause on it.
    """

    name: str
    instance: str = field(default_factory=lambda: uuid.uuid4().hex)
    host: str = ""
    seq: int = 0
    items: int = 0
    nbytes: int = 0
    transport: str = "inline"
    alive: bool = True
    heard: float = 0.0
    counts: dict[str, Tally] = field(default_factory=dict)
    layers: set[str] = field(default_factory=set)
    selected: int = 0
    uncounted: set[str] = field(default_factory=set)
    reports: Reports = field(default_factory=Reports)

    def __repr__(self) -> str:
        state = "alive" if self.alive else "gone"
        return f"<KnownPublisher {self.name} at {self.host}, {state}: {self.items} items>"

    def side(self, layer: str) -> Tally:
        """Return its side of the ledger for a layer; when it is gone, what it held is lost."""
        counts = self.counts[layer]
        if self.alive or not counts.pending:
            return counts
        lost = counts.copy()
        lost.dropped["worker-lost"] += lost.pending
        lost.pending = 0
        return lost


@dataclass(slots=True)
class Peer:
    """One connection.

    Attributes
    ----------
    identity : bytes
        ZeroMQ routing id.
    epoch : int
        Number of the connection; messages of another one are not for it.
    number : int
        Number of the last batch that arrived.
    allowance : int
        Bytes of credit that it has not used; it may send while there are any.
    share : int
        Bytes of shared memory that it was granted.
    unread : int
        Bytes that came since CREDIT was sent.
    established : bool
        Whether it has sent anything after its HELLO.
    granted : int
        Number of the last batch whose arrival was acknowledged.
    ahead : Reassembly
        Payload of the next batch, as far as it has come in parts.
    """

    identity: bytes
    epoch: int
    heard: float
    source: KnownPublisher
    allowance: int
    established: bool = False
    number: int = 0
    granted: int = 0
    share: int = 0
    unread: int = 0
    arena: ArenaReader | None = None
    ahead: Reassembly = field(default_factory=Reassembly)

    def detach(self) -> None:
        """Let go of the arena, and of a payload that is not complete."""
        self.ahead = Reassembly()
        if self.arena is not None:
            self.arena.close()
            self.arena = None


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """A publisher as the dock shows it."""

    name: str
    host: str
    transport: str
    alive: bool
    items: int
    nbytes: int
