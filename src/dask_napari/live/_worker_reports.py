"""Reports of workers from which nothing is streamed, so that no stream can carry them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Final

logger = logging.getLogger(__name__)

CAUSES_LIMIT: Final = 32
"""Causes that are kept; nobody reads more."""

TEXT_LIMIT: Final = 500
"""Characters of a text; the worker's log has all of it."""

NAMED: Final = 3
"""Workers that a report names; the others are counted."""


class WorkerReports:
    """Keep what workers say by Dask's events, one report a cause; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: dict[tuple[str, str], dict[str, None]] = {}
        self._changed = False

    def __repr__(self) -> str:
        return f"<WorkerReports: {len(self._workers)} causes>"

    def hear(self, event: tuple[float, dict[str, str]]) -> None:
        """Keep an event; Dask calls this on the client's event loop."""
        _, told = event
        self.add(told["worker"], told["reason"], told["text"])

    def add(self, worker: str, reason: str, text: str) -> None:
        """Keep a report of a worker; the log has each cause once."""
        cause = reason[:TEXT_LIMIT], text[:TEXT_LIMIT]
        with self._lock:
            if cause not in self._workers:
                if len(self._workers) >= CAUSES_LIMIT:
                    return
                logger.warning("%s: %s; the dock names others", worker, text)
            self._workers.setdefault(cause, {})[worker] = None
            self._changed = True

    def changed(self) -> list[list[str]]:
        """Return all reports if there are new ones: whom they are of, cause, and text."""
        with self._lock:
            if not self._changed:
                return []
            self._changed = False
            return [[named(workers), *cause] for cause, workers in self._workers.items()]


def named(workers: Iterable[str]) -> str:
    """Return names of workers, fit for a line.

    >>> named(["a", "b"]), named("abcdef")
    ('a, b', 'a, b, c and 3 more')
    """
    names = [*workers]
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
