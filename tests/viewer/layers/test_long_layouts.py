"""Layouts of many items: over several ticks, with what comes meanwhile, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from dask_napari.model import Item, LayerSpec
from dask_napari.viewer.layers import _layouts

COUNT = 300


@pytest.fixture(autouse=True)
def slow(monkeypatch):
    """Any layout takes several ticks."""
    monkeypatch.setattr(_layouts, "AT_ONCE", 0)
    monkeypatch.setattr(_layouts, "LAYOUT_BUDGET", 0.0)


def frame(t: int, value: int, run: int = 1, **position) -> Item:
    return Item("raw", "image", np.full((2, 3), value, "u1"), {"t": t, **position}, run=run)


@pytest.fixture
def runs(live, put):
    """Two runs of many items, the second of which is shown."""
    put(*(frame(t, 1, run=1) for t in range(COUNT)))
    put(*(frame(t, 2, run=2) for t in range(COUNT)))
    return live.layers


def values(viewer, name="raw") -> list[int]:
    return np.unique(np.asarray(viewer.layers[name].data)).tolist()


def test_a_run_is_laid_out_over_several_ticks_and_shown_when_all_of_it_is_there(viewer, live, runs):
    runs.choose_run(1)
    shown, left = [], []
    while runs.in_progress[0]:
        shown.append(values(viewer))
        left.append(runs.in_progress)
        live.pump.tick()
    assert shown == [[2]] * len(shown)
    assert len(shown) >= COUNT // 64
    assert left == sorted(left, reverse=True)
    assert left[0][1] > COUNT
    live.pump.tick()
    assert values(viewer) == [1]


def test_what_comes_while_a_run_is_laid_out_is_there(viewer, live, source, runs):
    runs.choose_run("all")
    live.pump.tick()
    source.board.put(frame(0, 9, run=2))
    source.board.put(frame(COUNT, 7, run=1))
    live.pump.tick()
    assert runs.in_progress[0]
    live.pump.drain()
    data = viewer.layers["raw"].data
    assert data.shape == (COUNT + 1, 2, 2, 3) or data.shape == (2, COUNT + 1, 2, 3)
    assert values(viewer) == [0, 1, 2, 7, 9]
    ledger = source.ledger()["raw"]
    assert (ledger.shown, ledger.balanced) == (2 * COUNT + 2, True)


@pytest.mark.drops("hidden")
def test_a_layer_that_goes_while_a_run_is_laid_out_stays_away(viewer, live, put, runs):
    put(Item("mask", "labels", np.ones((2, 3), "u1"), {"t": 0}, run=2))
    runs.choose("t", "mosaic")
    live.pump.tick()
    viewer.layers.remove("mask")
    live.pump.drain()
    assert [layer.name for layer in viewer.layers] == ["raw"]
    assert runs.mode("t") == "mosaic"


def test_a_layout_under_way_can_be_cancelled_and_added_to(viewer, live, runs):
    runs.choose_run(1)
    live.pump.tick()
    assert runs.run_choice == 1
    runs.cancel_choice()
    live.pump.drain()
    assert (runs.run_choice, values(viewer)) == ("newest", [2])
    runs.choose_run(1)
    live.pump.tick()
    runs.choose("t", "mosaic")
    assert runs.mode("t") == "mosaic"
    live.pump.drain()
    assert (runs.run_choice, values(viewer)) == (1, [0, 1])
    assert viewer.layers["raw"].data.ndim == 2


def test_a_layout_that_is_refused_half_way_changes_nothing(viewer, live, runs, monkeypatch):
    monkeypatch.setattr("dask_napari.viewer.layers._arrangement.MOST_LAYERS", 200)
    runs.choose("t", "layer")
    live.pump.drain()
    assert [layer.name for layer in viewer.layers] == ["raw"]
    assert (runs.mode("t"), values(viewer)) == ("slider", [2])
    assert f"it would take {COUNT} layers, and 200 are the most" in str(runs.reports.all()[-1])


def ticks(live, source=None) -> int:
    """Tick until all is laid out; return how often."""
    number = 0
    while not number or live.layers.in_progress[0] or (source and len(source.board)):
        live.pump.tick()
        number += 1
    return number


def shown(source, layer="raw") -> tuple[int, dict[str, int]]:
    ledger = source.ledger()
    assert ledger.balanced
    return ledger[layer].shown, ledger[layer].dropped


@pytest.mark.drops("cleared")
def test_a_run_is_cleared_over_several_ticks(viewer, live, source, runs):
    runs.clear_run(2)
    assert runs.runs == (1, 2)
    live.pump.tick()
    assert (values(viewer), shown(source)) == ([2], (2 * COUNT, {}))
    assert ticks(live) > 2
    for _ in range(3):
        live.pump.tick()
    assert (runs.runs, values(viewer)) == ((1,), [1])
    assert shown(source) == (COUNT, {"cleared": COUNT})
    assert len(runs.catalogue) == COUNT


def test_a_run_that_is_about_to_be_cleared_is_kept_by_who_cancels(viewer, live, source, runs):
    runs.clear_run(2)
    live.pump.tick()
    runs.cancel_choice()
    live.pump.drain()
    assert (runs.runs, values(viewer)) == ((1, 2), [2])
    assert shown(source) == (2 * COUNT, {})


@pytest.mark.drops("hidden")
def test_a_removed_layer_takes_its_axis_along_and_comes_back_over_several_ticks(
    viewer, live, source, put, runs
):
    put(*(Item("mask", "labels", np.ones((2, 3), "u1"), {"z": z}, run=2) for z in range(70)))
    viewer.layers.remove("mask")
    live.pump.tick()
    assert shown(source, "mask") == (0, {"hidden": 70}), "at once"
    assert set(runs.axes.names) == {"t", "z"}
    runs.cancel_choice()  # there is nothing to go back to
    assert ticks(live) > 2
    assert set(runs.axes.names) == {"t"}
    live.pump.tick()

    runs.show_hidden("mask")
    live.pump.tick()
    source.board.put(Item("mask", "labels", np.ones((2, 3), "u1"), {"z": 70}, run=2))
    live.pump.tick()
    assert shown(source, "mask") == (0, {"hidden": 71})
    ticks(live)
    live.pump.tick()
    assert shown(source, "mask") == (71, {})
    assert runs.axes["z"].coordinates == tuple(range(71))
    assert values(viewer, "mask") == [1]


def test_an_item_that_starts_a_run_waits_until_the_others_are_laid_out(viewer, live, source, runs):
    live.layers.put(Item("mask", "labels", np.ones((2, 3), "u1"), {"t": 0}, run=2), None)
    live.pump.drain()
    live.dock.refresh()
    source.board.put(Item("mask", "labels", np.full((2, 3), 5, "u1"), {"t": 0}, run=3))
    source.board.put(frame(0, 7, run=2))
    live.pump.tick()
    left, total = runs.in_progress
    assert 0 < left < total
    assert source.ledger()["mask"].pending == 1
    live.dock.refresh()
    assert live.dock.axes.progress.text() == f"{total - left} of {total} are laid out"
    assert not live.dock.axes.progress.isEnabled()
    assert set(values(viewer, "mask")) == {0, 1}
    ticks(live, source)
    live.pump.tick()
    assert set(values(viewer, "mask")) >= {5}
    assert values(viewer) == [2, 7]
    assert shown(source) == (2 * COUNT + 1, {})


def test_a_tap_that_is_changed_lays_all_out_over_several_ticks(viewer, live, source, runs):
    source.specs["mask"] = LayerSpec("mask", "labels", {"t": "mosaic"})
    source.board.put(Item("mask", "labels", np.ones((2, 3), "u1"), {"t": 0}, run=2))
    live.pump.tick()
    assert runs.mode("t") == "slider"
    runs.choose_run(1)  # by the user, meanwhile
    ticks(live, source)
    live.pump.drain()
    assert runs.mode("t") == "mosaic"
    assert values(viewer) == [0, 1]
    assert viewer.layers["raw"].data.ndim == 2


@pytest.mark.drops("layout without a place for others")
@pytest.mark.errors("layout without a place for others")
def test_an_item_that_asks_for_what_others_have_no_place_in_is_dropped(
    viewer, live, source, runs, monkeypatch
):
    monkeypatch.setattr("dask_napari.viewer.layers._arrangement.MOST_LAYERS", 200)
    source.specs["raw"] = LayerSpec("raw", "image", {"t": "layer"})
    source.board.put(frame(0, 9, run=2))
    source.board.put(Item("mask", "labels", np.ones((2, 3), "u1"), {"t": 0}, run=2))
    live.pump.tick()
    assert runs.in_progress[0]
    ticks(live, source)
    assert values(viewer) == [2]
    assert shown(source) == (2 * COUNT, {"layout without a place for others": 1})
    assert shown(source, "mask") == (1, {})
