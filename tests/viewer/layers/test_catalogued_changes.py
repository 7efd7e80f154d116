"""What the user has set, painted and removed stays so while runs and layouts change."""

from __future__ import annotations

import time

import numpy as np
import pytest

from dask_napari.model import Item, LayerSpec
from dask_napari.viewer.layers import _arrangement

CHANNELS = LayerSpec("raw", "image", {"channel": "layer"})


def image(value=1, layer="raw", run=1, kind="image", publisher="", dtype="uint8", **position):
    data = np.full((4, 6), value, dtype)
    return Item(layer, kind, data, position, publisher=publisher, run=run)


def points(value=1, run=1, **position) -> Item:
    return Item("spots", "points", np.full((2, 2), float(value)), position, run=run)


def names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_layers_look_as_the_user_set_them_in_the_next_run(viewer, live, source, put):
    source.specs["raw"] = CHANNELS
    put(image(1, channel="a"), image(1, channel="b"))
    layer = viewer.layers["raw [b]"]
    layer.colormap, layer.visible, layer.contrast_limits = "hsv", False, (0, 7)
    layer.name = "mine"
    put(image(1, channel="a", run=2))  # without a layer for b
    put(image(1, channel="b", run=2))
    layer = viewer.layers["mine"]
    assert (layer.colormap.name, layer.visible) == ("hsv", False)
    assert tuple(layer.contrast_limits) == (0, 7)


def test_layers_stay_until_a_run_has_shown_that_it_does_not_fill_them(viewer, live, source, put):
    source.specs["raw"] = CHANNELS
    put(image(1, channel="a", t=0), image(1, channel="b", t=0), image(1, channel="b", t=1))
    layer = viewer.layers["raw [b]"]
    layer.contrast_limits = (0, 7)
    put(image(2, channel="a", t=0, run=2))
    assert viewer.layers["raw [b]"] is layer
    assert np.asarray(layer.data).max() == 0
    put(image(2, channel="b", t=0, run=2))
    assert viewer.layers["raw [b]"] is layer
    assert np.unique(np.asarray(layer.data)).tolist() == [2]
    assert tuple(layer.contrast_limits) == (0, 7)
    put(image(3, channel="a", t=0, run=3))
    put(image(4, channel="a", t=0, run=4))
    assert names(viewer) == ["raw [a]"]
    assert source.ledger()["raw"].balanced


def elements(kind, value=1, run=1, **position) -> Item:
    arrays = {}
    if kind == "vectors":
        data = np.full((2, 2, 2), float(value))
    elif kind == "shapes":
        data = np.array([[0.0, 0], [0, 3], [3, 3]]) + value
        arrays = {"offsets": np.array([0, 3]), "types": np.array([0], "u1")}
    else:
        data = np.full((2, 2), float(value))
    return Item("spots", kind, data, position, arrays=arrays, run=run)


@pytest.mark.parametrize("kind", ["points", "shapes", "vectors"])
def test_layers_of_elements_stay_as_the_user_set_them_in_the_next_run(
    viewer, live, source, put, kind
):
    source.specs["spots"] = LayerSpec("spots", kind, {"channel": "layer"})
    put(*(elements(kind, t, channel=c, t=t) for c in "ab" for t in range(2)))
    layer = viewer.layers["spots [b]"]
    part = "border" if kind == "points" else "edge"
    if kind == "vectors":
        layer.edge_color = "red"
    else:
        layer.selected_data = set(range(len(layer.data)))
        setattr(layer, f"current_{part}_color", "red")
        layer.selected_data = set()
    setattr(layer, f"{part}_width", 0.5)
    layer.name = "mine"
    put(elements(kind, 2, channel="a", run=2))  # which has no times
    assert "t" not in viewer.dims.axis_labels
    assert viewer.layers["mine"] is layer
    assert len(layer.data) == 0
    put(elements(kind, 2, channel="b", run=2))
    assert viewer.layers["mine"] is layer
    assert len(layer.data) == (1 if kind == "shapes" else 2)
    assert np.allclose(getattr(layer, f"{part}_color"), [1, 0, 0, 1])
    assert np.allclose(getattr(layer, f"{part}_width"), 0.5)
    assert source.ledger()["spots"].balanced


