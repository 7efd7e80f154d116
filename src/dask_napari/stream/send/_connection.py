"""One connection of a publisher: handshake, arena, credit and what is in flight."""

from __future__ import annotations

import functools
import logging
import os
import socket as host
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import zmq

from dask_napari._version import __version__
from dask_napari.model import Item, LayerSpec
from dask_napari.stream.auth import Security
from dask_napari.stream.send._batching import BATCH_BYTES, BatchBuilder
from dask_napari.stream.send._compression import LinkCompression
from dask_napari.stream.send._in_flight import InFlight
from dask_napari.stream.send._link_rate import LEAST_PIECE, LinkRate
from dask_napari.stream.send._outbox import Outbox
from dask_napari.stream.send._sendable import declarations
from dask_napari.stream.send._socket import ConnectionLost, PublisherSocket
from dask_napari.stream.send._splitting import OutgoingBatch
from dask_napari.stream.send._transport import Transport
from dask_napari.stream.send._troubles import Troubles
from dask_napari.stream.shm import Arena, ArenaError, Slot
from dask_napari.stream.wire import (
    MESSAGE,
    Encode,
    as_it_is,
    complaint,
    cost_of,
    pack,
    payload_size,
)
from dask_napari.stream.wire import messages as wire

logger = logging.getLogger(__name__)

ARENA_WINDOW: Final = 8 << 20
"""Bytes of slots that may be with the receiver, and two batches whatever their size. It copies a
batch in under a millisecond, so two keep both ends busy; more would only spread the same copies
over memory that is not in the processor's cache (64 MiB in flight cost a third of the speed)."""

SMALL_BATCHES: Final = 3
"""Messages on the way while which a small batch waits. Over a long link the third part of its
trip is added to an item's at most; nearby they are acknowledged before the next item comes."""

HANDSHAKE_TIMEOUT: Final = 3.0
"""Seconds; a receiver answers a HELLO in well under one even when it copies at full speed."""

MISSED_HEARTBEATS: Final = 3
"""Silent intervals after which a connection is given up."""

