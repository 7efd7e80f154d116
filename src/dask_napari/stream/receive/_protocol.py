"""Answers of a receiver to each message, and its memory of its peers. No sockets."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from dask_napari._version import __version__
from dask_napari.model import TaskStatus, running_on
from dask_napari.stream.auth import Security
from dask_napari.stream.receive._board import Board
from dask_napari.stream.receive._clients import Clients
from dask_napari.stream.receive._decoding import BatchDecoder
from dask_napari.stream.receive._peers import KnownPublisher, Peer
from dask_napari.stream.receive._publishers import Publishers
from dask_napari.stream.shm import ArenaError, ArenaReader
from dask_napari.stream.wire import (
    ForeignMessage,
    Limits,
    MalformedMessage,
    Rejected,
    cost_of,
    refusal,
)
from dask_napari.stream.wire import messages as wire

logger = logging.getLogger(__name__)

GRANT_AT: Final = 1 << 20
"""Received bytes at which CREDIT goes out at once: a quarter of a batch keeps the sender moving."""

MISSED_HEARTBEATS: Final = 4
"""Silent intervals after which a publisher is given up: one more than it waits itself, so that
the side that can reconnect notices first."""

LOOKS: Final = 4
"""Looks for silent peers in an interval."""


class ReceiverProtocol:
    """One receiver's side of the wire; used by its thread alone.

    Nothing that a peer sends is believed, and no message of one peer stops the others: what
    cannot be used is counted in :attr:`rejected`, by one of a few reasons.
    ``send`` returns false if the peer is gone; ``post`` sends later, and from any thread.
    """

    def __init__(
        self,
        board: Board,
        limits: Limits,
        security: Security | None,
        send: Callable[[bytes, wire.Message], bool],
        post: Callable[[bytes, wire.Message], None],
    ) -> None:
        self.rejected: Counter[str] = Counter()
        self.publishers: Publishers = Publishers(limits, board)
        self.clients: Clients = Clients(limits, self.publishers, post, trusted=security is not None)
        self.peers: dict[bytes, Peer] = {}
        self.withheld: bool = False
        """Whether credit is owed that the board has no room for."""
        self._board = board
        self._limits = limits
        self._security = security
        self._transmit = send
        self._intake = BatchDecoder()
        self.epochs: int = 0
        """Connections so far."""
        self._owing: dict[bytes, Peer] = {}
        self._looked = 0.0

    def __repr__(self) -> str:
        return f"<ReceiverProtocol: {len(self.peers)} publishers, {len(self.clients)} clients>"

    def receive(self, identity: bytes, frames: Sequence[bytes | memoryview]) -> None:
        """Handle one message; never raises."""
        try:
            if not frames:
                raise Rejected("no header")
            self._handle(identity, frames)
        except Rejected as error:
            self._reject(str(error))
        except Exception as error:
            # Whatever a peer sends, the others' stream goes on.
            reason = f"error: {type(error).__name__}"
            if not self.rejected[reason]:
                logger.exception("a message could not be handled")
            self._reject(reason)
            self._hang_up(identity, "the viewer could not handle a message")

    def _reject(self, reason: str) -> None:
        self.rejected[reason] += 1
        logger.debug("message rejected: %s", reason)

    def _handle(self, identity: bytes, frames: Sequence[bytes | memoryview]) -> None:
        try:
            message = wire.decode_from_publisher(frames[0])
        except ForeignMessage as stranger:
            self._hang_up(identity, refusal(stranger), always=True)
            raise Rejected("another version of the wire") from stranger
        except MalformedMessage as error:
            # Left unanswered it would be sent again, or waited for, for ever.
            self._hang_up(identity, f"{error}; please report this")
            raise Rejected(str(error)) from error
        if isinstance(message, wire.Hello):
            self._hello(identity, message)
            return
        if identity in self.clients:
            if not isinstance(message, wire.RequestMessage):
                raise Rejected("message of a publisher from a client")
            self.clients.ask(identity, message, len(frames[0]))
            return
        peer = self.peers.get(identity)
        if peer is None:
            self.send(identity, wire.Refused("unknown peer", again=True))
            raise Rejected("message from an unknown peer")
        peer.heard = peer.publisher.heard = time.monotonic()
        peer.established = True
        match message:
            case wire.Taps(layers=layers):
                self.publishers.declare(layers)
            case wire.RequestMessage():
                raise Rejected("request from a publisher")
            case _ if message.epoch != peer.epoch:
                raise Rejected("message of another epoch")
            case wire.PayloadPart():
                self._part(peer, message, frames)
            case wire.Batch():
                self._batch(peer, message, frames)
            case wire.Status(counts=counts, reports=reports, taps=taps, tasks=tasks):
                peer.publisher.taps = taps or peer.publisher.taps
                if tasks:
                    peer.publisher.runs_on = tasks[0].meta.provenance.worker
                    self._tell(peer.publisher, tasks, len(frames[0]))
                for report in reports:
                    peer.publisher.reports.take(report)
                self.publishers.count(peer.publisher, counts)
            case wire.Ping():
                self.send(identity, wire.Pong(peer.epoch))
            case wire.Offer():
                self._offer(peer, message)
            case wire.Bye(counts=counts):
                self._lose(peer)
                self.publishers.count(peer.publisher, counts)
                # Last: who has the answer reads the ledger, and finds all of it.
                self.send(identity, wire.ByeAck(peer.epoch))

    # -- who is there ----------------------------------------------------------------------

    def _hello(self, identity: bytes, hello: wire.Hello) -> None:
        if hello.wire != wire.WIRE_VERSION:
            self._hang_up(identity, refusal(hello), always=True)
            raise Rejected("another version of the wire")
        if self._security is not None and not self._security.check_token(hello.token):
            self._hang_up(
                identity, "wrong token; pass security= of this viewer (see --help)", always=True
            )
            raise Rejected("wrong token")
        if not hello.name:
            raise Rejected("name that is empty")
        self.clients.forget(identity)
        if identity in self.peers:
            self._lose(self.peers[identity])
        self.epochs += 1
        instance, received, credit, share = "", 0, 0, 0
        if hello.role == "client":
            self.clients.admit(identity)
        else:
            peer = self._connect(identity, hello)
            instance, received = peer.publisher.instance, peer.publisher.seq
            credit, share = peer.allowance, peer.share
        version, beat, frame = wire.WIRE_VERSION, self._limits.heartbeat, self._limits.frame
        welcome = wire.Welcome(
            version, __version__, instance, self.epochs, received, credit, beat, frame, share
        )
        self.send(identity, welcome)

    def _connect(self, identity: bytes, hello: wire.Hello) -> Peer:
        """Take a publisher on."""
        for old in [p for p in self.peers.values() if p.publisher.name == hello.name]:
            self.forget(old)
        try:
            if len(self.peers) >= self._limits.peers:
                self._make_room()
            publisher = self.publishers.arrive(hello.name, hello.host, hello.group)
        except Rejected as error:
            self.send(identity, wire.Refused(f"{error}; restart the viewer if they are yours"))
            raise
        now = publisher.heard = time.monotonic()
        credit = self._limits.fair_credit(len(self.peers) + 1)
        granted = sum(peer.share for peer in self.peers.values())
        share = self._limits.next_arena(granted)
        peer = Peer(identity, self.epochs, now, publisher, credit, share=share)
        self.peers[identity] = peer
        return peer

    def _make_room(self) -> None:
        """Give up the oldest peer that has said HELLO and nothing since, as no sink does."""
        idle = next((peer for peer in self.peers.values() if not peer.established), None)
        if idle is None:
            raise Rejected("too many connections")
        self._lose(idle)

    def send(self, identity: bytes, message: wire.Message) -> None:
        """Send a message, or forget a peer that is gone."""
        if not self._transmit(identity, message):
            # Gone, or so far behind with its reading that it is as good as gone.
            self.clients.forget(identity)
            if identity in self.peers:
                self.forget(self.peers[identity])

    def _hang_up(self, identity: bytes, reason: str, *, always: bool = False) -> None:
        """Tell a peer that it is not listened to any more, and why; strangers only ``always``."""
        peer = self.peers.get(identity)
        if peer is not None:
            self.forget(peer)
        if always or peer is not None:
            self.send(identity, wire.Refused(reason))

    def forget(self, peer: Peer) -> None:
        """End a connection; its publisher may come back, and is given up otherwise."""
        peer.detach()
        self._owing.pop(peer.identity, None)
        with self.publishers.lock:
            self.peers.pop(peer.identity, None)

    def _lose(self, peer: Peer) -> None:
        self._give_up(peer.publisher)
        self.forget(peer)

    def _give_up(self, publisher: KnownPublisher) -> None:
        """Give a publisher up, unless it comes again, and with it the tasks that it ran."""
        self.publishers.lose(publisher)
        if publisher.runs_on:
            self._tell(publisher, [running_on(publisher.runs_on)], len(publisher.runs_on))
            publisher.runs_on = ""

    def _tell(self, publisher: KnownPublisher, tasks: Sequence[TaskStatus], size: int) -> None:
        """Hand states of tasks to the viewer, which came in so many bytes."""
        self.clients.cluster.tell(tasks, self.publishers.run_of(publisher.group), size)

    def expire(self) -> None:
        """Give up publishers that have been silent for too long."""
        now = time.monotonic()
        if now - self._looked < self._limits.heartbeat / LOOKS:
            return
        self._looked = now
        limit = now - MISSED_HEARTBEATS * self._limits.heartbeat
        for peer in [p for p in self.peers.values() if p.heard < limit]:
            logger.info("nothing heard of %s; it may come back", peer.publisher.name)
            self._lose(peer)
        for publisher in self.publishers:
            if publisher.alive and publisher.heard < limit:
                self._give_up(publisher)

    def close(self) -> None:
        """Let go of all arenas."""
        for peer in self.peers.values():
            peer.detach()

    # -- items -----------------------------------------------------------------------------

    def _offer(self, peer: Peer, offer: wire.Offer) -> None:
        peer.detach()
        try:
            peer.arena = ArenaReader.attach(offer.name, offer.size)
        except (ArenaError, OSError, ValueError, OverflowError) as error:
            self.send(peer.identity, wire.Probe(peer.epoch, error=str(error)))
            return
        peer.publisher.transport = "shared-memory"
        self.send(peer.identity, wire.Probe(peer.epoch, peer.arena.token))

    def _part(
        self, peer: Peer, part: wire.PayloadPart, frames: Sequence[bytes | memoryview]
    ) -> None:
        try:
            self._expect(peer, part.number)
            if len(frames) != 2:
                raise Rejected("part without its bytes")
            self._intake.part(peer.ahead, part, frames[1], self._limits.frame)
        except Rejected as error:
            self._break_off(peer, str(error))
            raise
        peer.number = part.number
        self._spend(peer, cost_of(len(frames[1]), len(frames[0]), 0))

    def _expect(self, peer: Peer, number: int) -> None:
        if number != peer.number + 1:
            raise Rejected("gap in the batches")
        if peer.allowance <= 0:
            raise Rejected("more than the credit")

    def _break_off(self, peer: Peer, reason: str) -> None:
        """End a connection whose publisher should come again: it sends what was not received."""
        self.send(peer.identity, wire.Refused(reason, again=True))
        if peer.identity in self.peers:
            self.forget(peer)

    def _batch(self, peer: Peer, batch: wire.Batch, frames: Sequence[bytes | memoryview]) -> None:
        try:
            self._expect(peer, batch.number)
            if batch.expansion > self._limits.frame:
                raise Rejected("batch that decodes to too much")
            payload = self._intake.payload(peer, batch, frames[1:])
        except Rejected as error:
            self._break_off(peer, str(error))
            raise
        nbytes = sum(part.nbytes for part in payload)
        publisher = peer.publisher
        outputs = self._intake.items(publisher.name, batch, payload)
        # Refused altogether, the batch would be sent again, for ever.
        with self.publishers.lock:
            self.rejected += self.publishers.receive(publisher, outputs, batch.counts)
            publisher.seq = max([publisher.seq, *(header.seq for header in batch.items)])
            publisher.nbytes += nbytes
            peer.number = batch.number
        # What came ahead in parts was paid for with them.
        paid = (0 if batch.frames else nbytes) + batch.expansion
        self._spend(peer, cost_of(paid, len(frames[0]), len(batch.items)))

    def _spend(self, peer: Peer, cost: int) -> None:
        peer.allowance -= cost
        peer.unread += cost
        self._owing[peer.identity] = peer
        if peer.unread >= GRANT_AT:
            self._grant(peer)

    def _grant(self, peer: Peer) -> None:
        # Slots come back whatever the viewer does; new bytes only while it keeps up, and no more
        # than its share when others have come since.
        owed = max(0, self._limits.fair_credit(len(self.peers)) - peer.allowance)
        nbytes = 0 if self._board.full else owed
        if nbytes or peer.granted != peer.number:
            peer.allowance += nbytes
            peer.granted = peer.number
            peer.unread = 0
            credit = wire.Credit(peer.epoch, peer.number, nbytes, len(self.peers))
            self.send(peer.identity, credit)
        if nbytes == owed:
            self._owing.pop(peer.identity, None)

    def grant(self) -> None:
        """Give credit back for what has been taken in."""
        for peer in list(self._owing.values()):
            self._grant(peer)
        self.withheld = bool(self._owing)
