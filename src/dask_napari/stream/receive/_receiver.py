"""The receiver: one thread and one ROUTER socket; it puts items on the board. No Qt."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Queue
from typing import Final

import zmq

from dask_napari.model import LayerSpec, Ledger, Report, all_to_come
from dask_napari.stream.auth import Security, check_address, local_keys, taken
from dask_napari.stream.receive._board import Board
from dask_napari.stream.receive._clients import Request
from dask_napari.stream.receive._cluster_link import ClusterLink
from dask_napari.stream.receive._peers import PeerInfo
from dask_napari.stream.receive._protocol import ReceiverProtocol
from dask_napari.stream.shm import janitor
from dask_napari.stream.wire import MESSAGE, Limits, keep_alive, open_context
from dask_napari.stream.wire import messages as wire
from dask_napari.system import HAS_IPC, RuntimeDirectory, Wakeup

logger = logging.getLogger(__name__)

ANY_IPC: Final = "ipc://*"

ANY_LOOPBACK: Final = "tcp://127.0.0.1:*"
"""Stands in for ``ipc://*``, if nothing else is wanted, where there are no such sockets."""

ROUND: Final = 64
"""Messages handled before replies and time-outs get their turn."""

WITHHELD_NAP: Final = 0.02
"""Seconds between looks at a full board; below the 33 ms in which the viewer drains it."""

HANDSHAKE_MS: Final = 5_000
"""Milliseconds for a connection to get through ZeroMQ's own handshake; then it is cut."""

OVERHEAD: Final = 1 << 10
"""Bytes by which encryption makes a frame longer, and more; CURVE takes some 40."""

LISTEN_TIMEOUT: Final = 10.0
"""Seconds for the thread to listen at more addresses; it may be in a large message."""

SWEEP_INTERVAL: Final = 1.0
"""Seconds between looks for segments of publishers that were killed in their handshake, when
segments have names. A look takes some 0.1 ms."""


