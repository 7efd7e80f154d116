"""The ledger as the client sees it: what is selected, and balanced when the viewer is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dask_napari.model import Ledger, Tally


def selected_by(workers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many outputs each worker has selected, over all layers.

    >>> selected_by([{"name": "w", "counts": {"cells": Tally(selected=2), "raw": Tally(3)}}])
    {'w': 5}
    """
    return {
        worker["name"]: sum(tally.selected for tally in worker["counts"].values())
        for worker in workers
    }


def without_viewer(seen: Ledger, workers: Iterable[Mapping[str, Any]]) -> Ledger:
    """Return the ledger of a viewer that is gone: outputs that it did not show are dropped.

    >>> seen = Ledger({("w", "cells"): Tally(selected=3, shown=2, pending=1)})
    >>> worker = {"name": "w", "counts": {"cells": Tally(selected=4, sent=3, pending=1)}}
    >>> print(without_viewer(seen, [worker]))
    cells: 4 selected = 2 shown + 0 coalesced + 1 dropped (viewer-gone: 1) + 1 pending
    """
    tallies = dict(seen.tallies)
    for worker in workers:
        for layer, counts in worker["counts"].items():
            key = worker["name"], layer
            tallies[key] = _joined(seen.tallies.get(key, Tally()), counts)
    return Ledger(tallies)


def _joined(then: Tally, counts: Tally) -> Tally:
    tally = Tally(
        selected=counts.selected,
        shown=then.shown,
        coalesced=max(then.coalesced, counts.coalesced),
        dropped=counts.dropped | then.dropped,
        pending=counts.pending,
    )
    gone = tally.selected - tally.shown - tally.coalesced - tally.dropped.total() - tally.pending
    if gone > 0:
        tally.dropped["viewer-gone"] += gone
    return tally
