"""The ledger as the client sees it: settled or not, and balanced when the viewer is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from dask_napari.model import Ledger, Tally
from dask_napari.stream.receive import BEYOND


def settled(ledger: Ledger, workers: Iterable[Mapping[str, Any]]) -> bool:
    """Whether nothing is pending of what the workers had selected.

    Parameters
    ----------
    ledger : Ledger
        The viewer's.
    workers : iterable of mapping
        What :func:`~dask_napari.sink.worker_counts` said of each worker before.

    Examples
    --------
    >>> worker = {"name": "w", "counts": [{"layer": "cells", "selected": 2}]}
    >>> settled(Ledger({("w", "cells"): Tally(selected=1, shown=1)}), [worker])
    False
    """
    if ledger.total.pending:
        return False
    return all(
        _told(ledger, worker["name"], count["layer"], count["selected"])
        for worker in workers
        for count in worker["counts"]
    )


def _told(ledger: Ledger, name: str, layer: str, selected: int) -> bool:
    tally = ledger.tallies.get((name, layer))
    if tally is None:  # there may be no room for it
        return (name, BEYOND) in ledger.tallies
    return tally.selected >= selected


def without_viewer(seen: Ledger, workers: Iterable[Mapping[str, Any]]) -> Ledger:
    """Return the ledger when there is no viewer to ask: what it did not show is dropped.

    Parameters
    ----------
    seen : Ledger
        The viewer's last one.
    workers : iterable of mapping
        What :func:`~dask_napari.sink.worker_counts` says of each worker.

    Examples
    --------
    >>> seen = Ledger({("w", "cells"): Tally(selected=3, shown=2, pending=1)})
    >>> count = {"layer": "cells", "selected": 4, "coalesced": 0, "dropped": {}, "queued": 1}
    >>> print(without_viewer(seen, [{"name": "w", "counts": [count]}]))
    cells: 4 selected = 2 shown + 0 coalesced + 1 dropped (viewer-gone: 1) + 1 pending
    """
    tallies = dict(seen.tallies)
    for worker in workers:
        for count in worker["counts"]:
            key = worker["name"], count["layer"]
            tallies[key] = _tally(seen.tallies.get(key, Tally()), count)
    return Ledger(tallies)


def _tally(then: Tally, count: Mapping[str, Any]) -> Tally:
    tally = Tally(
        selected=count["selected"],
        shown=then.shown,
        coalesced=max(then.coalesced, count["coalesced"]),
        dropped=Counter[str](count["dropped"]) | then.dropped,
        pending=count["queued"],
    )
    accounted = tally.shown + tally.coalesced + tally.dropped.total() + tally.pending
    gone = tally.selected - accounted
    if gone > 0:
        tally.dropped["viewer-gone"] += gone
    return tally
