"""The loader: entries find their places and become items, other people's code under a watch."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from dask_napari.model import Item, Refusal, Reports, contain, reason_of, release_bases
from dask_napari.stream.send._outbox import Entry, Outbox
from dask_napari.stream.send._pacing import NAP

logger = logging.getLogger(__name__)

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


@dataclass(slots=True)
class Job:
    """A call of an entry: for its items, or for its place."""

    entry: Entry
    makes_items: bool

    def run(self) -> object:
        """Return items or place, or the error: whatever is raised would end the thread."""
        try:
            if not self.makes_items:
                return self.entry.place()
            parts = self.entry.items()
            release_bases([part for part in parts if isinstance(part, Item)])
            return parts
        except BaseException as error:
            contain(error, foreign=True)  # anybody may write an entry
            return Failure(error)


@dataclass(frozen=True, slots=True)
class Failure:
    """Outcome of a call that raised."""

    error: BaseException


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
        if self._thread is not None and (job := self._thread.job) is not None and job.makes_items:
            nbytes += job.entry.nbytes
        return nbytes + sum(job.entry.nbytes for hung in self._hung if (job := hung.job))

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
            if not job.entry.foreign:
                self._settle(job, job.run())
            elif (refusal := self._refusal(job.entry)) is not None:
                self._settle(job, Failure(refusal))
            elif self._hand_over(job):
                return

    def take(self) -> Item | None:
        """Hand over the next item."""
        with self._lock:
            if not self._made:
                return None
            item = self._made.popleft()
            self._made_bytes -= item.nbytes
            return item

    def put_back(self, item: Item) -> None:
        """Take an item back that does not fit into the batch."""
        with self._lock:
            self._made.appendleft(item)
            self._made_bytes += item.nbytes

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
        try:
            if self._thread is None:
                self._thread = LoaderThread(self)
                self._thread.start()
        except RuntimeError as error:
            self._thread = None
            self._reports.error("no thread", error, layer=job.entry.layer, key=key_of(job.entry))
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
                done = "read" if job.makes_items else "placed"
                reason = f"not {done} within {self._patience:g} s"
                text = (
                    f"the output was {reason}, and is left out; if this is not a hang, raise "
                    "dask-napari.output-timeout in the Dask configuration"
                )
                entry = job.entry
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
                refusal = self._refusal(following.entry) if following.entry.foreign else None
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
                return Job(entry, makes_items=False)
        if not self.has(self._most) and (entry := self.outbox.pop()) is not None:
            return Job(entry, makes_items=True)
        return None

    def _settle(self, job: Job, outcome: object) -> None:
        """Count the outcome of a job, and keep the items that it has made."""
        entry = job.entry
        if isinstance(outcome, Failure):
            error = outcome.error
            if job.makes_items and not isinstance(error, Refusal):
                # A bug or an odd output. Refusals were reported by whoever wrote the entry.
                reason, key = reason_of(error), key_of(entry)
                self._reports.error(reason, error, layer=entry.layer, key=key, traceback=True)
            self._drop(job, reason_of(error))
        elif job.makes_items:
            parts: Sequence[Item | Refusal] = outcome  # type: ignore[assignment]
            if not self._made:
                self._made_at = time.monotonic()
            for item in self.outbox.split(entry, parts):
                self._made.append(item)
                self._made_bytes += item.nbytes
        else:
            place: Hashable = outcome
            self.outbox.end_placing(entry, place)

    def _drop(self, job: Job, reason: str) -> None:
        if job.makes_items:
            self.outbox.drop(job.entry, reason)
        else:
            self.outbox.cannot_place(job.entry, reason)


class LoaderThread(threading.Thread):
    """Thread that runs other people's code, until it is given up or ended.

    ``job`` is the call that it is at, None while it waits for its turn.
    """

    def __init__(self, loader: Loader) -> None:
        # A daemon: what hangs must not keep an interpreter from ending.
        super().__init__(name="dask-napari-loader", daemon=True)
        self.given_up = False
        self.layer = ""
        self.job: Job | None = None
        self._loader = loader
        self._turn = threading.Semaphore(0)

    def __repr__(self) -> str:
        state = "given up" if self.given_up else "at work" if self.job else "waiting"
        return f"<LoaderThread {state} for {self.layer!r}>"

    def begin(self, job: Job) -> None:
        """Let the thread have its turn, from that job on."""
        self.job = job
        self._turn.release()

    def end(self) -> None:
        """End the thread, which waits for its turn."""
        self.given_up = True
        self._turn.release()
        self.join(LOOK)

    def run(self) -> None:
        """Do jobs. Called by the interpreter."""
        try:
            while not self.given_up:
                self._turn.acquire()
                while (job := self.job) is not None and not self.given_up:
                    self.layer = job.entry.layer
                    self._loader.proceed(self, job, job.run())
                    del job  # while it waits it holds no output
        except BaseException as error:
            logger.exception("the loader's thread ended by an error; another one goes on")
            contain(error)


def key_of(entry: Entry) -> object:
    """Return the key of the task whose output an entry is; empty if there is none."""
    return getattr(entry, "key", "")
