"""From a batch on the wire to items whose memory is the receiver's own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dask_napari.model import PIXEL_KINDS, Item, Refusal, check
from dask_napari.stream.receive._peers import Peer
from dask_napari.stream.receive._pool import BlockPool
from dask_napari.stream.receive._reassembly import Reassembly
from dask_napari.stream.shm import ArenaError
from dask_napari.stream.wire import DATA, Rejected, unpack
from dask_napari.stream.wire import messages as wire

Payload = list[npt.NDArray[np.uint8]]


def sane(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an array whose bytes are values of its type.

    numpy takes a flag for 0 or 1 without a look, to the point of writing outside of an array when
    it counts them; and text outside of Unicode is an error where it is read.
    """
    if array.dtype.kind == "b" and array.size:
        flags = array.view(np.uint8)
        if flags.max() > 1:
            return np.not_equal(flags, 0)
    elif array.dtype.kind == "U" and array.size:
        codes = array.reshape(-1).view(array.dtype.str[0] + "u4")
        if codes.max() > sys.maxunicode:
            raise Refusal("text that is not Unicode")
    return array


class BatchDecoder:
    """Check batches against their bytes and copy them out of arenas."""

    def __init__(self) -> None:
        self._pool = BlockPool()

    def __repr__(self) -> str:
        return f"<BatchDecoder: {self._pool}>"

    def part(
        self, ahead: Reassembly, part: wire.PayloadPart, frame: bytes | memoryview, limit: int
    ) -> None:
        """Take in a piece of the next batch's payload. Raises :class:`Rejected`."""
        ahead.add(part, np.frombuffer(frame, np.uint8), self._pool, limit)

    def payload(
        self, peer: Peer, batch: wire.Batch, frames: Sequence[bytes | memoryview]
    ) -> Payload:
        """Return the bytes of a batch, or raise :class:`Rejected` if they are missing.

        A batch has its bytes in frames, in the parts that went ahead of it, or in a slot.
        """
        if batch.frames:
            return peer.ahead.take(batch.frames)
        if batch.slot is None:
            return [np.frombuffer(frame, np.uint8) for frame in frames]
        if peer.arena is None:
            raise Rejected("slot without an arena")
        try:
            return [peer.arena.view(batch.slot.offset, batch.slot.nbytes)]
        except (ArenaError, ValueError) as error:
            raise Rejected("slot outside of the arena") from error

    def items(self, publisher: str, batch: wire.Batch, payload: Payload) -> list[Item | Refusal]:
        """Return the items, and for those that are malformed why."""
        found: list[Item | Refusal] = []
        lent = batch.slot is not None or (len(batch.frames) > 0 and len(batch.items) > 1)
        for header in batch.items:
            try:
                item = check(unpack(header, payload, publisher, self._allocate))
                # What was compressed is in memory of its own already.
                kept = {each.name for each in header.arrays if each.codec or not lent}
                item.data = self._own(item.data, DATA in kept)
                item.arrays = {n: self._own(part, n in kept) for n, part in item.arrays.items()}
                if batch.slot is not None and item.kind not in PIXEL_KINDS:
                    # Again: the owner of the slot could have changed it meanwhile, and napari
                    # follows these numbers to other places in memory.
                    check(item)
            except Refusal as refusal:
                refusal.layer = header.meta.layer
                found.append(refusal)
            else:
                found.append(item)
        return found

    def _allocate(self, nbytes: int) -> npt.NDArray[np.uint8]:
        return self._pool.empty((nbytes,), np.dtype(np.uint8))

    def _own(self, array: npt.NDArray[Any], kept: bool) -> npt.NDArray[Any]:
        if kept:
            return sane(array)
        # The slot goes back at once, and nothing that the worker does later can change what is
        # shown. Array by array: copied as a whole, a batch would live as long as its last item.
        block = self._pool.empty(array.shape, array.dtype)
        np.copyto(block, array)
        return sane(block)
