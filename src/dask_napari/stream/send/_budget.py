"""The budget: bytes of values that an outbox may hold at present, and those that it holds."""

from __future__ import annotations

import threading
from typing import Final

SQUEEZED: Final = 8 << 20
"""Bytes held near a worker's limits of memory: two batches, so that the stream goes on, with what
waits behind them known by key."""


class Budget:
    """Bound of what is held, and its sum, in which several views of one array count as that array.

    Values have a size and the identity of their memory's owner, 0 if none share it; it stays its
    own while a value is held: leave before letting go. Values are counted under ``lock``.

    >>> budget = Budget(100, threading.Lock())
    >>> budget.admit(60, owner=7), budget.admit(60, owner=7), budget.admit(60, owner=0)
    (60, 0, None)
    >>> budget.remove(60, 7), budget.held, budget.remove(60, 7), budget.held
    (None, 60, None, 0)
    """

    def __init__(self, nbytes: int, lock: threading.Lock) -> None:
        self.limit = nbytes
        """Bytes of values that may be held at present."""
        self.withholds = ""
        """Why no values are held at present; empty if they are."""
        self.queued = 0
        """Bytes of values that wait."""
        self.away = 0
        """Bytes of values that were taken out and may not have arrived; set by who took them."""
        self._lock = lock
        self._most = nbytes
        self._allowed = nbytes  # the limit, or less than any value
        # Each is set by one method; what follows from them is worked out from them alone.
        self._paused = self._alone = self._squeezed = False
        self._must_forget = False
        self._sharing: dict[int, int] = {}

    def __repr__(self) -> str:
        state = self.withholds or ("squeezed" if self._squeezed else "open")
        return f"<Budget {state}: {self.held} of {self.limit} bytes>"

    def pause(self, paused: bool) -> bool:
        """Hold no values while the worker is paused; return whether that begins."""
        with self._lock:
            begins, self._paused = paused and not self._paused, paused
            return self._follow(begins)

    def squeeze(self, squeezed: bool) -> bool:
        """Hold little near the worker's limits of memory; return whether that begins."""
        with self._lock:
            begins, self._squeezed = squeezed and not self._squeezed, squeezed
            return self._follow(begins)

    def leave_alone(self, alone: bool) -> None:
        """Hold no values while there has been no receiver for long."""
        with self._lock:
            self._alone = alone
            self._follow(False)

    def _follow(self, begins: bool) -> bool:
        self.withholds = "worker-paused" if self._paused else "no-viewer" if self._alone else ""
        self.limit = min(self._most, SQUEEZED) if self._squeezed else self._most
        self._allowed = -1 if self.withholds else self.limit
        self._must_forget |= begins
        return begins

    def take_due(self) -> bool:
        """Return whether values are to be forgotten that are held; once for each reason."""
        due = self._must_forget or self.withholds != ""
        self._must_forget = False
        return due

    @property
    def full(self) -> str:
        """Reason that is counted where the budget leaves no room."""
        return "worker-memory" if self._squeezed else "queue-full"

    @property
    def held(self) -> int:
        """Bytes of values that wait or are away, which the limit bounds."""
        return self.queued + self.away

    def admit(self, nbytes: int, owner: int) -> int | None:
        """Count a value if there is room; return the bytes by which the sum has grown."""
        if owner:
            return self.add(nbytes, owner) if self.admits(nbytes, owner) else None
        if self.queued + self.away + nbytes > self._allowed:
            return None
        self.queued += nbytes
        return nbytes

    def admits(self, nbytes: int, owner: int) -> bool:
        """Return whether there is room for a value."""
        more = 0 if owner in self._sharing else nbytes
        return self.queued + self.away + more <= self._allowed

    def add(self, nbytes: int, owner: int) -> int:
        """Count a value; return the bytes by which the sum has grown."""
        if owner:
            others = self._sharing.get(owner, 0)
            self._sharing[owner] = others + 1
            if others:
                return 0
        self.queued += nbytes
        return nbytes

    def remove(self, nbytes: int, owner: int) -> None:
        """Count a value no more."""
        if owner:
            others = self._sharing[owner] - 1
            if others:
                self._sharing[owner] = others
                return
            del self._sharing[owner]
        self.queued -= nbytes

    def clear(self) -> None:
        """Count nothing that waits any more."""
        self.queued = 0
        self._sharing.clear()
