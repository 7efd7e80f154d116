"""The receiver: one thread and one ROUTER socket; it puts items on the board. No Qt."""

from __future__ import annotations

import errno
import logging
import queue
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zmq

from dask_napari.stream import janitor
from dask_napari.stream import messages as wire
from dask_napari.stream.addresses import taken
from dask_napari.stream.arena import ArenaError, ArenaReader
from dask_napari.stream.batch import BadItem, unpack
from dask_napari.stream.board import Board
from dask_napari.stream.item import Item, LayerSpec
from dask_napari.stream.ledger import Ledger, Tally
from dask_napari.stream.peer import Peer, PeerInfo, Source
from dask_napari.stream.pool import BlockPool
from dask_napari.stream.runtime import RuntimeDirectory
from dask_napari.stream.security import Security, check_address
from dask_napari.stream.wakeup import Wakeup
from dask_napari.version import __version__

logger = logging.getLogger(__name__)

ANY_IPC: Final = "ipc://*"

GRANT_AT: Final = 1 << 20
"""Owed bytes at which CREDIT goes out at once: a quarter of a batch keeps the sender moving."""

ROUND: Final = 64
"""Messages handled before replies and time-outs get their turn."""

WITHHELD_NAP: Final = 0.02
"""Seconds between looks at a full board; below the 33 ms in which the viewer drains it."""

SWEEP_INTERVAL: Final = 1.0
"""Seconds between looks for segments of publishers that were killed in their handshake, when
segments have names. A look takes some 0.1 ms."""

MISSED_HEARTBEATS: Final = 4
"""Silent intervals after which a publisher is given up: one more than it waits itself, so that
the side that can reconnect notices first."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one receiver grants.

    Attributes
    ----------
    credit : int
        Bytes that one publisher may have on the way.
    frame : int
        Bytes of the largest payload frame, hence of the largest inline array.
    peers : int
        Connections at once.
    heartbeat : float
        Seconds between signs of life.
    """

    credit: int = 64 << 20
    frame: int = 4 << 30
    peers: int = 4096
    heartbeat: float = 2.0


@dataclass(frozen=True, slots=True)
class Request:
    """Something that a client asks of the viewer; answer once, from any thread."""

    name: str
    arguments: dict[str, Any]
    _answer: Callable[[dict[str, Any], str], None] = field(repr=False)

    def reply(self, result: dict[str, Any] | None = None) -> None:
        """Answer with values that msgpack can carry."""
        self._answer(result or {}, "")

    def fail(self, message: str) -> None:
        """Answer that it cannot be done, and why."""
        self._answer({}, message)


class _Rejected(Exception):
    """A message that cannot be used; the text is its reason in the counts."""


