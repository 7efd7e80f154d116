"""Counts of what was put into an outbox: the publisher's side of the ledger, by layer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Final

from dask_napari.model import Item, Refusal, Tally, unfit_name
from dask_napari.stream.send._sendable import unsendable

LAYERS: Final = 1024
"""Layers of one publisher. A viewer draws 256; each has counts here, which travel together."""

OTHERS: Final = "(other layers)"
"""Name under which the outputs of all further layers are counted together."""


class OutputCounts:
    """Tallies by layer, which are balanced between any two calls, from any thread.

    A subclass counts under the lock with which it changes what it counts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[str, Tally] = {}
        self._changed: set[str] = set()
        self._unacknowledged = 0

    def __repr__(self) -> str:
        return f"<OutputCounts of {len(self._tallies)} layers>"

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

    def split(self, layer: str, parts: Sequence[Item | Refusal]) -> list[Item]:
        """Count a popped output as its parts; return those that are not refused."""
        with self._lock:
            if not parts:
                self._drop(layer, "empty")
                return []
            tally = self._tally(layer)
            tally.selected += len(parts) - 1
            tally.pending += len(parts) - 1
            for part in parts:
                if isinstance(part, Refusal):
                    self._drop(layer, part.reason)
        return [part for part in parts if isinstance(part, Item)]

    def drop(self, layer: str, reason: str) -> None:
        """Count a popped output as dropped."""
        with self._lock:
            self._drop(layer, reason)

    def sent(self, layers: Iterable[str]) -> None:
        """Count a popped item of each of the layers as sent."""
        with self._lock:
            for layer in layers:
                tally = self._tally(layer)
                tally.pending -= 1
                tally.sent += 1
                self._unacknowledged += 1

    def acknowledge(self, number: int) -> None:
        """Count sent items as arrived."""
        with self._lock:
            self._unacknowledged -= number

    def start_over(self) -> None:
        """Begin anew for another viewer, for which only what waits was selected."""
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

    @property
    def has_news(self) -> bool:
        """Return whether counts have changed since they were last asked for."""
        return bool(self._changed)

    def undelivered(self) -> int:
        """Return the number of items that wait, or were sent and may not have arrived."""
        with self._lock:
            pending = sum(tally.pending for tally in self._tallies.values())
            return pending + self._unacknowledged

    # -- under the lock --------------------------------------------------------------------

    def _tally(self, layer: str) -> Tally:
        self._changed.add(layer)
        try:
            return self._tallies[layer]
        except KeyError:
            return self._tallies.setdefault(layer, Tally())

    def _drop(self, layer: str, reason: str) -> None:
        tally = self._tally(layer)
        tally.pending -= 1
        tally.drop(reason)

    def _coalesce(self, layer: str) -> None:
        tally = self._tally(layer)
        tally.pending -= 1
        tally.coalesced += 1

    def _unsend(self, layer: str) -> None:
        tally = self._tally(layer)
        tally.sent -= 1
        tally.pending += 1
        self._unacknowledged -= 1
