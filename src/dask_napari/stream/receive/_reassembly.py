"""A payload that comes ahead of its batch in parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dask_napari.stream.receive._pool import BlockPool
from dask_napari.stream.wire import PayloadPart, Rejected

Bytes = npt.NDArray[np.uint8]


class Reassembly:
    """Put the parts of one payload together; nothing that they say is believed.

    >>> assembly, pool = Reassembly(), BlockPool()
    >>> for number, offset in enumerate((0, 3), 1):
    ...     part = PayloadPart(epoch=1, number=number, size=6, offset=offset)
    ...     assembly.add(part, np.arange(offset, offset + 3, dtype=np.uint8), pool, limit=100)
    >>> [frame.tolist() for frame in assembly.take((2, 4))]
    [[0, 1], [2, 3, 4, 5]]
    """

    __slots__ = ("_filled", "_whole")

    def __init__(self) -> None:
        self._whole: Bytes | None = None
        self._filled = 0

    def __repr__(self) -> str:
        size = 0 if self._whole is None else self._whole.nbytes
        return f"<Reassembly: {self._filled} of {size} bytes>"

    def add(self, part: PayloadPart, piece: Bytes, pool: BlockPool, limit: int) -> None:
        """Take the next part of a payload of up to ``limit`` bytes.

        Raises Rejected if it is not the next one, or the whole would be too large.
        """
        end = part.offset + piece.nbytes
        if not 0 < part.size <= limit or not piece.nbytes or end > part.size:
            raise Rejected("part of too much")
        if part.offset == 0:
            # Memory that is not written to is not there: a size alone takes none.
            self._whole, self._filled = pool.empty((part.size,), np.dtype(np.uint8)), 0
        whole = self._whole
        if whole is None or whole.nbytes != part.size or part.offset != self._filled:
            raise Rejected("part that does not follow the one before")
        np.copyto(whole[part.offset : end], piece)
        self._filled = end

    def take(self, sizes: Sequence[int]) -> list[Bytes]:
        """Return the complete payload in frames of these sizes, or raise :class:`Rejected`."""
        whole, self._whole = self._whole, None
        if whole is None or self._filled != whole.nbytes or sum(sizes) != whole.nbytes:
            raise Rejected("batch whose parts are not all there")
        frames, start = [], 0
        for size in sizes:
            frames.append(whole[start : start + size])
            start += size
        return frames