class Receiver:
    """Receive items from publishers.

    Parameters
    ----------
    addresses : str or sequence of str
        ``ipc://`` and ``tcp://`` addresses to bind. ``ipc://*`` makes a socket in a private
        directory of this user; port ``*`` or ``0`` takes any free one.
    board : Board
        Where items are put.
    security : Security, optional
        Keys and token, with the secret half.
    insecure : bool
        Allow plain TCP that other hosts can reach.
    limits : Limits
        What is granted.

    Raises
    ------
    ValueError
        If an address is not usable.

    Examples
    --------
    >>> with Receiver("tcp://127.0.0.1:*", Board()) as receiver:
    ...     receiver.ledger().total.selected
    0
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        board: Board,
        *,
        security: Security | None = None,
        insecure: bool = False,
        limits: Limits | None = None,
    ) -> None:
        wanted = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        if not wanted:
            raise ValueError("addresses is empty; give at least one, tcp://127.0.0.1:5577")
        for address in wanted:
            if address != ANY_IPC:
                check_address(address, security=security, insecure=insecure)
        self.addresses: tuple[str, ...] = wanted
        self.board = board
        self.limits = limits or Limits()
        self.rejected: Counter[str] = Counter()
        self.requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._security = security
        self._instance = uuid.uuid4().hex
        self._sources: dict[str, Source] = {}
        self._peers: dict[bytes, Peer] = {}
        self._clients: dict[bytes, None] = {}
        self._layers: dict[str, LayerSpec] = {}
        self._known: dict[str, int] = {}
        self._pool = BlockPool()
        self._epochs = 0
        self._lock = threading.Lock()
        self._outgoing: deque[tuple[bytes, wire.Message]] = deque()
        self._withheld = False
        self._sweep_at = 0.0
        self._stop = False
        self._wakeup = Wakeup()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes]
        self._runtime: RuntimeDirectory | None = None
        self._files: list[Path] = []
        self._thread = threading.Thread(target=self._run, name="dask-napari-receiver", daemon=True)

    # -- any thread ------------------------------------------------------------------------

    def start(self) -> None:
        """Bind and start the thread.

        Raises
        ------
        OSError
            If an address is taken or cannot be bound; the message says what to do.
        """
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._socket = context.socket(zmq.ROUTER)
            # A peer that is gone must be an error here, not a message that vanishes.
            self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.setsockopt(zmq.MAXMSGSIZE, self.limits.frame)
            self._socket.setsockopt(zmq.IPV6, any("[" in a for a in self.addresses))
            if self._security is not None:
                self._security.secure_server(self._socket)
            self.addresses = tuple(self._bind(address) for address in self.addresses)
        except BaseException:
            context.destroy(linger=0)
            self._release()
            raise
        self._context = context
        self._thread.start()

    def _bind(self, address: str) -> str:
        if address == ANY_IPC:
            self._runtime = self._runtime or RuntimeDirectory()
            address = self._runtime.socket("receiver")
        if address.startswith("tcp://") and address.endswith(":0"):
            address = address[:-1] + "*"
        try:
            if taken(address):
                raise zmq.ZMQError(errno.EADDRINUSE)
            self._socket.bind(address)
        except zmq.ZMQError as error:
            if error.errno == errno.EADDRINUSE:
                raise OSError(
                    errno.EADDRINUSE,
                    f"{address} is taken by another program; choose another port or path, or "
                    "port 0 for any free one",
                ) from error
            raise OSError(error.errno, f"cannot listen on {address}: {error}") from error
        bound = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        if bound.startswith("ipc://"):
            path = Path(bound.removeprefix("ipc://"))
            self._files.append(path)
            path.chmod(0o600)
        return bound

    def close(self) -> None:
        """End the thread and release the addresses; may be called again."""
        self._stop = True
        self._wakeup.set()
        if self._thread.ident is not None:
            self._thread.join()

    def __enter__(self) -> Receiver:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def peers(self) -> list[PeerInfo]:
        """The publishers that have ever spoken to this receiver."""
        with self._lock:
            return [
                PeerInfo(s.name, s.host, s.transport, s.alive, s.items, s.nbytes)
                for s in self._sources.values()
            ]

    def layers(self) -> dict[str, LayerSpec]:
        """Layers declared by taps so far."""
        with self._lock:
            return dict(self._layers)

    def known(self) -> dict[str, int]:
        """Number of tasks that will fill each layer, where somebody counted them."""
        with self._lock:
            return dict(self._known)

    def ledger(self) -> Ledger:
        """The ledger of all publishers, both sides."""
        with self._lock:
            here = self.board.tallies()
            keys = {*here, *((s.name, layer) for s in self._sources.values() for layer in s.counts)}
            nothing = Tally()
            return Ledger(
                {
                    (name, layer): source.tally(layer, here.get((name, layer), nothing))
                    for name, layer in sorted(keys)
                    if (source := self._sources.get(name))
                }
            )

    def want(self) -> None:
        """Ask all publishers for what is still in memory on their workers."""
        with self._lock:
            identities = list(self._peers)
        self._outgoing.extend((identity, wire.Want()) for identity in identities)
        self._wakeup.set()

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        try:
            while not self._stop:
                nap = WITHHELD_NAP if self._withheld else self.limits.heartbeat / 2
                nap = min(nap, SWEEP_INTERVAL)
                ready = dict(poller.poll(int(nap * 1000)))
                self._wakeup.clear()
                if self._socket in ready:
                    self._receive()
                while self._outgoing:
                    self._send(*self._outgoing.popleft())
                self._grant_all()
                self._expire()
                if (now := time.monotonic()) >= self._sweep_at:
                    self._sweep_at = now + SWEEP_INTERVAL
                    janitor.sweep()
        except Exception:
            logger.exception("the receiver ended by an error")
        finally:
            for peer in self._peers.values():
                peer.detach()
            assert self._context is not None
            self._context.destroy(linger=0)
            self._release()

    def _release(self) -> None:
        for path in self._files:  # not of addresses that turned out to be another's
            path.unlink(missing_ok=True)
        if self._runtime is not None:
            self._runtime.close()
        self._wakeup.close()

    def _receive(self) -> None:
        for _ in range(ROUND):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            identity = frames[0].bytes
            try:
                if len(frames) < 2:
                    raise _Rejected("no header")
                message = wire.decode_from_publisher(frames[1].buffer)
                self._handle(identity, message, frames[2:])
            except (wire.MalformedMessage, _Rejected) as error:
                self.rejected[str(error)] += 1
                logger.debug("message rejected: %s", error)
            except Exception as error:
                # Whatever a peer sends, the others' stream goes on.
                reason = f"error: {type(error).__name__}"
                if not self.rejected[reason]:
                    logger.exception("a message could not be handled")
                self.rejected[reason] += 1

    def _handle(
        self, identity: bytes, message: wire.FromPublisher, frames: list[zmq.Frame]
    ) -> None:
        if isinstance(message, wire.Hello):
            self._hello(identity, message)
            return
        if identity in self._clients:
            if not isinstance(message, wire.Request):
                raise _Rejected(f"{type(message).__name__} from a client")
            self._request(identity, message)
            return
        peer = self._peers.get(identity)
        if peer is None or peer.source is None:
            self._send(identity, wire.Refused("unknown peer", again=True))
            raise _Rejected("message from an unknown peer")
        peer.heard = time.monotonic()
        match message:
            case wire.Taps(layers=layers):
                self._declare(layers)
            case wire.Request():
                raise _Rejected("Request from a publisher")
            case _ if message.epoch != peer.epoch:
                raise _Rejected("message of another epoch")
            case wire.Batch():
                self._batch(peer, peer.source, message, frames)
            case wire.Status(counts=counts):
                self._count(peer.source, counts)
            case wire.Ping():
                self._send(identity, wire.Pong(peer.epoch))
            case wire.Offer():
                self._offer(peer, peer.source, message)
            case wire.Bye(counts=counts):
                self._count(peer.source, counts)
                peer.source.alive = False
                self._send(identity, wire.ByeAck(peer.epoch))
                self._forget(peer)

    def _hello(self, identity: bytes, hello: wire.Hello) -> None:
        if hello.wire != wire.WIRE_VERSION:
            older = "the cluster's workers" if hello.wire < wire.WIRE_VERSION else "the viewer"
            self._send(
                identity,
                wire.Refused(
                    f"the viewer (dask-napari {__version__}) speaks version {wire.WIRE_VERSION} "
                    f"of the wire, {hello.name} (dask-napari {hello.software}) version "
                    f"{hello.wire}: upgrade dask-napari on {older}"
                ),
            )
            raise _Rejected("another version of the wire")
        if self._security is not None and not self._security.check_token(hello.token):
            self._send(identity, wire.Refused("wrong token; pass security= of this viewer"))
            raise _Rejected("wrong token")
        if not hello.name or len(hello.name) > wire.NAME_LIMIT:
            raise _Rejected("name that is empty or too long")
        if len(self._peers) + len(self._clients) >= self.limits.peers:
            self._send(identity, wire.Refused(f"more than {self.limits.peers} connections"))
            raise _Rejected("too many connections")
        self._epochs += 1
        source = None
        if hello.role == "client":
            self._clients[identity] = None
        else:
            for old in [
                p for p in self._peers.values() if p.source and p.source.name == hello.name
            ]:
                self._forget(old)
            with self._lock:
                source = self._sources.setdefault(hello.name, Source(hello.name))
                source.host, source.alive, source.transport = hello.host, True, "inline"
            self._peers[identity] = Peer(identity, self._epochs, time.monotonic(), source)
        self._send(
            identity,
            wire.Welcome(
                wire.WIRE_VERSION,
                __version__,
                self._instance,
                self._epochs,
                source.seq if source else 0,
                self.limits.credit,
                self.limits.heartbeat,
            ),
        )

    def _offer(self, peer: Peer, source: Source, offer: wire.Offer) -> None:
        peer.detach()
        try:
            peer.arena = ArenaReader.attach(offer.name, offer.size)
        except (ArenaError, OSError, ValueError) as error:
            self._send(peer.identity, wire.Probe(peer.epoch, error=str(error)))
            return
        source.transport = "shared-memory"
        self._send(peer.identity, wire.Probe(peer.epoch, peer.arena.token))

    def _declare(self, layers: list[wire.LayerHeader]) -> None:
        with self._lock:
            for layer in layers:
                self._layers[layer.name] = LayerSpec(
                    layer.name,
                    layer.kind,
                    layer.axes,
                    layer.options,
                    layer.layouts,
                    layer.sizes,
                    layer.fill,
                )

    def _count(self, source: Source, counts: list[wire.Count]) -> None:
        with self._lock:
            source.counts.update((count.layer, count) for count in counts)

    # -- items -----------------------------------------------------------------------------

    def _payload(
        self, peer: Peer, batch: wire.Batch, frames: list[zmq.Frame]
    ) -> list[npt.NDArray[np.uint8]]:
        if batch.slot is None:
            return [np.frombuffer(frame.buffer, np.uint8) for frame in frames]
        if peer.arena is None:
            raise _Rejected("slot without an arena")
        try:
            return [peer.arena.view(batch.slot.offset, batch.slot.nbytes)]
        except (ArenaError, ValueError) as error:
            raise _Rejected("slot outside of the arena") from error

    def _copied(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        # The slot goes back at once, and nothing that the worker does later can change what is
        # shown. Array by array: copied as a whole, a batch would live as long as its last item.
        block = self._pool.empty(array.shape, array.dtype)
        np.copyto(block, array)
        return block

    def _unpack(
        self,
        source: Source,
        batch: wire.Batch,
        payload: list[npt.NDArray[np.uint8]],
    ) -> list[Item | tuple[str, str]]:
        """Items, or layer and reason of those that are malformed."""
        found: list[Item | tuple[str, str]] = []
        for header in batch.items:
            try:
                item = unpack(header, payload, source.name)
            except BadItem as error:
                found.append((header.layer, str(error)))
                continue
            if batch.slot is not None:
                item.data = self._copied(item.data)
                item.arrays = {name: self._copied(part) for name, part in item.arrays.items()}
            found.append(item)
        return found

    def _batch(
        self, peer: Peer, source: Source, batch: wire.Batch, frames: list[zmq.Frame]
    ) -> None:
        if batch.number != peer.number + 1:
            self._send(peer.identity, wire.Refused("a batch is missing", again=True))
            self._forget(peer)
            raise _Rejected("gap in the batches")
        try:
            payload = self._payload(peer, batch, frames)
        except _Rejected:
            self._send(peer.identity, wire.Refused("a batch without its bytes", again=True))
            self._forget(peer)
            raise
        nbytes = sum(part.nbytes for part in payload)
        found = self._unpack(source, batch, payload)
        # Both sides of the ledger change together, so that nobody reads one without the other.
        with self._lock:
            for each in found:
                if isinstance(each, Item):
                    self.board.put(each)
                else:
                    layer, reason = each
                    self.rejected[reason] += 1
                    self.board.reject(source.name, layer, f"malformed: {reason}")
            source.seq = max([source.seq, *(header.seq for header in batch.items)])
            source.counts.update((count.layer, count) for count in batch.counts)
            source.items += len(batch.items)
            source.nbytes += nbytes
        peer.number = batch.number
        peer.owed += nbytes
        if peer.owed >= GRANT_AT:
            self._grant(peer)

    def _grant(self, peer: Peer) -> None:
        # Slots come back whatever the viewer does; new bytes only while it keeps up.
        nbytes = 0 if self.board.full else peer.owed
        if nbytes or peer.granted != peer.number:
            peer.owed -= nbytes
            peer.granted = peer.number
            self._send(peer.identity, wire.Credit(peer.epoch, peer.number, nbytes))

    def _grant_all(self) -> None:
        for peer in [p for p in self._peers.values() if p.owed or p.granted != p.number]:
            self._grant(peer)
        self._withheld = any(peer.owed for peer in self._peers.values())

    # -- peers -----------------------------------------------------------------------------

    def _request(self, identity: bytes, request: wire.Request) -> None:
        def answer(result: dict[str, Any], error: str) -> None:
            self._outgoing.append((identity, wire.Reply(request.id, result, error)))
            self._wakeup.set()

        if request.name == "ledger":
            answer({"ledger": _plain(self.ledger())}, "")
        elif request.name == "known":
            known = request.arguments
            if not all(isinstance(n, int) for n in known.values()):
                raise _Rejected("counts that are not whole numbers")
            with self._lock:
                self._known.update(known)
            answer({}, "")
        elif request.name == "bye":
            self._clients.pop(identity, None)
            answer({}, "")
        else:
            self.requests.put(Request(request.name, request.arguments, answer))

    def _send(self, identity: bytes, message: wire.Message) -> None:
        try:
            self._socket.send_multipart([identity, wire.encode(message)], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno not in (errno.EHOSTUNREACH, errno.EAGAIN):
                raise
            # Gone, or so far behind with its reading that it is as good as gone.
            self._clients.pop(identity, None)
            if identity in self._peers:
                self._forget(self._peers[identity])

    def _forget(self, peer: Peer) -> None:
        peer.detach()
        with self._lock:
            self._peers.pop(peer.identity, None)

    def _expire(self) -> None:
        limit = time.monotonic() - MISSED_HEARTBEATS * self.limits.heartbeat
        for peer in [p for p in self._peers.values() if p.heard < limit]:
            if peer.source is not None:
                logger.info("nothing heard of %s; it may come back", peer.source.name)
                peer.source.alive = False
            self._forget(peer)


def _plain(ledger: Ledger) -> list[list[Any]]:
    return [
        [name, layer, t.selected, t.shown, t.coalesced, dict(t.dropped), t.pending]
        for (name, layer), t in ledger.tallies.items()
    ]
