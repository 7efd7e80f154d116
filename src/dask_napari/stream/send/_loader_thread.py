"""The thread on which code of others runs, and which can be given up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dask_napari.model import Refusal, contain
from dask_napari.stream.send._entries import Entry
from dask_napari.stream.send._item_memory import release_bases

logger = logging.getLogger(__name__)

END_TIMEOUT: Final = 1.0
"""Seconds for a thread that waits for its turn to end; it does at once if it gets the GIL."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Outcome of a call that raised."""

    error: BaseException


Job = tuple[Entry, bool]
"""An entry, and whether it is called for its items or for its place. There are two for each output,
and a tuple is made in a fifth of the time that a class takes."""


def run(entry: Entry, makes_items: bool) -> object:
    """Return items or place, or the error: whatever is raised would end the thread."""
    try:
        if not makes_items:
            return entry.place()
        parts = entry.items()
    except BaseException as error:
        contain(error, foreign=True)  # anybody may write an entry
        return Failure(error)
    try:
        release_bases(parts)
    except Refusal as refusal:
        return Failure(refusal)
    return parts


class LoaderThread(threading.Thread):
    """Thread that does jobs, until it is given up or ended.

    ``job`` is the one that it is at, None while it waits for its turn; ``proceed`` takes the
    outcome of each job, and sets the next one.
    """

    def __init__(self, proceed: Callable[[LoaderThread, Job, object], None]) -> None:
        # A daemon: what hangs must not keep an interpreter from ending.
        super().__init__(name="dask-napari-loader", daemon=True)
        self.given_up = False
        self.layer = ""
        self.job: Job | None = None
        self._proceed = proceed
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
        self.join(END_TIMEOUT)

    def run(self) -> None:
        """Do jobs. Called by the interpreter."""
        try:
            while not self.given_up:
                self._turn.acquire()
                while (job := self.job) is not None and not self.given_up:
                    self.layer = job[0].layer
                    self._proceed(self, job, run(*job))
                    del job  # while it waits it holds no output
        except BaseException as error:
            logger.exception("the loader's thread ended by an error; another one goes on")
            contain(error)
