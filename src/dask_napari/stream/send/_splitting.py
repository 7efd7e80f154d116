"""Splitting of batches: sent at once where the link is fast, else in pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dask_napari.model import Item, Tally
from dask_napari.stream.wire import Encode, pack_frames
from dask_napari.stream.wire import messages as wire


class OutgoingBatch:
    """Payload frames of a batch, and how much of them has been sent.

    The items are numbered already; ``encode`` compresses an array or leaves it alone.

    >>> image = np.arange(200_000, dtype=np.uint8)
    >>> batch = OutgoingBatch([Item("raw", "image", image)], lambda item, array: ("", array))
    >>> [(offset, piece.nbytes) for offset, piece in iter(lambda: batch.cut(150_000), None)]
    [(0, 150000), (150000, 50000)]
    >>> batch.left
    0
    """

    def __init__(self, items: Sequence[Item], encode: Encode) -> None:
        self.headers, self.frames = pack_frames(items, encode)
        self.size = sum(frame.nbytes for frame in self.frames)
        self.sent = 0
        self._frame = 0
        self._offset = 0

    def __repr__(self) -> str:
        return f"<OutgoingBatch: {self.sent} of {self.size} bytes sent>"

    @property
    def left(self) -> int:
        """Bytes not sent yet."""
        return self.size - self.sent

    def cut(self, most: int) -> tuple[int, npt.NDArray[np.uint8]] | None:
        """Return the next piece and where it begins; None when all of them are cut."""
        while self._frame < len(self.frames):
            frame = self.frames[self._frame]
            piece = frame[self._offset : self._offset + most]
            if piece.nbytes:
                offset = self.sent
                self._offset += piece.nbytes
                self.sent += piece.nbytes
                return offset, piece
            self._frame, self._offset = self._frame + 1, 0
        return None

    def rest(
        self, epoch: int, number: int, counts: dict[str, Tally]
    ) -> tuple[wire.Batch, list[npt.NDArray[np.uint8]]]:
        """Return the batch with all frames, or with none if they were sent in pieces before."""
        ahead = tuple(frame.nbytes for frame in self.frames) if self.sent else ()
        batch = wire.Batch(epoch, number, self.headers, counts, None, ahead)
        return batch, [] if ahead else self.frames
