"""The batches of one connection: sent while there is credit, kept until they are acknowledged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from dask_napari.model import Item, Reports, Tally
from dask_napari.stream.send._compression import LinkCompression
from dask_napari.stream.send._handshake import Agreement
from dask_napari.stream.send._in_flight import InFlight
from dask_napari.stream.send._link_rate import LEAST_PIECE, LinkRate
from dask_napari.stream.send._loader import LOAD_ITEMS, Loader
from dask_napari.stream.send._publisher_socket import PublisherSocket
from dask_napari.stream.send._sendable import oversize, unsendable
from dask_napari.stream.send._splitting import OutgoingBatch
from dask_napari.stream.shm import Arena, Slot
from dask_napari.stream.wire import MESSAGE, as_it_is, cost_of, pack, payload_size
from dask_napari.stream.wire import messages as wire

BATCH_BYTES: Final = 4 << 20
"""A batch is closed at so many bytes: larger ones gain no speed and delay their first item."""

SMALL: Final = 256 << 10
"""Bytes; a batch of less costs the receiver more as a message than as bytes."""

ARENA_WINDOW: Final = 8 << 20
"""Bytes of slots that may be with the receiver, and two batches whatever their size. It copies a
batch in under a millisecond, so two keep both ends busy; more would only spread the same copies
over memory that is not in the processor's cache (64 MiB in flight cost a third of the speed)."""

SMALL_BATCHES: Final = 3
"""Messages on the way while which a small batch waits. Over a long link the third part of its
trip is added to an item's at most; nearby they are acknowledged before the next item comes."""


