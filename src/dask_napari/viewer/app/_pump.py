"""The pump: a timer that moves items from the board to the layers, and never for long."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, QTimer

from dask_napari.catalog import CatalogueEntry, State
from dask_napari.model import Item, LayerSpec, Refusal, reason_of
from dask_napari.stream.receive import Board
from dask_napari.viewer.app._sliders import Sliders
from dask_napari.viewer.layers import Layers

if TYPE_CHECKING:
    from dask_napari.stream.receive import Receiver


INTERVAL_MS: Final = 33
"""Milliseconds; 30 pictures a second. A signal per item draws fewer, not more."""

BUDGET: Final = 0.010
"""Seconds of a tick for putting items; what is left over waits for the next one, and the
window stays responsive."""

HIDDEN: Final = "hidden"
"""Reason under which items are counted whose layer the user has removed."""

CLEARED: Final = "cleared"
"""Reason under which items are counted that the user has let go."""

REASONS: Final[Mapping[State, str]] = {"shown": "", "hidden": HIDDEN, "dropped": CLEARED}
"""Reasons by the states of entries with an item; empty for those that count as shown."""

STATUSES: Final = 1000
"""States of tasks that are entered in a tick; each takes some 8 us."""

CHUNK: Final = 16
"""Items between looks at the clock; each costs some 20 us."""


class Pump(QObject):  # type: ignore[misc]
    """Move items from a board to the layers, then update each layer at most once."""

    def __init__(self, receiver: Receiver, board: Board, layers: Layers, sliders: Sliders) -> None:
        super().__init__()
        self._receiver = receiver
        self._board = board
        self._layers = layers
        self._sliders = sliders
        self._reports = layers.reports
        layers.catalogue.views.append(self._recount)
        self._waiting: list[Item] = []
        """Items off the board, the first of which asks for a layout that is under way."""
        self.ticking = False
        """True while a tick is under way: napari lets events in while it makes a layer."""
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.tick)

    def __repr__(self) -> str:
        return f"<Pump from {self._board} to {self._layers}>"

    def start(self) -> None:
        """Start the timer."""
        self._timer.start()

    def stop(self) -> None:
        """Stop the timer."""
        self._timer.stop()

    def tick(self, budget: float = BUDGET, *, force: bool = False) -> None:
        """Put what fits into the budget, and show it; with ``force`` whatever that takes."""
        outermost, self.ticking = not self.ticking, True
        try:
            self._put_some(time.monotonic() + budget)
            self._learn()
            now = time.monotonic()
            self._layers.update(now, force=force)
            self._sliders.update(now)
        except Exception as error:
            # Never raised: Qt aborts a process whose slot does. Tests see the ERROR record.
            self._reports.error("tick failed", error, traceback=True, level=logging.ERROR)
        finally:
            self.ticking = not outermost

    def drain(self) -> None:
        """Put everything that waits, however long it takes; for a picture of it all."""
        while len(self._board) or self._waiting:
            self.tick(1.0)
            if self._layers.store.behind:
                self._layers.store.settle(1.0)
        self._sliders.update(time.monotonic(), force=True)
        self.tick(force=True)

    def _put_some(self, deadline: float) -> None:
        specs, store = None, self._layers.store
        # What waits for the disk waits on the board, which makes the senders wait: memory stays
        # within its limit at any rate.
        while time.monotonic() < deadline and not store.behind:
            items = self._waiting or self._board.take(max_items=CHUNK, max_bytes=store.room)
            if not items:
                return
            specs = specs if specs is not None else self._receiver.layers()
            put: list[tuple[Item, State]] = []
            for item in items:
                state = self._put(item, specs.get(item.layer))
                if state is None:
                    break
                put.append((item, state))
            self._waiting = items[len(put) :]
            self._board.shown([item for item, state in put if state == "shown"])
            for item, state in put:
                if state == "hidden":
                    self._board.drop(item, HIDDEN)
            if self._waiting:
                return

    def _learn(self) -> None:
        """Enter the states of tasks."""
        for run, status in self._receiver.cluster.take_statuses(STATUSES):
            self._layers.catalogue.learn(status, run)

    def _recount(self, changed: Sequence[tuple[CatalogueEntry, State]]) -> None:
        """Count entries anew: the user removed a layer, took it back, or cleared a run."""
        moves: Counter[tuple[str, str, str, str | None]] = Counter()
        for entry, before in changed:
            if entry.item is None:
                continue
            was, layer = REASONS[before], entry.meta.layer
            moves[entry.item.publisher, layer, was, REASONS[entry.state]] += 1
            for publisher, number in (entry.replaced or {}).items():
                moves[publisher, layer, was, None] += number
            entry.replaced = None
        for (publisher, layer, was, now), number in moves.items():
            self._board.recount(publisher, layer, was, now, number)

    def _put(self, item: Item, spec: LayerSpec | None) -> State | None:
        key = item.provenance.key
        try:
            return self._layers.put(item, spec)
        except Refusal as error:
            self._board.drop(item, error.reason)
            self._reports.error(error.reason, error.detail, layer=item.layer, key=key)
        except Exception as error:
            reason, level = reason_of(error), logging.ERROR
            self._board.drop(item, reason)
            self._reports.error(
                reason, error, layer=item.layer, key=key, traceback=True, level=level
            )
        return "dropped"
