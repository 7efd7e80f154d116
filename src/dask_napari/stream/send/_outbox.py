"""The outbox: what a publisher has yet to send, within a budget of bytes, and its counts."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from typing import Final

from dask_napari.model import MOST_BYTES, Policy
from dask_napari.stream.send._budget import Budget
from dask_napari.stream.send._entries import Entry
from dask_napari.stream.send._output_counts import OutputCounts

ENTRY_LIMIT: Final = 100_000
"""Entries held by key alone; at some 500 bytes each they take 50 MB at most."""

WAKE_BYTES: Final = 4 << 20
"""Bytes put since the publisher last looked at which it is woken early: one full batch."""

WAKE_ENTRIES: Final = 64
"""Entries put at which the publisher is woken early."""


class Outbox(OutputCounts):
    """Bounded, coalescing queue between the tasks and the publisher's thread.

    Tasks put entries, the worker says by the budget how much may be held, and the publisher's
    thread takes entries out and accounts for what it has of them.
    """

    def __init__(self, nbytes: int, limit: int = ENTRY_LIMIT) -> None:
        super().__init__()
        self.budget = Budget(nbytes, self._lock)
        self.limit = limit
        self._intake: deque[Entry] = deque()
        # Ordered: what was taken from the front of a plain dict is stepped over again each time.
        self._ready: OrderedDict[Hashable, Entry] = OrderedDict()
        self._placing: tuple[Entry, int, int] | None = None  # as it was counted
        self._fresh_bytes = self._fresh = 0  # put since the intake was sorted
        self._serial = 0
        self._oldest: deque[Hashable] = deque()
        self._awake = True
        self._closed = ""

    def __repr__(self) -> str:
        return f"<Outbox {self._closed or 'open'}: {len(self)} entries, {self.budget}>"

    def close(self, reason: str) -> None:
        """Drop everything that waits, and whatever comes from here on."""
        with self._lock:
            self._closed = reason
        self.clear(reason)

    # -- the side of the tasks -------------------------------------------------------------

    def put(self, entry: Entry) -> bool:
        """Take an entry; return whether to wake the publisher's thread. Never fails or blocks."""
        nbytes = entry.nbytes
        with self._lock:
            tally = self._tally(entry.layer)
            tally.selected += 1
            tally.pending += 1
            if type(nbytes) is not int or not 0 <= nbytes <= MOST_BYTES:
                self._drop(entry.layer, "size unknown")  # anybody may write an entry
                return False
            if self._closed or len(self._intake) + len(self._ready) >= self.limit:
                self._drop(entry.layer, self._closed or "queue-full")
                return False
            grown = self.budget.admit(nbytes, entry.owner)
            if grown is None:
                if not self._make_room(entry):
                    self._drop(entry.layer, self.budget.withholds or self.budget.full)
                    return False
                grown = self.budget.add(entry.nbytes, entry.owner)
            self._fresh_bytes += grown
            if entry.policy == "latest":
                self._intake.append(entry)
            else:  # nothing to coalesce with, so its place need not be known
                self._insert(entry, None)
            if not self._awake:
                self._awake = True
                return True
            crossed = self._fresh_bytes >= WAKE_BYTES > self._fresh_bytes - grown
            self._fresh += 1
            return crossed or self._fresh == WAKE_ENTRIES

    def no_room(self, nbytes: int, policy: Policy) -> str:
        """Return why a value that cannot be found again has no room now; empty if it has.

        For a caller who would have to copy it first; the answer may be out of date.
        """
        budget = self.budget
        if reason := self._closed or budget.withholds:
            return reason
        if len(self) >= self.limit:
            return "queue-full"
        held = budget.away if policy == "drop-oldest" else budget.held
        return budget.full if held + nbytes > budget.limit else ""

    def _make_room(self, entry: Entry) -> bool:
        if entry.policy != "drop-oldest" or self.budget.withholds:
            return entry.forget()
        while not self.budget.admits(entry.nbytes, entry.owner):
            if not self._oldest:
                return False
            oldest = self._ready.pop(self._oldest.popleft(), None)
            if oldest is not None:  # None: it was sent meanwhile
                self.budget.remove(oldest.nbytes, oldest.owner)
                self._drop(oldest.layer, "drop-oldest")
        return True

    # -- the side of the publisher's thread ------------------------------------------------

    def look(self) -> int:
        """Note that the thread looks at what was put; return how much of it has no place yet."""
        with self._lock:
            self._fresh_bytes = self._fresh = 0
            return len(self._intake)

    def begin_placing(self) -> Entry | None:
        """Return the next entry that needs a place; the lock is not held while it finds one."""
        with self._lock:
            if not self._intake:
                return None
            entry = self._intake.popleft()
            self._placing = entry, entry.nbytes, entry.owner
            return entry

    def end_placing(self, entry: Entry, place: Hashable) -> Entry | None:
        """Queue an entry at its place, coalescing as the policies say; return what it replaces.

        It may hold less than before; nothing happens if the outbox was cleared meanwhile.
        """
        with self._lock:
            if not self._take_placing(entry):
                return None
            if self.budget.withholds:
                self._forget(entry)
            return self._insert(entry, place)

    def cannot_place(self, entry: Entry, reason: str) -> None:
        """Drop an entry that has no place."""
        with self._lock:
            if self._take_placing(entry):
                self.budget.remove(entry.nbytes, entry.owner)
                self._drop(entry.layer, reason)

    def _take_placing(self, entry: Entry) -> bool:
        if self._placing is None or self._placing[0] is not entry:
            return False
        _, nbytes, owner = self._placing
        self._placing = None
        if entry.nbytes != nbytes or entry.owner != owner:
            self.budget.remove(nbytes, owner)
            self.budget.add(entry.nbytes, entry.owner)
        return True

    def _insert(self, entry: Entry, place: Hashable) -> Entry | None:
        if entry.policy != "latest":
            self._serial += 1
            self._ready[self._serial] = entry
            if entry.policy == "drop-oldest":
                self._oldest.append(self._serial)
            return None
        replaced = self._ready.get(place)
        self._ready[place] = entry  # keeps the turn of the entry that it replaces
        if replaced is not None:
            self.budget.remove(replaced.nbytes, replaced.owner)
            self._coalesce(replaced.layer)
        return replaced

    def pop(self) -> Entry | None:
        """Return the next entry, which stays queued in the counts until told otherwise."""
        with self._lock:
            if not self._ready:
                return None
            _, entry = self._ready.popitem(last=False)
            self.budget.remove(entry.nbytes, entry.owner)
            while self._oldest and self._oldest[0] not in self._ready:
                self._oldest.popleft()
            return entry

    def may_sleep(self) -> bool:
        """Return whether nothing waits; the next :meth:`put` then asks for a wake-up."""
        with self._lock:
            self._awake = bool(self._intake or self._ready)
            return not self._awake

    def unpop(self, entries: Iterable[Entry]) -> None:
        """Put popped entries back at the front."""
        with self._lock:
            waiting, self._ready = self._ready, OrderedDict()
            for entry in entries:
                self.budget.add(entry.nbytes, entry.owner)
                self._insert(entry, entry.place() if entry.policy == "latest" else None)
            for place, entry in waiting.items():
                if entry.policy == "latest":
                    self._insert(entry, place)
                else:
                    self._ready[place] = entry

    def unsend(self, entries: Iterable[Entry]) -> None:
        """Queue entries that were sent and did not arrive again, in front of the others."""
        entries = list(entries)
        with self._lock:
            for entry in entries:
                self._unsend(entry.layer)
        self.unpop(entries)

    def forget(self) -> bool:
        """Let go of values that can be found again, if few or none may be held now.

        Returns whether that is so; then the caller lets go of its own.
        """
        with self._lock:
            due = self.budget.take_due()
            if due and self.budget.queued:
                for entry in (*self._intake, *self._ready.values()):
                    self._forget(entry)
            return due

    def _forget(self, entry: Entry) -> None:
        if entry.nbytes:
            self.budget.remove(entry.nbytes, entry.owner)
            entry.forget()
            self.budget.add(entry.nbytes, entry.owner)

    def clear(self, reason: str) -> None:
        """Drop everything that waits."""
        with self._lock:
            placing = () if self._placing is None else self._placing[:1]
            for entry in (*placing, *self._intake, *self._ready.values()):
                self._drop(entry.layer, reason)
            self._placing = None
            self._intake.clear()
            self._ready.clear()
            self._oldest.clear()
            self.budget.clear()

    # -- both ------------------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """Bytes of values that wait."""
        return self.budget.queued

    def __len__(self) -> int:
        return len(self._intake) + len(self._ready) + (self._placing is not None)