STATUS_INTERVAL: Final = 0.25
"""Seconds between counts that travel without a batch; a person reads them."""


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
    on_error : callable
        Told the layer and the error of an output that cannot be shown.
    numbers : iterator of int
        Gives the sequence numbers of items.
    troubles : Troubles
        Errors that the receiver is told.
    security, transport, arena_bytes
        See :class:`~dask_napari.stream.Publisher`.
    patience : float
        Seconds for the handshake.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        name: str,
        outbox: Outbox,
        on_error: Callable[[str, BaseException], None],
        numbers: Iterator[int],
        troubles: Troubles,
        *,
        security: Security | None,
        transport: Transport,
        arena_bytes: int,
        patience: float = HANDSHAKE_TIMEOUT,
    ) -> None:
        self.address = address
        self.transport: Literal["shared-memory", "inline"] = "inline"
        self.instance = ""
        self.received = 0
        self.wanted = False
        """The receiver asked for what is still in memory; reset by the publisher."""
        self.publishers = 1
        """Publishers that share the receiver, as far as it has told."""
        self.inline_because = ""
        """Why there is no shared memory although it was asked for."""
        self._outbox = outbox
        self._troubles = troubles
        self._numbers = numbers
        self._name = name
        self._choice = transport
        self._arena_bytes = arena_bytes
        self._arena: Arena | None = None
        self._use_arena = False
        self._epoch = 0
        self._credit = 0
        self._frame = 0
        self._number = 0
        self._loader = BatchBuilder(outbox, on_error)
        self._link = LinkRate()
        self._flights = InFlight(self._link)
        self._parcel: OutgoingBatch | None = None
        self._compression = LinkCompression(address, self._link)
        self._patience = patience
        self._heartbeat = HANDSHAKE_TIMEOUT / MISSED_HEARTBEATS
        self._said_bye = False
        self.open = False
        self.closed = False
        self._line = PublisherSocket(context, address, security)
        self._told = self._pinged = self._line.spoke
        self._line.send(
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

    def register(self, poller: zmq.Poller) -> None:
        """Have a poller wait for messages, and for the end."""
        self._line.register(poller)

    # -- receiving -------------------------------------------------------------------------

    def receive(self) -> None:
        """Handle all messages that have come.

        Raises
        ------
        ConnectionLost
            If the receiver does not want this publisher, speaks another wire or has ended.
        """
        for message in self._line.receive():
            self._handle(message)
        if self._line.ended and not self.closed:
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
                self.publishers = max(1, message.publishers)
                for slot in self._flights.acknowledge(message.acknowledged, self._line.heard):
                    if self._arena is not None:
                        self._arena.free(slot.offset, slot.generation)
            case wire.Want():
                self.wanted = True
            case wire.ByeAck(epoch=self._epoch):
                self.closed = True
            case _:  # PONG, and answers to an epoch that is over: heard is all they are for
                pass

    def _welcome(self, message: wire.Welcome) -> None:
        if message.wire != wire.WIRE_VERSION:
            raise ConnectionLost(f"{self.address}: {complaint(message)}", final=True)
        self._epoch = message.epoch
        self._credit = message.credit
        if message.arena:
            self._arena_bytes = min(self._arena_bytes, message.arena)
        self._frame = message.frame
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
        self._line.send(wire.Offer(self._epoch, self._arena.name, self._arena.size))

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
        self.inline_because = reason
        self.open = True

    # -- sending ---------------------------------------------------------------------------

    def declare(self, layers: Iterable[LayerSpec]) -> None:
        """Tell the receiver which layers the taps fill."""
        refused = functools.partial(self._troubles.note, reason="layer", key="")
        for headers in declarations(layers, refused):
            self._line.send(wire.Taps(headers))

    def pump(self) -> bool:
        """Send batches while there is credit, room and something to send.

        Returns
        -------
        bool
            Whether anything was sent.
        """
        progress = False
        while self._credit > 0 and not self._window_full:
            if self._may_gather:
                break
            if not self._loader.form(self._batch_bytes, self._frame):
                self._link.starve()
                break
            if not self._send_formed():
                break
            progress = True
        return progress

    @property
    def blocked(self) -> bool:
        """Whether the next batch waits for the receiver."""
        return self._credit <= 0 or self._window_full or bool(self._loader.batch)

    @property
    def _may_gather(self) -> bool:
        # As Nagle's algorithm: while small batches are on the way, the next one may grow. A
        # receiver that is busy with many publishers acknowledges later and so gets fewer, larger
        # messages from each.
        return self._loader.little and len(self._flights) >= SMALL_BATCHES

    @property
    def _batch_bytes(self) -> int:
        # On a slow link, no more than it carries in a moment: the first item waits for the last.
        return BATCH_BYTES if self._use_arena else min(BATCH_BYTES, self._link.window // 2)

    @property
    def _window_full(self) -> bool:
        if self._flights.nbytes and self._flights.nbytes >= self._outbox.budget:
            return True
        if self._use_arena:
            return self._link.flying >= ARENA_WINDOW and len(self._flights) > 1
        return self._link.flying > 0 and self._link.room < LEAST_PIECE

    def _send_formed(self) -> bool:
        """Send the formed batch or a piece of it; false if it has to wait."""
        if self._use_arena and self._arena is not None:
            size = payload_size(self._loader.batch)
            if 0 < size <= self._arena.capacity:
                return self._send_slot(self._arena, size)
        return self._send_parcel()

    def _send_slot(self, arena: Arena, size: int) -> bool:
        items = self._loader.batch
        slot = arena.allocate(size)
        if slot is None:
            return False  # all slots are with the receiver; its CREDIT brings them back
        self._assign_numbers()
        headers = pack(items, arena.view(slot))
        lent = wire.SlotHeader(slot.offset, slot.nbytes, slot.generation)
        self._dispatch(
            wire.Batch(self._epoch, self._number + 1, headers, self._count_sent(), lent), slot=slot
        )
        return True

    def _send_parcel(self) -> bool:
        parcel = self._parcel
        if parcel is None:
            self._assign_numbers()
            parcel = self._parcel = OutgoingBatch(self._loader.batch, self._encode())
        room = MESSAGE if self._use_arena else min(MESSAGE, self._link.room)
        if (parcel.sent or parcel.left > room) and (cut := parcel.cut(self._piece)):
            offset, piece = cut
            self._dispatch(
                wire.PayloadPart(self._epoch, self._number + 1, parcel.size, offset), piece
            )
            return True
        batch, frames = parcel.rest(self._epoch, self._number + 1, self._count_sent())
        self._parcel = None
        self._dispatch(batch, *frames)
        return True

    @property
    def _piece(self) -> int:
        return MESSAGE if self._use_arena else min(MESSAGE, self._link.piece)

    def _encode(self) -> Encode:
        if self._use_arena:  # too large for it, but within the host
            return as_it_is
        return self._compression.encoder(self._loader.batch, self.publishers)

    def _assign_numbers(self) -> None:
        for item in self._loader.batch:
            item.seq = next(self._numbers)

    def _count_sent(self) -> list[wire.Count]:
        # With the batch itself and not before: the counts of a STATUS between its pieces must
        # not include what has not arrived.
        for item in self._loader.batch:
            self._outbox.sent(item.layer)
        self._told = time.monotonic()
        return self._outbox.counts(changed=True)

    def _dispatch(
        self,
        message: wire.Batch | wire.PayloadPart,
        *frames: npt.NDArray[np.uint8],
        slot: Slot | None = None,
    ) -> None:
        nbytes = sum(frame.nbytes for frame in frames) if slot is None else slot.nbytes
        self._number = message.number
        cost = nbytes
        items: list[Item] = []
        if isinstance(message, wire.Batch):
            cost += message.expansion
            items = self._loader.take()
        self._flights.add(message.number, nbytes, items, slot, time.monotonic())
        self._credit -= cost_of(cost, self._line.send(message, *frames), len(items))

    def tick(self) -> float:
        """Send what time asks for; return the seconds until the next call is due.

        Raises
        ------
        ConnectionLost
            If the receiver has been silent for too long.
        """
        now = time.monotonic()
        silent = now - self._line.heard
        limit = self._patience if not self.open else MISSED_HEARTBEATS * self._heartbeat
        if silent > limit:
            raise ConnectionLost(f"the viewer at {self.address} has been silent for {limit:.0f} s")
        if not self.open:
            return limit - silent
        if now - self._told >= STATUS_INTERVAL:
            self._told = now
            counts, troubles = self._outbox.counts(changed=True), self._troubles.fresh()
            if counts or troubles:
                self._line.send(wire.Status(self._epoch, counts, troubles))
        quiet = max(silent, now - self._line.spoke)
        if quiet >= self._heartbeat and now - self._pinged >= self._heartbeat:
            self._pinged = now
            self._line.send(wire.Ping(self._epoch))
        return min(limit - silent, self._heartbeat)

    def status(self) -> None:
        """Send all counts and errors."""
        self._outbox.counts(changed=True)
        self._line.send(wire.Status(self._epoch, self._outbox.counts(), self._troubles.all()))

    def bye(self) -> None:
        """Announce the end, once; :attr:`closed` turns true when the receiver has everything."""
        if not self._said_bye:
            self._said_bye = True
            self._line.send(wire.Bye(self._epoch, self._outbox.counts()))

    @property
    def idle(self) -> bool:
        """Whether nothing is being sent or unacknowledged."""
        return self._loader.idle and not self._flights

    @property
    def away(self) -> int:
        """Bytes of items that were made and not acknowledged."""
        return self._flights.nbytes + self._loader.nbytes

    @property
    def arena_bytes(self) -> int:
        """Bytes of its arena; 0 without one."""
        return self._arena.size if self._arena else 0

    def unsent(self) -> list[Item]:
        """Items that were made but never sent."""
        self._parcel = None
        return self._loader.take_back()

    def unacknowledged(self) -> list[Item]:
        """Items that were sent and may not have arrived, oldest first."""
        return self._flights.take_back()

    def close(self) -> None:
        """Close the socket and give the arena up."""
        self._line.close()
        if self._arena is not None:
            self._arena.close()
            self._arena = None
