"""Sorted keys in blocks, so that adding a key is cheap among many."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate, chain
from typing import Any, Final

BLOCK: Final = 512
"""Keys of a block when it is split in two; moving as many costs less than finding a key."""


class SortedKeys:
    """Different keys in order, in blocks: a single list would be moved for each key that comes.

    >>> keys = SortedKeys()
    >>> [keys.add(key) for key in (5, 2, 9)], list(keys), keys.index(9), keys[0]
    ([False, True, False], [2, 5, 9], 2, 2)
    """

    def __init__(self) -> None:
        self._blocks: list[list[Any]] = [[]]
        self._lasts: list[Any] = []  # of all blocks but the last, which takes what lies beyond
        self._starts: list[int] | None = [0]  # index of the first key of each block

    def __repr__(self) -> str:
        return f"<SortedKeys: {len(self)} in {len(self._blocks)} blocks>"

    def add(self, key: Any) -> bool:
        """Add a key that is new; return whether it comes before others."""
        number = bisect_left(self._lasts, key)
        block = self._blocks[number]
        at = len(block) if not block or key > block[-1] else bisect_left(block, key)
        is_before = at < len(block) or number < len(self._lasts)
        block.insert(at, key)
        if is_before:
            self._starts = None
        if len(block) >= 2 * BLOCK:
            self._blocks[number : number + 1] = block[:BLOCK], block[BLOCK:]
            self._lasts.insert(number, block[BLOCK - 1])
            self._starts = None
        return is_before

    def index(self, key: Any) -> int:
        """Return the index of a key that is there."""
        number = bisect_left(self._lasts, key)
        return self._firsts()[number] + bisect_left(self._blocks[number], key)

    def _firsts(self) -> list[int]:
        if self._starts is None:
            self._starts = [0, *accumulate(map(len, self._blocks[:-1]))]
        return self._starts

    def __getitem__(self, index: int) -> Any:
        if index < 0:
            index += len(self)
        starts = self._starts
        if starts is None:
            # Walked through, and not stored: other threads read keys while some are added.
            for block in self._blocks:
                if index < len(block):
                    return block[index]
                index -= len(block)
            raise IndexError("no key at this index")
        number = max(0, bisect_right(starts, index) - 1)
        return self._blocks[number][index - starts[number]]

    def __len__(self) -> int:
        return self._firsts()[-1] + len(self._blocks[-1])

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._blocks)
