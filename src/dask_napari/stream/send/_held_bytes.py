"""Bytes that queued entries hold, each owner of memory counted once."""

from __future__ import annotations

from typing import Protocol


class Holder(Protocol):
    """Something that holds memory."""

    @property
    def nbytes(self) -> int:
        """Bytes that letting go of it would free; 0 once forgotten."""

    @property
    def owner(self) -> int:
        """Identity of the owner of the memory, which several may hold; 0 if none share it."""


class HeldBytes:
    """Sum of what entries hold, in which several views of one array count as that array.

    The identity of an owner stays its own while an entry holds it: leave before letting go.

    >>> from types import SimpleNamespace
    >>> held, views = HeldBytes(), [SimpleNamespace(nbytes=100, owner=7) for _ in range(2)]
    >>> [held.add(view) for view in views]
    [100, 0]
    >>> held.total, [held.remove(view) for view in views], held.total
    (100, [0, 100], 0)
    """

    def __init__(self) -> None:
        self.total = 0
        self._sharing: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<HeldBytes: {self.total} bytes, {len(self._sharing)} owners of more than a value>"

    def more(self, entry: Holder) -> int:
        """Return the bytes by which the sum would grow."""
        return 0 if entry.owner in self._sharing else entry.nbytes

    def add(self, entry: Holder) -> int:
        """Count an entry; return the bytes by which the sum has grown."""
        nbytes = entry.nbytes
        if owner := entry.owner:
            others = self._sharing.get(owner, 0)
            self._sharing[owner] = others + 1
            if others:
                return 0
        self.total += nbytes
        return nbytes

    def remove(self, entry: Holder) -> int:
        """Count an entry no more; return the bytes by which the sum has fallen."""
        nbytes = entry.nbytes
        if owner := entry.owner:
            others = self._sharing[owner] - 1
            if others:
                self._sharing[owner] = others
                return 0
            del self._sharing[owner]
        self.total -= nbytes
        return nbytes

    def clear(self) -> None:
        """Count nothing any more."""
        self.total = 0
        self._sharing.clear()
