"""One connection of a publisher: handshake, arena, credit and what is in flight."""

from __future__ import annotations

import logging
import os
import socket as host
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import zmq

from dask_napari.stream import messages as wire
from dask_napari.stream.arena import Arena, ArenaError, Slot
from dask_napari.stream.batch import pack, pack_frames, payload_size
from dask_napari.stream.item import Item, LayerSpec
from dask_napari.stream.outbox import Dropped, Outbox
from dask_napari.stream.security import Security
from dask_napari.version import __version__

logger = logging.getLogger(__name__)

Transport = Literal["auto", "shared-memory", "inline"]


def check_transport(transport: str) -> None:
    """Refuse a transport that there is not.

    Raises
    ------
    ValueError
        With those that there are.
    """
    if transport not in get_args(Transport):
        raise ValueError(
            f"transport={transport!r} is unknown; use 'auto', 'shared-memory' or 'inline'"
        )


BATCH_BYTES: Final = 4 << 20
"""A batch is closed at so many bytes: larger ones gain no speed and delay their first item."""

ARENA_WINDOW: Final = 8 << 20
"""Bytes of slots that may be with the receiver, and two batches whatever their size. It copies a
batch in under a millisecond, so two keep both ends busy; more would only spread the same copies
over memory that is not in the processor's cache (64 MiB in flight cost a third of the speed)."""

BATCH_ITEMS: Final = 64
"""A batch is closed at so many items: the cost of a message is spread thin by then."""

HANDSHAKE_TIMEOUT: Final = 3.0
"""Seconds; a receiver answers a HELLO in well under one even when it copies at full speed."""

MISSED_HEARTBEATS: Final = 3
"""Silent intervals after which a connection is given up."""

STATUS_INTERVAL: Final = 0.25
"""Seconds between counts that travel without a batch; a person reads them."""


class ConnectionLost(Exception):
    """The connection ended; ``again`` says whether to come back at once."""

    def __init__(self, reason: str, *, again: bool = False, final: bool = False) -> None:
        super().__init__(reason)
        self.again = again
        self.final = final


@dataclass(slots=True)
class _Flight:
    number: int
    items: list[Item]
    slot: Slot | None
    nbytes: int


