"""The loader: entries find their places and become items, other people's code under a watch."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from dask_napari.model import Item, Refusal, Reports, SharedPlaces, reason_of
from dask_napari.stream.send._entries import Entry, ItemEntry, key_of
from dask_napari.stream.send._loader_thread import Failure, Job, LoaderThread, run
from dask_napari.stream.send._outbox import Outbox
from dask_napari.stream.send._pacing import NAP

LOAD_ITEMS: Final = 64
"""Items of a batch, which are made ahead: the cost of a message is spread thin by then."""

GATHERING: Final = 0.05
"""Seconds for which items wait for others of their batch that the thread is making."""

LOOK: Final = 1.0
"""Seconds that one look at the thread counts for at most: a process that was stopped, or whose
GIL a task held, has given other people's code no time."""

HUNG_OF_LAYER: Final = 2
"""Threads given up for one layer at a time; its tap's further outputs would hang as well."""

HUNG: Final = 8
"""Threads given up at a time; each holds an output and a stack."""


class Loader:
    """Take entries out of the outbox, in their order, and make items of them.

    The publisher's thread does it by itself as long as that runs code of this package alone.
    Entries that are foreign have their turn on a thread that is given up, for another one, when an
    entry does not return in ``patience`` seconds: the output is dropped, and the stream goes on.
    """

    def __init__(
        self,
        outbox: Outbox,
        reports: Reports,
        wake: Callable[[], None] = lambda: None,
        patience: float = 10.0,
    ) -> None:
        self.outbox = outbox
        self.wake = wake
        self._reports = reports
        self._shared = SharedPlaces(reports)
        self._patience = patience
        self._lock = threading.Lock()
        self._made: deque[Item] = deque()
        self._made_bytes = 0
        self._most = 0  # bytes of items to make in this turn
        self._to_place = 0
        self._thread: LoaderThread | None = None
        self._hung: list[LoaderThread] = []
        self._made_at = self._looked = self._waited = 0.0
        self._seen: Job | None = None

    def __repr__(self) -> str:
        state = "loading" if self.busy else "idle"
        return f"<Loader {state}: {len(self._made)} items made, {len(self._hung)} threads given up>"

    # -- the publisher's thread ------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while the loader's thread has its turn."""
        return self._thread is not None and self._thread.job is not None

    @property
    def gathering(self) -> bool:
        """True if a batch had better wait for items that are being made."""
        return self.busy and time.monotonic() - self._made_at < GATHERING

    @property
    def pause(self) -> float:
        """Seconds until the next look at the thread; it wakes the publisher when it is done."""
        return NAP if self.busy else float("inf")

    @property
    def idle(self) -> bool:
        """True if no item is made or being made; entries may wait in the outbox."""
        return not (self._made or self.busy)

    @property
    def nbytes(self) -> int:
        """Bytes of items that were made, and of entries with the thread and with hung ones."""
        nbytes = self._made_bytes
        if self._thread is not None and (job := self._thread.job) is not None:
            entry, makes_items = job
            nbytes += entry.nbytes if makes_items else 0  # the outbox counts it until then
        return nbytes + sum(job[0].nbytes for hung in self._hung if (job := hung.job))

    def has(self, most: int) -> bool:
        """Return whether items of so many bytes are made, or as many as a batch holds."""
        return self._made_bytes >= most or len(self._made) >= LOAD_ITEMS

    def look(self) -> None:
        """Note what was put: it is placed by :meth:`advance`, and what comes later is not."""
        fresh = self.outbox.look()
        if not self.busy:
            self._to_place = fresh

    def advance(self, most: int = 0) -> None:
        """Place entries, and make items of so many bytes: here, or in the loader's thread."""
        if self.busy:
            self._watch()
            return
        self._most = most
        while (job := self._next()) is not None:
            entry, _ = job
            if not entry.foreign:
                self._settle(job, run(*job))
            elif (refusal := self._refusal(entry)) is not None:
                self._settle(job, Failure(refusal))
            elif self._hand_over(job):
                return

    def take(self) -> deque[Item]:
        """Hand over all items that were made."""
        with self._lock:
            made, self._made, self._made_bytes = self._made, deque(), 0
            return made

    def put_back(self, items: deque[Item]) -> None:
        """Take items back that do not fit into the batch."""
        if items:
            with self._lock:
                items.extend(self._made)
                self._made, self._made_bytes = items, sum(item.nbytes for item in items)

    def abandon(self, reason: str) -> None:
        """Give up what the thread is doing."""
        if self.busy:
            self._give_up(reason)

    def close(self, reason: str) -> None:
        """Give up what the thread is doing, and end it."""
        self.abandon(reason)
        if self._thread is not None:
            self._thread.end()
            self._thread = None

    def _hand_over(self, job: Job) -> bool:
        entry, _ = job
        try:
            if self._thread is None:
                self._thread = LoaderThread(self.proceed)
                self._thread.start()
        except RuntimeError as error:
            self._thread = None
            self._reports.error("no thread", error, layer=entry.layer, key=key_of(entry))
            self._settle(job, Failure(Refusal("no thread")))
            return False
        self._looked = time.monotonic()
        self._waited, self._seen = 0.0, job
        self._thread.begin(job)
        return True

    def _watch(self) -> None:
        """Give the thread up if it has been at one entry for too long."""
        thread = self._thread
        assert thread is not None
        now = time.monotonic()
        looked, self._looked = self._looked, now
        if thread.job is not self._seen:
            self._seen, self._waited = thread.job, 0.0
            return
        self._waited += min(now - looked, LOOK)
        if self._waited > self._patience or not thread.is_alive():
            self._give_up("")

    def _give_up(self, reason: str) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
            assert thread is not None
            job = thread.job
            thread.given_up = True
            if job is None:
                return  # it has just returned
            self._hung = [other for other in self._hung if other.is_alive()]
            self._hung.append(thread)
            if not reason:
                entry, makes_items = job
                done = "read" if makes_items else "placed"
                reason = f"not {done} within {self._patience:g} s"
                text = (
                    f"the output was {reason}, and is left out; if this is not a hang, raise "
                    "dask-napari.output-timeout in the Dask configuration"
                )
                self._reports.error(reason, text, layer=entry.layer, key=key_of(entry))
            self._drop(job, reason)

    def _refusal(self, entry: Entry) -> Refusal | None:
        """Return why a foreign entry is not even begun, if so; reported once."""
        if not self._hung:
            return None
        hung = [thread for thread in self._hung if thread.is_alive()]
        self._hung = hung
        of_layer = sum(thread.layer == entry.layer for thread in hung)
        if of_layer < HUNG_OF_LAYER and len(hung) < HUNG:
            return None
        reason = "earlier outputs hang"
        text = f"{len(hung)} outputs hang; others like them are not begun until one returns"
        self._reports.error(reason, text, layer=entry.layer, key=key_of(entry))
        return Refusal(reason)

    # -- whoever has the turn --------------------------------------------------------------

    def proceed(self, thread: LoaderThread, job: Job, outcome: object) -> None:
        """Take an outcome from the thread and give it its next job, or none: its turn is over."""
        with self._lock:
            if thread.given_up:
                thread.job = None
                return
            self._settle(job, outcome)
            while (following := self._next()) is not None:
                entry, _ = following
                refusal = self._refusal(entry) if entry.foreign else None
                if refusal is None:
                    break
                self._settle(following, Failure(refusal))
            thread.job = following
        if following is None:
            self.wake()

    def _next(self) -> Job | None:
        if self._to_place:
            self._to_place -= 1
            if (entry := self.outbox.begin_placing()) is not None:
                return entry, False
        if not self.has(self._most) and (entry := self.outbox.pop()) is not None:
            return entry, True
        return None

    def _settle(self, job: Job, outcome: object) -> None:
        """Count the outcome of a job, and keep the items that it has made."""
        entry, makes_items = job
        if type(outcome) is Failure:
            self._drop(job, reason_of(outcome.error))
            if makes_items:
                self._report(entry, outcome.error)
        elif makes_items:
            parts: Sequence[Item | Refusal] = outcome  # type: ignore[assignment]
            if not self._made:
                self._made_at = time.monotonic()
            for item in self._split(entry, parts):
                self._made.append(item)
                self._made_bytes += item.nbytes
        else:
            place: Hashable = outcome
            replaced = self.outbox.end_placing(entry, place)
            if replaced is not None:
                self._shared.add(entry.layer, place, key_of(entry), key_of(replaced))

    def _report(self, entry: Entry, error: BaseException) -> None:
        refused = isinstance(error, Refusal)
        if refused and not isinstance(entry, ItemEntry):
            return  # whoever wrote the entry has reported it
        key = key_of(entry)
        self._reports.error(
            reason_of(error), error, layer=entry.layer, key=key, traceback=not refused
        )

    def _split(self, entry: Entry, parts: Sequence[Item | Refusal]) -> Sequence[Item]:
        if type(entry) is ItemEntry:
            return parts  # type: ignore[return-value] # itself: nothing to count or to make again
        items = self.outbox.split(entry.layer, parts)
        for number, part in enumerate(parts):
            if isinstance(part, Item):
                part.source = part.source or (entry, number)
        entry.forget()  # the items have what they need of the value
        return items

    def _drop(self, job: Job, reason: str) -> None:
        entry, makes_items = job
        if makes_items:
            self.outbox.drop(entry.layer, reason)
        else:
            self.outbox.cannot_place(entry, reason)
