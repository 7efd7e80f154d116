"""The free list of an arena: address-ordered first fit."""

from __future__ import annotations

import bisect
from typing import Final

GRAIN: Final = 64
"""Bytes; sizes are rounded up to whole cache lines, so offsets are aligned for any dtype."""


class Allocator:
    """Hand out ranges of a fixed space, the lowest that fits first.

    Low addresses are reused, which keeps them in the processor's cache; with a
    few hundred slots in flight a linear search costs less than any cleverer structure.
    """

    def __init__(self, size: int) -> None:
        self.size: int = size // GRAIN * GRAIN
        self._holes: list[tuple[int, int]] = [(0, self.size)]  # offset, length; ordered, apart
        self._used: dict[int, int] = {}

    def __repr__(self) -> str:
        used, holes = len(self._used), len(self._holes)
        return f"<Allocator: {used} ranges in use, {holes} holes, {self.free_bytes} bytes free>"

    def allocate(self, nbytes: int) -> int | None:
        """Return the offset of ``nbytes`` free bytes, or None if no hole is large enough."""
        if nbytes <= 0:
            raise ValueError(f"nbytes={nbytes} is not positive")
        need = -(-nbytes // GRAIN) * GRAIN
        for index, (offset, length) in enumerate(self._holes):
            if length >= need:
                if length == need:
                    del self._holes[index]
                else:
                    self._holes[index] = offset + need, length - need
                self._used[offset] = need
                return offset
        return None

    def free(self, offset: int) -> bool:
        """Take a range back; return false if it was not handed out."""
        length = self._used.pop(offset, None)
        if length is None:
            return False
        index = bisect.bisect(self._holes, (offset, 0))
        if index < len(self._holes) and self._holes[index][0] == offset + length:
            length += self._holes.pop(index)[1]
        if index and sum(self._holes[index - 1]) == offset:
            index -= 1
            offset, before = self._holes.pop(index)
            length += before
        self._holes.insert(index, (offset, length))
        return True

    @property
    def free_bytes(self) -> int:
        """Bytes not handed out."""
        return sum(length for _, length in self._holes)
