"""The ledger balances, whether the viewer is there to be asked or not."""

from __future__ import annotations

from collections import Counter

from dask_napari.live._client_ledger import without_viewer
from dask_napari.model import Ledger, Tally


def worker(name: str = "w", layer: str = "a", **counts) -> dict:
    return {"name": name, "counts": {layer: Tally(**counts)}}


def test_without_a_viewer_what_was_under_way_is_dropped():
    tally = Tally(selected=9, shown=3, coalesced=2, dropped=Counter({"released": 1}), pending=3)
    seen = Ledger({("w", "a"): tally, ("gone", "a"): Tally(selected=1, shown=1)})
    now = worker(selected=12, coalesced=1, dropped={"released": 2, "closed": 1}, pending=2)
    ledger = without_viewer(seen, [now, worker("new", "b", selected=4)])
    assert ledger.balanced
    tally = ledger.tallies["w", "a"]
    assert (tally.selected, tally.shown, tally.coalesced, tally.pending) == (12, 3, 2, 2)
    assert tally.dropped == {"released": 2, "closed": 1, "viewer-gone": 2}
    assert ledger.tallies["gone", "a"].shown == 1
    assert ledger["b"].dropped == {"viewer-gone": 4}
