"""The ledger of one handle, joined from what sinks and viewer last said."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from dask_napari.live._worker_reports import named
from dask_napari.model import Counts, Ledger, Tally, unmatched

NAMED: Final = 4
"""Workers that are named where more than that are waited for; a line of the log is for people."""

_NO_COUNTS: Final = Counts("", False, {}, {})


class ClientLedger:
    """Remember what each sink and the viewer last said, and join both.

    So the counts of a sink that cannot reach the viewer are seen, and those of a worker or viewer
    that is gone are kept. The ledger is of one viewer: once that is gone, sinks that begin to
    count for another one are not listened to.

    >>> from dask_napari.model import TapMatches
    >>> ledger = ClientLedger()
    >>> counts = {"raw": Tally(selected=2, pending=2)}
    >>> sink = {"name": "w", "viewer": "", "taps": TapMatches(), "counts": counts, "uncounted": {}}
    >>> ledger.hear_sinks([sink], asked=1.0)
    >>> print(ledger.joined())
    raw: 2 selected = 0 shown + 0 coalesced + 0 dropped + 2 pending
    >>> ledger.viewer_gone = True
    >>> print(ledger.joined())
    raw: 2 selected = 0 shown + 0 coalesced + 2 dropped (viewer-gone: 2) + 0 pending
    """

    def __init__(self) -> None:
        self.viewer_gone = False
        self.viewer_silent = False
        """True if the viewer did not answer when it was asked last."""
        self._lock = threading.Lock()
        self._viewer_asked = self._sinks_asked = 0.0
        self._viewer: Mapping[str, Counts] = {}
        self._sinks: Mapping[str, Mapping[str, Any]] = {}
        self._answered: frozenset[str] = frozenset()
        self._silent: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        viewer = "gone" if self.viewer_gone else "there"
        return f"<ClientLedger: {len(self._sinks)} sinks heard, viewer {viewer}>"

    def hear_viewer(self, counts: Mapping[str, Counts], asked: float) -> None:
        """Take over both sides of the viewer's ledger, unless it was asked again since."""
        with self._lock:
            if asked >= self._viewer_asked:
                self._viewer, self._viewer_asked = counts, asked
                self.viewer_silent = False

    def hear_sinks(
        self, sinks: Iterable[Mapping[str, Any]], asked: float, silent: Collection[str] = ()
    ) -> None:
        """Take over the counts of sinks that answered; ``silent`` are workers that did not."""
        heard = {sink["name"]: sink for sink in sinks if sink["name"]}
        with self._lock:
            if asked < self._sinks_asked:
                return
            self._sinks_asked = asked
            known = dict(self._sinks)
            for name, sink in heard.items():
                before = known.get(name, sink)["viewer"]
                if not (self.viewer_gone and before and sink["viewer"] != before):
                    known[name] = sink
            self._sinks = known
            # Without a viewer only the first answers count: they tell which workers are there. One
            # that ends later has lost nothing, since nothing more would have been shown.
            if (heard or silent) and not (self.viewer_gone and self._answered):
                self._answered = frozenset(heard)
                self._silent = frozenset(n for n in known if n.partition("#")[0] in silent)

    def selected(self) -> dict[str, int]:
        """Return how many outputs each sink that answered has selected, over all layers."""
        return {
            name: sum(tally.selected for tally in self._sinks[name]["counts"].values())
            for name in self._answered
        }

    def joined(self) -> Ledger:
        """Return the ledger by publisher and layer; nothing is pending when the viewer is gone."""
        tallies: dict[tuple[str, str], Tally] = {}
        for name in sorted({*self._viewer, *self._sinks}):
            seen, sink = self._viewer.get(name), self._sinks.get(name)
            told, arrived = (seen or _NO_COUNTS).told, (seen or _NO_COUNTS).arrived
            counts: Mapping[str, Tally] = {}
            if sink and (seen is None or sink["viewer"] in ("", seen.instance)):
                counts = sink["counts"]
            lost = "worker-lost" if self._is_lost(name, seen) else ""
            for layer in {*told, *arrived, *counts}:
                here = arrived.get(layer, Tally())
                sides = [side[layer] for side in (told, counts) if layer in side]
                # Whichever was written later.
                tally = (
                    _joined(max(sides, key=_progress), here, lost=lost) if sides else here.copy()
                )
                if self.viewer_gone:
                    tally.drop_pending("viewer-gone")
                tallies[name, layer] = tally
        return Ledger(tallies, notes=[*self._unmatched(), *self._uncounted(), *self._silence()])

    def _silence(self) -> list[str]:
        """Return a line if the viewer's counts are old."""
        if self.viewer_gone or not self.viewer_silent:
            return []
        age = time.monotonic() - self._viewer_asked
        return [f"the viewer does not answer; its counts are {age:.0f} s old"]

    def _unmatched(self) -> list[str]:
        """Return a line for each tap that has matched no task."""
        return unmatched(
            sink["taps"] if name in self._answered else replace(sink["taps"], taps={})
            for name, sink in self._sinks.items()
        )

    def _uncounted(self) -> list[str]:
        """Return a line for each tap whose outputs some workers cannot tell from others."""
        workers: dict[tuple[str, str], list[str]] = {}
        for name in sorted(self._answered):
            for cause in self._sinks[name]["uncounted"].items():
                workers.setdefault(cause, []).append(name.partition("#")[0])
        return [
            f"layer {layer!r} shows and counts no outputs of {named(where)}: {why}"
            for (layer, why), where in workers.items()
        ]

    def _is_lost(self, name: str, seen: Counts | None) -> bool:
        """Return whether a worker has ended, as far as one can tell."""
        if name in self._answered:
            return False
        return name not in self._silent if seen is None else not seen.alive

    def waits_for(self) -> str:
        """Say how many items are pending, and where."""
        ledger = self.joined()
        pending: dict[str, int] = {}
        for (name, _), tally in ledger.tallies.items():
            if tally.pending:
                pending[name] = pending.get(name, 0) + tally.pending
        parts = [f"{n} of {self._where(name)}" for name, n in list(pending.items())[:NAMED]]
        parts += [f"{len(pending) - NAMED} more workers"] if len(pending) > NAMED else []
        text = f"{ledger.total.pending} items are pending: {', '.join(parts) or 'not told yet'}"
        return f"{text}; the viewer does not answer" if self._silence() else text

    def _where(self, name: str) -> str:
        worker, sink = name.partition("#")[0], self._sinks.get(name)
        if name in self._silent:
            return f"{worker}, which does not answer"
        if sink is not None and sink["state"] != "connected":
            return f"{worker}, which has not reached the viewer at {sink['addresses'][-1]}"
        return worker


def _progress(side: Tally) -> tuple[int, int]:
    return side.selected, side.selected - side.pending


def _joined(side: Tally, arrived: Tally, *, lost: str = "") -> Tally:
    """Join a publisher's counts with a viewer's of the items that arrived from it.

    Items that have not arrived are pending; or dropped, if ``lost`` says why they never will.

    >>> sent, seen = Tally(selected=5, sent=4, pending=1), Tally(selected=3, shown=2, pending=1)
    >>> print(_joined(sent, seen))
    5 selected = 2 shown + 0 coalesced + 0 dropped + 3 pending
    >>> print(_joined(sent, seen, lost="worker-lost"))
    5 selected = 2 shown + 0 coalesced + 2 dropped (worker-lost: 2) + 1 pending
    """
    tally = side + arrived
    tally.selected, tally.sent = side.selected, 0
    # A connection that broke may have brought more than its publisher knows to be sent.
    waiting = max(0, side.pending + side.sent - arrived.selected)
    tally.pending = arrived.pending
    if lost and waiting:
        tally.drop(lost, waiting)
    else:
        tally.pending += waiting
    return tally
