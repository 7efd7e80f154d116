"""Peers of a receiver: connections that come and go, and the publishers behind them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from dask_napari.model import Reports, Tally, TapMatches
from dask_napari.stream.receive._reassembly import Reassembly
from dask_napari.stream.shm import ArenaReader


@dataclass(slots=True, repr=False)
class KnownPublisher:
    """A publisher over all of its connections."""

    name: str
    instance: str = field(default_factory=lambda: uuid.uuid4().hex)  # another one: not known
    host: str = ""
    group: str = ""
    seq: int = 0  # of the last item that arrived
    items: int = 0
    nbytes: int = 0
    transport: str = "inline"
    alive: bool = True  # may still send: no BYE, no long silence
    heard: float = 0.0
    counts: dict[str, Tally] = field(default_factory=dict)  # its side, as of its last message
    layers: set[str] = field(default_factory=set)  # with counts or items
    selected: int = 0  # outputs, over all layers
    uncounted: set[str] = field(default_factory=set)  # layers with items and without counts
    reports: Reports = field(default_factory=Reports)
    taps: TapMatches = field(default_factory=TapMatches)
    runs_on: str = ""  # worker whose tasks it has told of and that may still run some

    def __repr__(self) -> str:
        state = "alive" if self.alive else "gone"
        return f"<KnownPublisher {self.name} at {self.host}, {state}: {self.items} items>"

    def side(self, layer: str) -> Tally:
        """Return its side of the ledger for a layer; when it is gone, what it held is lost."""
        counts = self.counts[layer]
        if self.alive or not counts.pending:
            return counts
        lost = counts.copy()
        lost.drop_pending("worker-lost")
        return lost


@dataclass(slots=True, repr=False)
class Peer:
    """One connection of a publisher."""

    identity: bytes  # ZeroMQ's routing id
    epoch: int  # messages of another connection are not for this one
    heard: float
    publisher: KnownPublisher
    allowance: int  # bytes of credit that are left; it may send while there are any
    established: bool = False  # has sent something after its HELLO
    number: int = 0  # of the last batch that arrived
    granted: int = 0  # number of the last batch whose arrival was acknowledged
    share: int = 0  # bytes of shared memory that it was granted
    unread: int = 0  # bytes that came since CREDIT was sent
    arena: ArenaReader | None = None
    ahead: Reassembly = field(default_factory=Reassembly)  # the next batch's parts so far

    def __repr__(self) -> str:
        return f"<Peer {self.publisher.name}: epoch {self.epoch}, {self.number} batches>"

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