@pytest.mark.drops("hidden")
def test_a_new_channel_gets_a_colour_that_no_layer_has(viewer, live, source, put):
    source.specs["raw"] = CHANNELS
    put(image(1, channel="a"), image(1, channel="b"))
    viewer.layers.remove("raw [a]")
    live.pump.drain()
    put(image(1, channel="c"))
    assert len({layer.colormap.name for layer in viewer.layers}) == 2


@pytest.mark.drops("hidden")
def test_what_is_removed_stays_so_in_other_modes(viewer, live, source, put):
    put(image(1, channel="a", t=0), image(1, channel="b", t=0))
    viewer.layers.remove("raw")
    live.pump.drain()
    live.layers.choose("channel", "layer")
    put(image(1, channel="a", t=1))
    assert names(viewer) == []
    live.layers.show_hidden("raw")
    put(image(1, channel="b", t=1))
    assert names(viewer) == ["raw [a]", "raw [b]"]
    assert source.ledger()["raw"].shown == 4

    viewer.layers.remove("raw [b]")
    live.pump.drain()
    live.layers.choose("channel", "slider")
    put(image(9, channel="b", t=2), image(5, channel="a", t=2))
    assert np.asarray(viewer.layers["raw"].data).max() == 5


def test_an_axis_called_run_keeps_its_items_beside_those_of_all_runs(viewer, live, put):
    for run, value in (1, 3), (2, 4):
        item = image(value, run=run)
        item.amend(position={"run": 5})
        put(item)
    live.layers.choose_run("all")
    live.pump.drain()
    assert set(np.unique(np.asarray(viewer.layers["raw"].data))) >= {3, 4}


def test_points_made_by_hand_go_with_their_item_into_another_layout(viewer, live, put):
    put(points(1, t=0), points(2, t=1))
    viewer.layers["spots"].add([[0, 3.0, 3.0]])
    live.layers.choose("t", "layer")  # before the viewer had a tick to look
    live.pump.drain()
    assert sum(len(layer.data) for layer in viewer.layers) == 5


@pytest.mark.drops("hidden")
def test_points_made_by_hand_are_hidden_with_their_layer(viewer, live, put):
    put(points(1, t=0))
    layer = viewer.layers["spots"]
    layer.add([[0, 3.0, 3.0]])
    viewer.layers.remove(layer)
    live.pump.drain()
    assert names(viewer) == []
    live.layers.show_hidden("spots")
    live.pump.drain()
    assert len(viewer.layers["spots"].data) == 3


def test_undo_does_not_paint_on_other_pixels_than_before(viewer, live, put):
    put(*(image(t, "cells", kind="labels", t=t) for t in (1, 2)))
    layer = viewer.layers["cells"]
    layer.paint((1, 2, 2), 7)
    put(image(9, "cells", kind="labels", t=0))  # all others go one further
    layer.undo()
    live.pump.drain()
    assert np.asarray(layer.data)[:, 2, 2].tolist() == [9, 1, 7]
    layer.paint((0, 2, 2), 7)
    layer.undo()
    assert np.asarray(layer.data)[:, 2, 2].tolist() == [9, 1, 7]
    layer.paint((0, 2, 2), 7)
    put(*(image(3, "cells", kind="labels", t=t, run=2) for t in (0, 1, 2)))
    layer.undo()
    live.pump.drain()
    assert np.unique(np.asarray(layer.data)).tolist() == [3]


def test_the_camera_stays_where_the_user_put_it_in_the_next_run(viewer, live, put):
    put(image(1, t=0))
    viewer.scene.camera.zoom = 7
    live.pump.drain()
    put(image(1, t=0, run=2))
    live.layers.choose_run(1)
    live.pump.drain()
    assert viewer.scene.camera.zoom == 7


@pytest.mark.drops("dtype|cleared")
def test_a_run_whose_items_were_all_refused_is_none_to_show(viewer, live, put):
    put(image(1, t=0), image(2, t=0, run=2, dtype=complex), image(3, t=0, run=3))
    live.layers.clear_run(3)
    live.pump.drain()
    assert live.layers.runs == (1,)
    assert np.asarray(viewer.layers["raw"].data).max() == 1