class Receiver:
    """Receive items from publishers.

    Parameters
    ----------
    addresses : str or sequence of str
        ``ipc://`` and ``tcp://`` addresses to bind. ``ipc://*`` makes a socket in a private
        directory of this user, and is left out on Windows; port ``*`` or ``0`` takes any free one.
    board : Board
        Where items are put.
    security : Security, optional
        Keys and token, with the secret half. If not given, new ones are made, which publishers
        and clients of this user on this host find by themselves.
    insecure : bool
        Allow connections without keys: make none, and take addresses that other hosts can reach.
    limits : Limits
        What is granted.
    share_keys : bool
        Leave the clients' half of keys that are given where this user finds it on this host, too.

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
        share_keys: bool = False,
    ) -> None:
        wanted = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        if not HAS_IPC:
            wanted = tuple(a for a in wanted if a != ANY_IPC) or (wanted and (ANY_LOOPBACK,))
        if not wanted:
            raise ValueError("addresses is empty; give at least one, tcp://127.0.0.1:5577")
        for address in wanted:
            if address != ANY_IPC:
                check_address(address, security=security, insecure=insecure)
        self.addresses: tuple[str, ...] = wanted
        self.board = board
        self.limits: Limits = limits or Limits()
        made = security is None and not insecure
        self._security = Security.generate() if made else security
        self._share_keys = made or (share_keys and security is not None)
        self._outgoing: deque[tuple[bytes, wire.Message]] = deque()
        self.protocol: ReceiverProtocol = ReceiverProtocol(
            board, self.limits, self._security, self._send, self._post
        )
        self._sweep_at = 0.0
        self._to_listen: deque[tuple[str, Future[str]]] = deque()
        self._stop = False
        self._wakeup = Wakeup()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes]
        self._runtime: RuntimeDirectory | None = None
        self._keys: RuntimeDirectory | None = None
        self._files: list[Path] = []
        self._thread = threading.Thread(target=self._run, name="dask-napari-receiver", daemon=True)

    def __repr__(self) -> str:
        return f"<Receiver at {', '.join(self.addresses)}: {self.protocol}>"

    # -- any thread ------------------------------------------------------------------------

    def start(self) -> None:
        """Bind and start the thread.

        Raises OSError if an address is taken or cannot be bound; the message says what to do.
        """
        context = open_context()
        try:
            self._socket = context.socket(zmq.ROUTER)
            # A peer that is gone must be an error here, not a message that vanishes.
            self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
            self._socket.setsockopt(zmq.LINGER, 0)
            keep_alive(self._socket)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE + OVERHEAD)
            self._socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
            self._socket.setsockopt(zmq.IPV6, any("[" in a for a in self.addresses))
            self.addresses = tuple(self._bind(address) for address in self.addresses)
            if self._share_keys:
                assert self._security is not None
                self._keys = local_keys.leave(self.addresses, self._security)
        except BaseException:
            context.destroy(linger=0)
            self._release()
            raise
        self._context = context
        self._thread.start()

    def listen(self, addresses: Iterable[str]) -> None:
        """Listen at more addresses, with the keys that there are.

        Raises ValueError if an address is not usable, and OSError if it is taken.
        """
        wanted = [*addresses]
        for address in wanted:
            check_address(address, security=self._security, insecure=self._security is None)
        for address in wanted:
            bound: Future[str] = Future()
            self._to_listen.append((address, bound))
            self._wakeup.set()
            self.addresses = (*self.addresses, bound.result(LISTEN_TIMEOUT))

    def _listen_more(self) -> None:
        while self._to_listen:
            address, bound = self._to_listen.popleft()
            try:
                self._socket.setsockopt(zmq.IPV6, "[" in address)
                bound.set_result(self._bind(address))
            except OSError as error:
                bound.set_exception(error)

    def _bind(self, address: str) -> str:
        if address == ANY_IPC:
            self._runtime = self._runtime or RuntimeDirectory()
            address = self._runtime.socket("receiver")
        if address.startswith("tcp://") and address.endswith(":0"):
            address = address[:-1] + "*"
        try:
            if taken(address):
                raise zmq.ZMQError(errno.EADDRINUSE)
            if self._security is not None:
                self._security.secure_server(self._socket, address)
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

    @property
    def security(self) -> Security | None:
        """Keys and token, with the secret half; None if anybody may connect."""
        return self._security

    @property
    def rejected(self) -> Counter[str]:
        """Messages that could not be used, by one of a few reasons."""
        return self.protocol.rejected

    @property
    def requests(self) -> Queue[Request]:
        """Requests of clients to the viewer."""
        return self.protocol.clients.requests

    @property
    def cluster(self) -> ClusterLink:
        """The link to the client of a cluster, with the states of its tasks."""
        return self.protocol.clients.cluster

    def peers(self) -> list[PeerInfo]:
        """Return the publishers that have ever spoken to this receiver."""
        return self.protocol.publishers.infos()

    def layers(self) -> dict[str, LayerSpec]:
        """Return the layers declared by taps so far."""
        return self.protocol.publishers.layers()

    def begin_run(self) -> int:
        """Count the items that arrive from now on to a new run; return its number."""
        run = self.protocol.publishers.begin_run()
        self.cluster.tell([all_to_come()], run, 0)
        return run

    def run_numbers(self) -> dict[str, int]:
        """Return the runs by digests of the groups of publishers that fill them."""
        with self.protocol.publishers.lock:
            return self.protocol.publishers.runs.numbers

    def resume_runs(self, numbers: Mapping[str, int]) -> None:
        """Go on with the runs of an earlier receiver: before this one starts."""
        with self.protocol.publishers.lock:
            self.protocol.publishers.runs.resume(numbers)

    def known(self) -> dict[str, int]:
        """Return the number of tasks that will fill each layer, where somebody counted them."""
        return dict(self.protocol.clients.known)

    def ledger(self) -> Ledger:
        """Return the ledger by publisher and layer; with many of both it takes a while."""
        return self.protocol.publishers.ledger()

    def sums(self) -> Ledger:
        """Return the ledger by layer alone, which is cheap however many publishers there are."""
        return self.protocol.publishers.sums()

    def unmatched(self) -> list[str]:
        """Return a line for each tap that has matched no task on any worker."""
        return self.protocol.publishers.unmatched()

    def reports(self) -> list[tuple[str, Report]]:
        """Return the last report of each cause, with the name of the publisher that it is of."""
        return [*self.protocol.publishers.reports(), *self.protocol.clients.reports]

    def _post(self, identity: bytes, message: wire.Message) -> None:
        self._outgoing.append((identity, message))
        self._wakeup.set()

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        try:
            while not self._stop:
                nap = WITHHELD_NAP if self.protocol.withheld else self.limits.heartbeat / 2
                nap = min(nap, SWEEP_INTERVAL)
                ready = dict(poller.poll(int(nap * 1000)))
                self._wakeup.clear()
                if self._socket in ready:
                    self._receive()
                self._listen_more()
                while self._outgoing:
                    self.protocol.send(*self._outgoing.popleft())
                self.protocol.grant()
                self.protocol.expire()
                if (now := time.monotonic()) >= self._sweep_at:
                    self._sweep_at = now + SWEEP_INTERVAL
                    janitor.sweep()
                    self.protocol.clients.rates.look(now)
        except Exception:
            logger.exception("the receiver ended by an error")
        finally:
            self.protocol.close()
            assert self._context is not None
            self._context.destroy(linger=0)
            self._release()

    def _release(self) -> None:
        for path in self._files:  # not of addresses that turned out to be another's
            path.unlink(missing_ok=True)
        for directory in (self._runtime, self._keys):
            if directory is not None:
                directory.close()
        self._wakeup.close()

    def _receive(self) -> None:
        for _ in range(ROUND):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self.protocol.receive(frames[0].bytes, [frame.buffer for frame in frames[1:]])

    def _send(self, identity: bytes, message: wire.Message) -> bool:
        try:
            header = wire.encode(message)
        except (TypeError, ValueError, OverflowError) as error:
            # An answer of the viewer's that msgpack does not know; whoever asked must not wait.
            logger.exception("%s cannot be encoded", type(message).__name__)
            number = message.id if isinstance(message, wire.ReplyMessage) else 0
            header = wire.encode(wire.ReplyMessage(number, error=f"no answer: {error}"))
        try:
            self._socket.send_multipart([identity, header], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno not in (errno.EHOSTUNREACH, errno.EAGAIN):
                raise
            return False
        return True