class Connection:
    """A DEALER socket on its way through HELLO, OFFER, BATCH ... and BYE.

    Used by the publisher's thread alone.

    Parameters
    ----------
    context : zmq.Context
        Owned by the publisher.
    address : str
        ``ipc://`` or ``tcp://`` address of a receiver.
    name : str
        Name of the publisher, the same over all of its connections.
    outbox : Outbox
        Where items come from.
    numbers : iterator of int
        Gives the sequence numbers of items.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        name: str,
        outbox: Outbox,
        numbers: Iterator[int],
        *,
        security: Security | None,
        transport: Transport,
        arena_bytes: int,
    ) -> None:
        self.address = address
        self.transport: Literal["shared-memory", "inline"] = "inline"
        self.instance = ""
        self.received = 0
        self.wanted = False
        """The receiver asked for what is still in memory; reset by the publisher."""
        self._outbox = outbox
        self._numbers = numbers
        self._name = name
        self._security = security
        self._choice = transport
        self._arena_bytes = arena_bytes
        self._arena: Arena | None = None
        self._use_arena = False
        self._epoch = 0
        self._credit = 0
        self._number = 0
        self._loaded: deque[Item] = deque()
        self._formed: list[Item] = []
        self._flight: deque[_Flight] = deque()
        self._flying = 0
        self._heartbeat = HANDSHAKE_TIMEOUT / MISSED_HEARTBEATS
        self._said_bye = False
        self.open = False
        self.closed = False
        self.socket = context.socket(zmq.DEALER)
        # Credit bounds what is queued, so ZeroMQ's own limit would only add a way to block.
        self.socket.setsockopt(zmq.SNDHWM, 0)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        self.socket.setsockopt(zmq.LINGER, 0)
        if security is not None:
            security.secure_client(self.socket)
        # Tells at once that the receiver ended; its silence alone would tell after seconds.
        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.socket.connect(address)
        self._heard = self._spoke = self._told = self._pinged = time.monotonic()
        self._send(
            wire.Hello(
                wire.WIRE_VERSION,
                __version__,
                "publisher",
                name,
                security.token if security else "",
                host.gethostname(),
                os.getpid(),
            )
        )

    # -- receiving -------------------------------------------------------------------------

    def receive(self) -> None:
        """Handle all messages that have come.

        Raises
        ------
        ConnectionLost
            If the receiver does not want this publisher, speaks another wire or has ended.
        """
        ended = self.monitor.poll(0)  # before the last messages are read
        while True:
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._heard = time.monotonic()
            try:
                message = wire.decode_from_receiver(frames[0])
            except wire.MalformedMessage as error:
                raise ConnectionLost(f"{self.address} sent a {error}", final=True) from error
            self._handle(message)
        if ended and not self.closed:
            hint = "" if self.open else " before it answered; has it other keys?"
            raise ConnectionLost(f"the viewer at {self.address} closed the connection{hint}")

    def _handle(self, message: wire.FromReceiver) -> None:
        match message:
            case wire.Welcome():
                self._welcome(message)
            case wire.Refused(reason=reason, again=again):
                raise ConnectionLost(
                    f"the viewer at {self.address} refused: {reason}", again=again, final=not again
                )
            case wire.Probe(epoch=self._epoch):
                self._probed(message)
            case wire.Credit(epoch=self._epoch):
                self._credit += message.nbytes
                self._acknowledge(message.acknowledged)
            case wire.Want():
                self.wanted = True
            case wire.ByeAck(epoch=self._epoch):
                self.closed = True
            case _:  # PONG, and answers to an epoch that is over: heard is all they are for
                pass

    def _welcome(self, message: wire.Welcome) -> None:
        if message.wire != wire.WIRE_VERSION:
            older = "viewer" if message.wire < wire.WIRE_VERSION else "cluster's workers"
            raise ConnectionLost(
                f"the viewer at {self.address} speaks version {message.wire} of the wire "
                f"(dask-napari {message.software}), this worker version {wire.WIRE_VERSION} "
                f"(dask-napari {__version__}): upgrade dask-napari on the {older}",
                final=True,
            )
        self._epoch = message.epoch
        self._credit = message.credit
        self._heartbeat = message.heartbeat
        self.instance = message.instance
        self.received = message.received
        if self._choice == "inline":
            self.open = True
            return
        try:
            owner = "".join(c if c.isascii() and c.isalnum() else "-" for c in self._name)[-40:]
            self._arena = Arena.create(owner, self._arena_bytes)
        except (ArenaError, OSError, ValueError) as error:
            self._refuse_arena(str(error))
            return
        self._send(wire.Offer(self._epoch, self._arena.name, self._arena.size))

    def _probed(self, probe: wire.Probe) -> None:
        arena = self._arena
        if arena is None:
            return
        # The name has served: from here on a SIGKILL leaves nothing behind.
        arena.unlink()
        if probe.token == arena.token:
            self._use_arena = True
            self.transport = "shared-memory"
            self.open = True
        else:
            arena.close()
            self._arena = None
            self._refuse_arena(probe.error or "the receiver is on another host or container")

    def _refuse_arena(self, reason: str) -> None:
        if self._choice == "shared-memory":
            raise ConnectionLost(
                f"transport 'shared-memory' is not possible with {self.address}: {reason}; "
                "use transport='auto'",
                final=True,
            )
        logger.info("%s: streaming inline, without shared memory: %s", self._name, reason)
        self.open = True

    def _acknowledge(self, number: int) -> None:
        while self._flight and self._flight[0].number <= number:
            done = self._flight.popleft()
            self._flying -= done.nbytes
            if done.slot is not None and self._arena is not None:
                self._arena.free(done.slot.offset, done.slot.generation)

    # -- sending ---------------------------------------------------------------------------

    def _send(self, message: wire.Message, *frames: npt.NDArray[np.uint8]) -> None:
        self._spoke = time.monotonic()
        self.socket.send(wire.encode(message), zmq.NOBLOCK | (zmq.SNDMORE if frames else 0))
        for index, frame in enumerate(frames, 1):
            more = zmq.SNDMORE if index < len(frames) else 0
            self.socket.send(frame, zmq.NOBLOCK | more, copy=False)  # type: ignore[call-overload]

    def declare(self, layers: list[LayerSpec]) -> None:
        """Tell the receiver which layers the taps fill."""
        headers = [
            wire.LayerHeader(
                s.name, s.kind, dict(s.axes), dict(s.options), dict(s.layouts), s.sizes, s.fill
            )
            for s in layers
        ]
        self._send(wire.Taps(headers))

    def pump(self, load: Callable[[Outbox], list[Item]]) -> bool:
        """Send batches while there is credit, room and something to send.

        Parameters
        ----------
        load : callable
            Takes the items of the next output out of the outbox, none when it is empty.

        Returns
        -------
        bool
            Whether anything was sent.
        """
        progress = False
        while self._credit > 0 and not self._window_full:
            if not self._formed:
                self._form(load)
            if not self._formed or not self._send_formed():
                break
            progress = True
        return progress

    @property
    def blocked(self) -> bool:
        """Whether the next batch waits for the receiver."""
        return self._credit <= 0 or self._window_full or bool(self._formed)

    @property
    def _window_full(self) -> bool:
        return self._use_arena and self._flying >= ARENA_WINDOW and len(self._flight) > 1

    def _form(self, load: Callable[[Outbox], list[Item]]) -> None:
        nbytes = 0
        while len(self._formed) < BATCH_ITEMS and nbytes < BATCH_BYTES:
            if not self._loaded:
                self._loaded.extend(load(self._outbox))
            if not self._loaded:
                return
            item = self._loaded.popleft()
            self._formed.append(item)
            nbytes += item.nbytes

    def _send_formed(self) -> bool:
        items = self._formed
        slot = None
        frames: list[npt.NDArray[np.uint8]] = []
        size = payload_size(items)
        if self._use_arena and self._arena is not None and 0 < size <= self._arena.capacity:
            slot = self._arena.allocate(size)
            if slot is None:
                return False  # all slots are with the receiver; its CREDIT brings them back
        for item in items:
            item.seq = next(self._numbers)
            self._outbox.sent(item.layer)
        if slot is not None and self._arena is not None:
            headers = pack(items, self._arena.view(slot))
            lent = wire.SlotHeader(slot.offset, slot.nbytes, slot.generation)
            cost = slot.nbytes
        else:
            headers, frames = pack_frames(items)
            lent = None
            cost = sum(frame.nbytes for frame in frames)
        self._number += 1
        self._told = time.monotonic()
        counts = self._outbox.counts(changed=True)
        self._send(wire.Batch(self._epoch, self._number, headers, counts, lent), *frames)
        # The items stay referenced until they are acknowledged, so that a connection that
        # breaks loses none of them.
        self._flight.append(_Flight(self._number, items, slot, cost))
        self._flying += cost
        self._credit -= cost
        self._formed = []
        return True

    def tick(self) -> float:
        """Send what time asks for; return the seconds until the next call is due.

        Raises
        ------
        ConnectionLost
            If the receiver has been silent for too long.
        """
        now = time.monotonic()
        silent = now - self._heard
        limit = HANDSHAKE_TIMEOUT if not self.open else MISSED_HEARTBEATS * self._heartbeat
        if silent > limit:
            raise ConnectionLost(f"the viewer at {self.address} has been silent for {limit:.0f} s")
        if not self.open:
            return limit - silent
        if now - self._told >= STATUS_INTERVAL:
            self._told = now
            counts = self._outbox.counts(changed=True)
            if counts:
                self._send(wire.Status(self._epoch, counts))
        quiet = max(silent, now - self._spoke)
        if quiet >= self._heartbeat and now - self._pinged >= self._heartbeat:
            self._pinged = now
            self._send(wire.Ping(self._epoch))
        return min(limit - silent, self._heartbeat)

    def status(self) -> None:
        """Send all counts."""
        self._outbox.counts(changed=True)
        self._send(wire.Status(self._epoch, self._outbox.counts()))

    def bye(self) -> None:
        """Announce the end, once; :attr:`closed` turns true when the receiver has everything."""
        if not self._said_bye:
            self._said_bye = True
            self._send(wire.Bye(self._epoch, self._outbox.counts()))

    @property
    def idle(self) -> bool:
        """Whether nothing is being sent or unacknowledged."""
        return not (self._loaded or self._formed or self._flight)

    def unsent(self) -> list[Item]:
        """Items that were made but never sent."""
        items = [*self._formed, *self._loaded]
        self._formed = []
        self._loaded.clear()
        return items

    def unacknowledged(self) -> list[Item]:
        """Items that were sent and may not have arrived, oldest first."""
        items = [item for flight in self._flight for item in flight.items]
        self._flight.clear()
        return items

    def close(self) -> None:
        """Close the socket and give the arena up."""
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close(0)
        if self._arena is not None:
            self._arena.close()
            self._arena = None


def load(outbox: Outbox, on_error: Callable[[str, BaseException], None]) -> list[Item]:
    """Take the next output of which anything can be shown; count and report what cannot."""
    while (entry := outbox.pop()) is not None:
        try:
            items = outbox.split(entry, entry.items())
        except Dropped as error:
            outbox.drop(entry, error.reason)
        except Exception as error:
            # A bug or an odd output: the stream goes on with the next one.
            outbox.drop(entry, f"error: {type(error).__name__}")
            on_error(entry.layer, error)
        else:
            if items:
                return items
    return []