def test_a_run_is_not_cleared_if_others_would_have_no_place(viewer, live, source, put, monkeypatch):
    monkeypatch.setattr(_arrangement, "MOST_LAYERS", 5)
    source.specs |= {name: LayerSpec(name, "image", {"c": "layer"}) for name in ("raw", "more")}
    put(*(image(1, c=n) for n in range(4)), image(2, c=0, run=2))
    put(*(image(3, "more", c=n) for n in range(3)))
    live.layers.clear_run(2)
    live.pump.drain()
    assert len(viewer.layers) == 4
    assert "7 layers, and 5 are the most" in str(live.layers.reports.all()[-1])
    assert source.ledger()["raw"].shown == 5


def test_only_a_choice_that_is_under_way_is_taken_back(viewer, live, source, put):
    put(*(image(n, t=n) for n in range(3)))
    live.layers.choose("t", "layer")
    live.pump.drain()
    source.board.put(image(9, t=9))
    live.pump._put_some(time.monotonic() + 1)
    live.layers.cancel_choice()
    assert live.layers.mode("t") == "layer"


@pytest.mark.drops("hidden")
def test_no_count_is_negative_when_a_publisher_comes_again(viewer, live, source, put):
    put(image(1, t=0, publisher="worker"))
    source.board.retire({"worker"})
    put(image(1, t=1, publisher="worker"))
    viewer.layers.clear()
    live.pump.drain()
    tally = source.ledger()["raw"]
    assert (tally.shown, tally.dropped, tally.balanced) == (0, {"hidden": 2}, True)
    live.layers.show_hidden("raw")
    tally = source.ledger()["raw"]
    assert (tally.shown, tally.dropped, tally.balanced) == (2, {}, True)


@pytest.mark.drops("hidden")
def test_an_item_that_was_replaced_is_coalesced_when_its_layer_goes(viewer, live, source, put):
    for value in (1, 2, 3):
        put(image(value, t=0, publisher="worker"))
    assert source.ledger()["raw"].shown == 3
    viewer.layers.remove("raw")
    live.pump.drain()
    tally = source.ledger()["raw"]
    assert (tally.shown, tally.coalesced, tally.dropped) == (0, 2, {"hidden": 1})
    put(image(4, t=0, publisher="another"))
    live.layers.show_hidden("raw")
    tally = source.ledger()["raw"]
    assert (tally.shown, tally.coalesced, tally.dropped, tally.balanced) == (1, 3, {}, True)


@pytest.mark.drops("hidden")
def test_points_that_were_moved_by_hand_count_as_the_one_item_that_they_are(
    viewer, live, source, put
):
    put(points(1, t=0))
    layer = viewer.layers["spots"]
    layer.data = np.add(layer.data, [0, 3.0, 3.0])
    live.pump.drain()
    viewer.layers.clear()
    live.pump.drain()
    tally = source.ledger()["spots"]
    assert (tally.shown, tally.coalesced, tally.dropped) == (0, 0, {"hidden": 1})


def test_a_tap_that_changes_its_modes_lays_out_all_that_there_is(viewer, live, source, put):
    put(image(1, channel="a"), image(2, channel="b"))
    source.specs["raw"] = CHANNELS
    put(image(3, channel="a"))
    assert names(viewer) == ["raw [a]", "raw [b]"]
    assert np.asarray(viewer.layers["raw [b]"].data).max() == 2
    source.specs["raw"] = LayerSpec("raw", "image", {"channel": "mosaic"})
    put(image(4, channel="a"))
    assert names(viewer) == ["raw"]
    assert viewer.layers["raw"].data.ndim == 2
    source.specs["raw"] = LayerSpec("raw", "image")
    put(image(5, channel="a"))
    assert np.asarray(viewer.layers["raw"].data)[:, 0, 0].tolist() == [5, 2]
    assert source.ledger()["raw"].balanced


def test_features_of_labels_go_with_their_run(viewer, live, put):
    first = image(1, "cells", kind="labels", t=0)
    first.arrays = {"feature:index": np.array([1]), "feature:area": np.array([10.0])}
    put(first, image(1, "cells", kind="labels", t=0, run=2))
    assert not len(viewer.layers["cells"].features)
    live.layers.choose_run(1)
    live.pump.drain()
    assert viewer.layers["cells"].features["area"].tolist() == [10]
    live.layers.choose_run("newest")
    live.pump.drain()
    assert not len(viewer.layers["cells"].features)