class BatchSender:
    """Take items out of the outbox and send them, as fast as the receiver's credit allows."""

    def __init__(
        self, socket: PublisherSocket, loader: Loader, reports: Reports, numbers: Iterator[int]
    ) -> None:
        self.publishers = 1
        self.arena: Arena | None = None
        self.counted_at = time.monotonic()
        self._socket = socket
        self._outbox = loader.outbox
        self._loader = loader
        self._reports = reports
        self._numbers = numbers
        self._epoch = self._credit = self._frame = self._number = 0
        self._batch: list[Item] = []  # formed, and not sent in whole
        self._link = LinkRate()
        self._in_flight = InFlight(self._link)
        self._outgoing: OutgoingBatch | None = None
        self._compression = LinkCompression(socket.address, self._link)

    def __repr__(self) -> str:
        return (
            f"<BatchSender: batch {self._number}, {len(self._in_flight)} messages on their way, "
            f"credit {self._credit}>"
        )

    def begin(self, agreement: Agreement) -> None:
        """Send from now on, on the terms of the handshake."""
        welcome = agreement.welcome
        self._epoch, self._frame = welcome.epoch, welcome.frame
        self._credit += welcome.credit
        self.arena = agreement.arena

    def grant(self, credit: wire.Credit) -> None:
        """Take credit and acknowledgements from the receiver."""
        self._credit += credit.nbytes
        self.publishers = max(1, credit.publishers)
        away = self._in_flight.items
        for slot in self._in_flight.acknowledge(credit.acknowledged, self._socket.heard):
            if self.arena is not None:
                self.arena.free(slot.offset, slot.generation)
        self._outbox.acknowledge(away - self._in_flight.items)

    def settle(self) -> None:
        """Count all that was sent as arrived: the receiver has answered the BYE after it."""
        self._outbox.acknowledge(len(self._in_flight.take_back()))

    def pump(self) -> bool:
        """Send batches while credit, room and items last; return whether any was sent."""
        progress = False
        while self._credit > 0 and not self._window_full:
            # As Nagle's algorithm: while small batches are on the way, the next one may grow. A
            # receiver that is busy with many publishers acknowledges later and so gets fewer,
            # larger messages from each.
            if len(self._in_flight) >= SMALL_BATCHES and self._little:
                break
            if not self._form():
                self._link.starve()
                break
            if not self._send_formed():
                break
            progress = True
        return progress

    @property
    def blocked(self) -> bool:
        """True if the next batch waits for the receiver."""
        return self._credit <= 0 or self._window_full or bool(self._batch)

    @property
    def idle(self) -> bool:
        """True if all items were sent and acknowledged."""
        return not (self._batch or self._in_flight) and self._loader.idle

    @property
    def away(self) -> int:
        """Bytes of items that were made and not acknowledged."""
        formed = sum(item.nbytes for item in self._batch)
        return self._in_flight.nbytes + formed + self._loader.nbytes

    def unsent(self) -> list[Item]:
        """Hand over the items that were made but never sent."""
        self._outgoing = None
        return [*self._take(), *self._loader.take()]

    def unacknowledged(self) -> list[Item]:
        """Hand over the items that were sent and may not have arrived, oldest first."""
        return self._in_flight.take_back()

    def close(self) -> None:
        """Give the arena up."""
        if self.arena is not None:
            self.arena.close()
            self.arena = None

    def _form(self) -> bool:
        """Make the next batch, unless one waits; return false if there is nothing for it.

        Outputs that cannot be sent are counted and reported.
        """
        if self._batch:
            return True  # parts of it may be on their way
        most = self._batch_bytes  # the item that reaches them closes the batch
        if not self._loader.has(most):
            self._loader.advance(most)
            if self._loader.gathering:
                return False
        nbytes, items = 0, self._loader.take()
        while items and len(self._batch) < LOAD_ITEMS and nbytes < most:
            item = items[0]
            if self._batch and nbytes + item.nbytes > self._frame // 2:
                break  # in parts, all of a batch makes one frame
            items.popleft()
            # What the receiver must refuse would come back to be sent again, for ever.
            if reason := oversize(item, self._frame):
                refusal = unsendable(reason, item.layer, item.provenance.key)
                self._outbox.drop(item.layer, reason)
                self._reports.error(reason, refusal, layer=item.layer, key=refusal.key)
                continue
            self._batch.append(item)
            nbytes += item.nbytes
        self._loader.put_back(items)
        return bool(self._batch)

    def _take(self) -> list[Item]:
        items, self._batch = self._batch, []
        return items

    @property
    def _little(self) -> bool:
        """True if a batch that is formed now would be small."""
        waiting = len(self._outbox) >= LOAD_ITEMS or self._outbox.nbytes >= SMALL
        return not self._batch and self._loader.idle and not waiting

    @property
    def _batch_bytes(self) -> int:
        # On a slow link, no more than it carries in a moment: the first item waits for the last.
        return BATCH_BYTES if self.arena else min(BATCH_BYTES, self._link.window // 2)

    @property
    def _window_full(self) -> bool:
        if self._in_flight.nbytes and self._in_flight.nbytes >= self._outbox.budget.limit:
            return True
        if self.arena is not None:
            return self._link.flying >= ARENA_WINDOW and len(self._in_flight) > 1
        return self._link.flying > 0 and self._link.room < LEAST_PIECE

    def _send_formed(self) -> bool:
        """Send the formed batch or a piece of it; return false if it has to wait."""
        if self.arena is not None:
            size = payload_size(self._batch)
            if 0 < size <= self.arena.capacity:
                return self._send_slot(self.arena, size)
        self._send_inline()
        return True

    def _send_slot(self, arena: Arena, size: int) -> bool:
        slot = arena.allocate(size)
        if slot is None:
            return False  # all slots are with the receiver; its CREDIT brings them back
        self._assign_numbers()
        headers = pack(self._batch, arena.view(slot))
        header = wire.SlotHeader(slot.offset, slot.nbytes, slot.generation)
        self._dispatch(
            wire.Batch(self._epoch, self._number + 1, headers, self._count_sent(), header),
            slot=slot,
        )
        return True

    def _send_inline(self) -> None:
        outgoing = self._outgoing
        if outgoing is None:
            self._assign_numbers()
            items = self._batch
            # A batch too large for the arena stays within the host.
            encode = as_it_is if self.arena else self._compression.encoder(items, self.publishers)
            outgoing = self._outgoing = OutgoingBatch(items, encode)
        room, most = (MESSAGE, MESSAGE) if self.arena else (self._link.room, self._link.piece)
        split = outgoing.sent or outgoing.left > min(MESSAGE, room)
        if split and (cut := outgoing.cut(min(MESSAGE, most))):
            offset, piece = cut
            part = wire.PayloadPart(self._epoch, self._number + 1, outgoing.size, offset)
            self._dispatch(part, piece)
            return
        batch, frames = outgoing.rest(self._epoch, self._number + 1, self._count_sent())
        self._outgoing = None
        self._dispatch(batch, *frames)

    def _assign_numbers(self) -> None:
        for item in self._batch:
            item.seq = next(self._numbers)

    def _count_sent(self) -> dict[str, Tally]:
        # With the batch itself and not before: the counts of a STATUS between its pieces must
        # not include what has not arrived.
        self._outbox.sent([item.meta.layer for item in self._batch])
        self.counted_at = time.monotonic()
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
            items = self._take()
        self._in_flight.add(message.number, nbytes, items, slot, time.monotonic())
        self._credit -= cost_of(cost, self._socket.send(message, *frames), len(items))
