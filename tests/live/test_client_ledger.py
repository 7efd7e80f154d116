"""The ledger balances, whether the viewer is there to be asked or not."""

from __future__ import annotations

from collections import Counter

from dask_napari.live._client_ledger import settled, without_viewer
from dask_napari.model import Ledger, Tally
from dask_napari.stream.receive import BEYOND


def worker(name: str = "w", layer: str = "a", **counts) -> dict:
    nothing = {"selected": 0, "coalesced": 0, "dropped": {}, "queued": 0}
    return {"name": name, "counts": [{"layer": layer, **nothing, **counts}]}


def test_settled_is_what_has_been_heard_of_and_is_not_pending():
    heard = Ledger({("w", "a"): Tally(selected=2, shown=2)})
    assert settled(heard, [])
    assert settled(heard, [worker(selected=2)])
    assert not settled(heard, [worker(selected=3)])
    assert not settled(heard, [worker(selected=2), worker("v", selected=1)])
    assert not settled(Ledger({("w", "a"): Tally(selected=2, shown=1, pending=1)}), [])
    # Of layers beyond what a viewer counts it says only how much was dropped.
    heard.tallies["w", BEYOND] = Tally(selected=1, dropped=Counter({"too many layers": 1}))
    assert settled(heard, [worker(selected=2), worker(layer="b", selected=1)])
    assert not settled(heard, [worker("v", selected=1)])


def test_without_a_viewer_what_was_under_way_is_dropped():
    tally = Tally(selected=9, shown=3, coalesced=2, dropped=Counter({"released": 1}), pending=3)
    seen = Ledger({("w", "a"): tally, ("gone", "a"): Tally(selected=1, shown=1)})
    now = worker(selected=12, coalesced=1, dropped={"released": 2, "closed": 1}, queued=2)
    ledger = without_viewer(seen, [now, worker("new", "b", selected=4)])
    assert ledger.balanced
    tally = ledger.tallies["w", "a"]
    assert (tally.selected, tally.shown, tally.coalesced, tally.pending) == (12, 3, 2, 2)
    assert tally.dropped == {"released": 2, "closed": 1, "viewer-gone": 2}
    assert ledger.tallies["gone", "a"].shown == 1
    assert ledger["b"].dropped == {"viewer-gone": 4}
