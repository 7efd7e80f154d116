"""The ledger joins what sinks and viewer last said, whichever of them is gone."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.live._client_ledger import ClientLedger
from dask_napari.model import Counts, Ledger, Tally, TapMatches

HERE, OTHER = "viewer-1", "viewer-2"


class Heard(ClientLedger):
    """A ledger that hears in the order of its questions."""

    def hear_viewer(self, counts, asked=math.inf):
        super().hear_viewer(counts, asked)

    def hear_sinks(self, sinks, asked=math.inf, silent=()):
        super().hear_sinks(sinks, asked, silent)


def sink(name: str = "w", viewer: str = HERE, layer: str = "a", **counts: Any) -> dict[str, Any]:
    return {
        "name": name,
        "viewer": viewer,
        "state": "connected" if viewer else "connecting",
        "addresses": ["tcp://127.0.0.1:1"],
        "taps": TapMatches(),
        "uncounted": {},
        "counts": {layer: Tally(**counts)},
    }


def seen(told: Tally, arrived: Tally, *, alive: bool = True, layer: str = "a") -> Counts:
    return Counts(HERE, alive, {layer: told}, {layer: arrived})


def numbers(ledger: Ledger, layer: str = "a") -> tuple[int, int, int, int, dict[str, int]]:
    assert ledger.balanced, ledger
    t = ledger[layer]
    return t.selected, t.shown, t.coalesced, t.pending, dict(t.dropped)


def test_both_ends_are_joined_whoever_was_asked_last():
    ledger = Heard()
    ledger.hear_sinks([sink(selected=9, sent=6, coalesced=1, dropped={"released": 1}, pending=1)])
    told = Tally(selected=4, sent=4)
    ledger.hear_viewer({"w": seen(told, Tally(selected=4, shown=2, coalesced=1, pending=1))})
    assert numbers(ledger.joined()) == (9, 2, 2, 4, {"released": 1})
    told = Tally(10, 0, 1, Counter({"released": 1}), 0, 8)
    ledger.hear_viewer({"w": seen(told, Tally(selected=8, shown=8))})
    assert numbers(ledger.joined()) == (10, 8, 1, 0, {"released": 1})


@pytest.mark.drops("worker-lost")
def test_what_cannot_reach_the_viewer_is_pending_and_named():
    ledger = Heard()
    ledger.hear_sinks([sink("tcp://10.0.0.1:5#0f", viewer="", selected=3, pending=3)])
    assert numbers(ledger.joined()) == (3, 0, 0, 3, {})
    assert "3 of tcp://10.0.0.1:5, which has not reached" in ledger.waits_for()
    ledger.hear_sinks([sink("other")], silent=["tcp://10.0.0.1:5"])
    assert "which does not answer" in ledger.waits_for()
    assert numbers(ledger.joined())[3] == 3
    ledger.hear_sinks([sink("other")])
    assert numbers(ledger.joined()) == (3, 0, 0, 0, {"worker-lost": 3})


@pytest.mark.drops("worker-lost")
def test_a_worker_that_ends_loses_what_has_not_arrived():
    ledger = Heard()
    ledger.hear_sinks([sink(selected=5, sent=4, pending=1), sink("other")])
    arrived = Tally(selected=3, shown=2, pending=1)
    ledger.hear_viewer({"w": seen(Tally(selected=3, sent=3), arrived, alive=True)})
    ledger.hear_sinks([sink("other")])
    assert numbers(ledger.joined()) == (5, 2, 0, 3, {})  # it may be on its way
    ledger.hear_viewer({"w": seen(Tally(selected=3, sent=3), arrived, alive=False)})
    assert numbers(ledger.joined()) == (5, 2, 0, 1, {"worker-lost": 2})


@pytest.mark.drops("viewer-gone")
def test_nothing_is_pending_without_a_viewer_and_another_viewer_has_a_ledger_of_its_own():
    ledger = Heard()
    ledger.hear_sinks([sink(selected=5, sent=4, pending=1)])
    ledger.hear_viewer(
        {"w": seen(Tally(selected=3, sent=3), Tally(selected=3, shown=2, pending=1))}
    )
    ledger.viewer_gone = True
    assert numbers(ledger.joined()) == (5, 2, 0, 0, {"viewer-gone": 3})
    ledger.hear_sinks([sink(selected=7, sent=4, pending=3)])
    assert numbers(ledger.joined()) == (7, 2, 0, 0, {"viewer-gone": 5})
    ledger.hear_sinks([sink(viewer=OTHER, selected=1, pending=1)])
    assert numbers(ledger.joined()) == (7, 2, 0, 0, {"viewer-gone": 5})
    ledger.hear_sinks([])
    assert numbers(ledger.joined()) == (7, 2, 0, 0, {"viewer-gone": 5})


@pytest.mark.drops("viewer-gone")
def test_workers_that_are_first_asked_when_the_viewer_is_gone_are_not_lost():
    ledger = Heard()
    ledger.viewer_gone = True
    ledger.hear_sinks([sink(selected=6, sent=4, pending=2), sink("other")])
    assert numbers(ledger.joined()) == (6, 0, 0, 0, {"viewer-gone": 6})
    ledger.hear_sinks([sink("other")])  # the worker ends after the viewer
    assert numbers(ledger.joined()) == (6, 0, 0, 0, {"viewer-gone": 6})


def test_an_older_answer_does_not_replace_a_newer_one():
    ledger = ClientLedger()
    ledger.hear_sinks([sink(selected=5, pending=5)], 2.0)
    ledger.hear_sinks([sink(selected=4, pending=4)], 1.0)
    ledger.hear_viewer({"w": seen(Tally(selected=5, sent=5), Tally(5, 5))}, 2.0)
    ledger.hear_viewer({"w": seen(Tally(selected=3, sent=3), Tally(3, 3))}, 1.0)
    assert numbers(ledger.joined()) == (5, 5, 0, 0, {})


steps = st.lists(
    st.sampled_from(["select", "send", "coalesce", "arrive", "show", "ask sink", "ask viewer"]),
    max_size=40,
)


@given(steps)
def test_it_balances_and_nothing_that_has_ended_goes_back(steps):
    side, arrived, told = Tally(), Tally(), Tally()
    ledger, ended = Heard(), 0
    for step in steps:
        if step == "select":
            side.selected += 1
            side.pending += 1
        elif step == "send" and side.pending:
            side.pending -= 1
            side.sent += 1
        elif step == "coalesce" and side.pending:
            side.pending -= 1
            side.coalesced += 1
        elif step == "arrive" and side.sent > arrived.selected:
            arrived.selected += 1
            arrived.pending += 1
        elif step == "show" and arrived.pending:
            arrived.pending -= 1
            arrived.shown += 1
        elif step == "ask sink":
            ledger.hear_sinks([{**sink(), "counts": {"a": side.copy()}}])
        elif step == "ask viewer":
            # The viewer's counts of a publisher come with its batches.
            if arrived.selected == side.sent:
                told = side.copy()
            if told.sent == arrived.selected:
                ledger.hear_viewer({"w": seen(told.copy(), arrived.copy())})
        if "a" in (now := ledger.joined()):
            tally = now["a"]
            assert now.balanced
            assert tally.selected - tally.pending >= ended
            ended = tally.selected - tally.pending
