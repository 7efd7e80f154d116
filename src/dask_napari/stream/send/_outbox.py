"""The outbox: what a publisher has yet to send, within a budget of bytes, and its counts."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from dask_napari.model import (
    MOST_BYTES,
    Held,
    Item,
    Policy,
    Refusal,
    Tally,
    in_memory,
    unfit_name,
)
from dask_napari.stream.send._held_bytes import HeldBytes, Holder
from dask_napari.stream.send._sendable import unsendable

ENTRY_LIMIT: Final = 100_000
"""Entries held by key alone; at some 500 bytes each they take 50 MB at most."""

LAYERS: Final = 1024
"""Layers of one publisher. A viewer draws 256; each has counts here, which travel together."""

OTHERS: Final = "(other layers)"
"""Where outputs are counted that a layer of their own cannot be had for."""

WAKE_BYTES: Final = 4 << 20
"""Bytes put since the publisher last looked at which it is woken early: one full batch."""

WAKE_ENTRIES: Final = 64
"""Entries put at which the publisher is woken early."""


SQUEEZED: Final = 8 << 20
"""Bytes held near a worker's limits of memory: two batches, so that the stream goes on, with what
waits behind them known by key."""


class Entry(Holder, Protocol):
    """Output that becomes items on the publisher's thread.

    Work is put off to that thread, so that putting costs the event loop next to nothing.
    """

    layer: str
    policy: Policy

    @property
    def foreign(self) -> bool:
        """True if place or items take code of others or a disk, which may hang."""

    def place(self) -> Hashable:
        """Return the identity of the place that the output fills. Raises :class:`Refusal`."""

    def items(self) -> Sequence[Item | Refusal]:
        """Make an item of each part of the output, or a refusal. Raises :class:`Refusal`."""

    def forget(self) -> bool:
        """Let go of the value; return false, and keep it, if it cannot be found again."""


@dataclass(slots=True)
class ItemEntry:
    """Entry of an item that needs no work."""

    value: Item
    policy: Policy = "latest"
    layer: str = field(init=False)
    nbytes: int = field(init=False)
    owner: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.layer = self.value.layer
        self.nbytes = self.value.nbytes

    @property
    def foreign(self) -> bool:
        """True if the item is in a file, whose disk may hang."""
        return not in_memory(self.value)

    def place(self) -> Hashable:
        """Return the identity of the place that the item fills."""
        return self.value.place

    def items(self) -> Sequence[Item]:
        """Return the item."""
        return (self.value,)

    def forget(self) -> bool:
        """Return false: nobody else has the item."""
        return False


class Outbox:
    """Bounded, coalescing queue between the tasks and the publisher's thread.

    Tasks put entries, the worker says how much may be held (:meth:`pause`, :meth:`squeeze`), and
    the publisher's thread takes entries out and accounts for what it has of them.
    """

    def __init__(self, budget: int, limit: int = ENTRY_LIMIT) -> None:
        self.limit = limit
        self._budget = budget
        self._lock = threading.Lock()
        self._intake: deque[Entry] = deque()
        # Ordered: what was taken from the front of a plain dict is stepped over again each time.
        self._ready: OrderedDict[Hashable, Entry] = OrderedDict()
        self._held = HeldBytes()
        self._placing: tuple[Entry, Held] | None = None
        self._bytes_away = 0
        self._fresh_bytes = self._fresh = 0  # put since the intake was sorted
        self._unacknowledged = 0
        self._serial = 0
        self._oldest: deque[Hashable] = deque()
        self._tallies: dict[str, Tally] = {}
        self._changed: set[str] = set()
        # Each is set by one method; what follows from them is worked out from them alone.
        self._paused = self._alone = self._squeezed = False
        self._allowed = budget  # the budget of the moment, or less than any entry
        self._must_forget = False
        self._awake = True
        self._closed = ""

    def __repr__(self) -> str:
        state = self._closed or self.withholds or ("squeezed" if self._squeezed else "open")
        return f"<Outbox {state}: {len(self)} entries, {self.held} of {self.budget} bytes>"

    # -- how much may be held --------------------------------------------------------------

    def pause(self, paused: bool) -> bool:
        """Hold no values while the worker is paused; return whether :meth:`forget` is due."""
        with self._lock:
            begins, self._paused = paused and not self._paused, paused
            self._set_allowed()
            self._must_forget |= begins
            return begins

    def squeeze(self, squeezed: bool) -> bool:
        """Hold little near the worker's limits of memory; return whether :meth:`forget` is due."""
        with self._lock:
            begins, self._squeezed = squeezed and not self._squeezed, squeezed
            self._set_allowed()
            self._must_forget |= begins
            return begins

    def leave_alone(self, alone: bool) -> None:
        """Hold no values while there has been no receiver for long. The publisher's thread."""
        with self._lock:
            self._alone = alone
            self._set_allowed()

    def _set_allowed(self) -> None:
        self._allowed = -1 if self.withholds else self.budget

    def close(self, reason: str) -> None:
        """Drop everything that waits, and whatever comes from here on."""
        with self._lock:
            self._closed = reason
        self.clear(reason)

    @property
    def withholds(self) -> str:
        """Why no values are held at present; empty if they are."""
        return "worker-paused" if self._paused else "no-viewer" if self._alone else ""

    @property
    def budget(self) -> int:
        """Bytes of values that may be held at present."""
        return min(self._budget, SQUEEZED) if self._squeezed else self._budget

    @property
    def full(self) -> str:
        """Reason that is counted where the budget leaves no room."""
        return "worker-memory" if self._squeezed else "queue-full"

    # -- the side of the tasks -------------------------------------------------------------

    def put(self, entry: Entry) -> bool:
        """Take an entry; return whether to wake the publisher's thread. Never fails or blocks."""
        nbytes = entry.nbytes
        with self._lock:
            tally = self._tally(entry.layer)
            tally.selected += 1
            if type(nbytes) is not int or not 0 <= nbytes <= MOST_BYTES:
                tally.drop("size unknown")  # anybody may write an entry
                return False
            if self._closed:
                tally.drop(self._closed)
                return False
            if len(self) >= self.limit:
                tally.drop("queue-full")
                return False
            tally.pending += 1
            over = self.held + self._held.more(entry) > self._allowed
            if over and not self._make_room(entry):
                self._drop(entry, self.withholds or self.full)
                return False
            nbytes = self._held.add(entry)
            self._fresh_bytes += nbytes
            if entry.policy == "latest":
                self._intake.append(entry)
            else:  # nothing to coalesce with, so its place need not be known
                self._insert(entry, None)
            if not self._awake:
                self._awake = True
                return True
            crossed = self._fresh_bytes >= WAKE_BYTES > self._fresh_bytes - nbytes
            self._fresh += 1
            return crossed or self._fresh == WAKE_ENTRIES

    def refusal(self, layer: str, key: str = "") -> Refusal | None:
        """Return why nothing can be queued for a layer, if so. Cheap for layers in use."""
        if layer in self._tallies:
            return None
        reason = "too many layers" if len(self._tallies) >= LAYERS else unfit_name(layer)
        return unsendable(reason, layer, key) if reason else None

    def refuse(self, layer: str, reason: str) -> None:
        """Count an output that was selected but cannot even be queued."""
        with self._lock:
            tally = self._tally(OTHERS if self.refusal(layer) else layer)
            tally.selected += 1
            tally.drop(reason)

    def no_room(self, nbytes: int, policy: Policy) -> str:
        """Return why a value that cannot be found again has no room now; empty if it has.

        For a caller who would have to copy it first; the answer may be out of date.
        """
        if reason := self._closed or self.withholds:
            return reason
        if len(self) >= self.limit:
            return "queue-full"
        held = self._bytes_away if policy == "drop-oldest" else self.held
        return self.full if held + nbytes > self.budget else ""

    def _make_room(self, entry: Entry) -> bool:
        if entry.policy != "drop-oldest" or self.withholds:
            return entry.forget()
        while self.held + self._held.more(entry) > self.budget and self._oldest:
            oldest = self._ready.pop(self._oldest.popleft(), None)
            if oldest is not None:  # None: it was sent meanwhile
                self._held.remove(oldest)
                self._drop(oldest, "drop-oldest")
        return self.held + self._held.more(entry) <= self.budget

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
            self._placing = entry, Held(entry.nbytes, entry.owner)
            return entry

    def end_placing(self, entry: Entry, place: Hashable) -> None:
        """Queue an entry at its place, coalescing as the policies say.

        It may hold less than before; nothing happens if the outbox was cleared meanwhile.
        """
        with self._lock:
            if self._take_placing(entry):
                if self.withholds:
                    entry.forget()
                self._held.add(entry)
                self._insert(entry, place)

    def cannot_place(self, entry: Entry, reason: str) -> None:
        """Drop an entry that has no place."""
        with self._lock:
            if self._take_placing(entry):
                self._drop(entry, reason)

    def _take_placing(self, entry: Entry) -> bool:
        if self._placing is None or self._placing[0] is not entry:
            return False
        self._held.remove(self._placing[1])
        self._placing = None
        return True

    def _insert(self, entry: Entry, place: Hashable) -> None:
        if entry.policy != "latest":
            self._serial += 1
            place = self._serial
            if entry.policy == "drop-oldest":
                self._oldest.append(place)
        replaced = self._ready.get(place)
        self._ready[place] = entry  # keeps the turn of the entry that it replaces
        if replaced is not None:
            self._held.remove(replaced)
            self._coalesce(replaced)

    def pop(self) -> Entry | None:
        """Return the next entry, which stays queued in the counts until told otherwise."""
        with self._lock:
            if not self._ready:
                return None
            _, entry = self._ready.popitem(last=False)
            self._held.remove(entry)
            while self._oldest and self._oldest[0] not in self._ready:
                self._oldest.popleft()
            return entry

    def may_sleep(self) -> bool:
        """Return whether nothing waits; the next :meth:`put` then asks for a wake-up."""
        with self._lock:
            self._awake = bool(self._intake or self._ready)
            return not self._awake

    def account_away(self, nbytes: int) -> None:
        """Set the bytes of values that were taken out and may not have arrived.

        They count against the budget.
        """
        self._bytes_away = nbytes

    def sent(self, layer: str) -> None:
        """Count a popped entry as sent."""
        with self._lock:
            tally = self._tally(layer)
            tally.pending -= 1
            tally.sent += 1
            self._unacknowledged += 1

    def acknowledge(self, number: int) -> None:
        """Count sent items as arrived."""
        with self._lock:
            self._unacknowledged -= number

    def split(self, entry: Entry, parts: Sequence[Item | Refusal]) -> list[Item]:
        """Count a popped entry as its parts; return those that can be sent."""
        items = [part for part in parts if isinstance(part, Item)]
        with self._lock:
            if not parts:
                self._drop(entry, "empty")
                return items
            tally = self._tally(entry.layer)
            tally.selected += len(parts) - 1
            tally.pending += len(parts) - 1
            for part in parts:
                if isinstance(part, Refusal):
                    self._drop(entry, part.reason)
        if not isinstance(entry, ItemEntry):  # whose item is itself: nothing to make again
            for number, part in enumerate(parts):
                if isinstance(part, Item):
                    part.source = part.source or (entry, number)
            entry.forget()  # the items have what they need of the value
        return items

    def drop(self, entry: Entry, reason: str) -> None:
        """Count a popped entry as dropped."""
        with self._lock:
            self._drop(entry, reason)

    def unpop(self, entries: Iterable[Entry]) -> None:
        """Put popped entries back at the front."""
        with self._lock:
            waiting, self._ready = self._ready, OrderedDict()
            for entry in entries:
                self._held.add(entry)
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
                tally = self._tally(entry.layer)
                tally.sent -= 1
                tally.pending += 1
            self._unacknowledged -= len(entries)
        self.unpop(entries)

    def forget(self) -> bool:
        """Let go of values that can be found again, if few or none may be held now.

        Returns whether that is so; then the caller lets go of its own.
        """
        with self._lock:
            due = self._must_forget or self.withholds != ""
            self._must_forget = False
            if due and self._held.total:
                for entry in (*self._intake, *self._ready.values()):
                    if entry.nbytes:
                        self._held.remove(entry)
                        entry.forget()
                        self._held.add(entry)
            return due

    def clear(self, reason: str) -> None:
        """Drop everything that waits."""
        with self._lock:
            placing = () if self._placing is None else self._placing[:1]
            for entry in (*placing, *self._intake, *self._ready.values()):
                self._drop(entry, reason)
            self._placing = None
            self._intake.clear()
            self._ready.clear()
            self._oldest.clear()
            self._held.clear()

    def start_over(self) -> None:
        """Begin the counts anew for another viewer, for which only what waits was selected."""
        with self._lock:
            for layer, tally in self._tallies.items():
                self._tallies[layer] = Tally(selected=tally.pending, pending=tally.pending)
            self._changed = set(self._tallies)

    def counts(self, *, changed: bool = False) -> dict[str, Tally]:
        """Return counts by layer: all, or those that changed since they were last asked for."""
        with self._lock:
            layers = self._changed if changed else self._tallies.keys()
            counts = {layer: self._tallies[layer].copy() for layer in layers}
            if changed:
                self._changed = set()
            return counts

    def undelivered(self) -> int:
        """Return the number of items that wait, or were sent and may not have arrived."""
        with self._lock:
            pending = sum(tally.pending for tally in self._tallies.values())
            return pending + self._unacknowledged

    @property
    def has_news(self) -> bool:
        """Return whether counts have changed since they were last asked for."""
        return bool(self._changed)

    # -- both ------------------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """Bytes of values that wait."""
        return self._held.total

    @property
    def held(self) -> int:
        """Bytes of values that wait or are away, which the budget bounds."""
        return self._held.total + self._bytes_away

    @property
    def away(self) -> int:
        """Bytes of values that were taken out and may not have arrived."""
        return self._bytes_away

    def __len__(self) -> int:
        return len(self._intake) + len(self._ready) + (self._placing is not None)

    def _tally(self, layer: str) -> Tally:
        self._changed.add(layer)
        try:
            return self._tallies[layer]
        except KeyError:
            return self._tallies.setdefault(layer, Tally())

    def _drop(self, entry: Entry, reason: str) -> None:
        tally = self._tally(entry.layer)
        tally.pending -= 1
        tally.drop(reason)

    def _coalesce(self, entry: Entry) -> None:
        tally = self._tally(entry.layer)
        tally.pending -= 1
        tally.coalesced += 1
