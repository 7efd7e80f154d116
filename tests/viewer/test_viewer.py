"""The viewer on a board of our own: real napari, real Qt, a real (virtual) screen."""

from __future__ import annotations

import io
from types import SimpleNamespace

import napari
import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from dask_napari.model import Calibration, Item, LayerSpec, Provenance, Report
from dask_napari.stream.receive import PeerInfo, Request
from headless import eventually


def item(value: int, layer: str = "raw", kind: str = "image", shape=(32, 48), **position) -> Item:
    dtype = np.uint8 if kind == "labels" else np.uint16
    return Item(layer, kind, np.full(shape, value, dtype), position, Provenance(f"task-{value}"))


def displayed(viewer: napari.Viewer, layer: str) -> np.ndarray:
    return np.asarray(viewer.layers[layer]._slice.image.raw)


def test_images_and_labels_of_one_place_are_seen_together(viewer, live, source, put):
    put(
        item(5, well="A01", field=1),
        item(7, well="A02", field=1),
        item(2, "cells", "labels", well="A02", field=1),
    )
    assert [layer.name for layer in viewer.layers] == ["raw", "cells"]
    assert viewer.dims.axis_labels[-4:] == ("well", "field", "y", "x")
    assert displayed(viewer, "raw").max() == 7
    assert displayed(viewer, "cells").max() == 2
    assert viewer.canvas.overlays.text.text == "well A02 · field 1"
    assert source.ledger().total.shown == 3
    assert source.ledger().balanced


def test_a_layer_is_made_once_and_keeps_what_the_user_set(viewer, live, source, put):
    put(item(5, t=0))
    layer = viewer.layers["raw"]
    layer.contrast_limits = (1, 1000)
    layer.opacity = 0.5
    layer.colormap = "magma"
    layer.name = "renamed"
    put(*[item(n, t=n) for n in range(1, 30)])
    assert list(viewer.layers) == [layer]
    assert layer.contrast_limits == [1, 1000]
    assert (layer.opacity, layer.colormap.name) == (0.5, "magma")
    assert layer.data.shape == (30, 32, 48)


def test_contrast_follows_the_data_until_it_is_set(viewer, live, source, put):
    ramp = np.linspace(100, 200, 32 * 48).reshape(32, 48).astype("u2")
    for t, picture in enumerate((ramp, 15 * ramp)):
        put(Item("raw", "image", picture, {"t": t}))
    low, high = viewer.layers["raw"].contrast_limits
    assert low == pytest.approx(100, abs=1)
    assert high == pytest.approx(3000, abs=30)


def test_an_axis_in_layer_mode_makes_a_layer_a_value(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", {"channel": "layer"})
    put(item(5, well="A01", channel="DAPI"), item(9, well="A01", channel="GFP"))
    names = [layer.name for layer in viewer.layers]
    assert names == ["raw [DAPI]", "raw [GFP]"]
    colours = {layer.colormap.name for layer in viewer.layers}
    assert len(colours) == 2
    assert {layer.blending for layer in viewer.layers} == {"additive"}


def test_options_of_the_tap_reach_the_layer(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", {}, {"colormap": "viridis", "opacity": 0.3})
    put(item(5, t=0))
    assert viewer.layers["raw"].colormap.name == "viridis"
    assert viewer.layers["raw"].opacity == pytest.approx(0.3)


def test_calibration_reaches_the_layer(viewer, live, source, put):
    each = item(5, z=0)
    each.amend(
        calibration=Calibration(("y", "x"), (0.5, 0.25), (10.0, 20.0), ("micrometer", "micrometer"))
    )
    put(each)
    layer = viewer.layers["raw"]
    assert tuple(layer.scale) == (1, 0.5, 0.25)
    assert tuple(layer.translate) == (0, 10, 20)
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer"]


def test_once_closed_it_names_no_place_beside_sliders_that_it_no_longer_watches(viewer, live, put):
    put(item(2, well="A02"), item(4, well="A04"))
    text = viewer.canvas.overlays.text
    assert (text.visible, text.text) == (True, "well A04")
    live.close()
    viewer.dims.set_current_step(0, 0)
    assert not text.visible


def test_a_coordinate_that_comes_late_does_not_move_the_view(viewer, live, source, put):
    put(item(2, well="A02"), item(4, well="A04"), item(5, well="A05"))
    viewer.dims.set_current_step(0, 1)
    assert viewer.canvas.overlays.text.text == "well A04"
    assert not live.sliders.following
    put(item(1, well="A01"), item(3, well="A03"), item(6, well="A06"))
    assert viewer.dims.current_step[0] == 3
    assert viewer.canvas.overlays.text.text == "well A04"
    assert displayed(viewer, "raw").max() == 4


def test_a_screenshot_follows_to_the_newest_at_once(viewer, live, source, put):
    put(*(item(n, t=n) for n in range(3)))
    put(*(item(n, t=n) for n in range(3, 6)))
    live.screenshot()
    assert viewer.dims.current_step[0] == 5


def test_following_starts_again_at_the_end(viewer, live, source, put):
    put(*[item(n + 1, t=n) for n in range(3)])
    viewer.dims.set_current_step(0, 0)
    assert not live.sliders.following
    assert not live.dock.follow.isChecked()
    viewer.dims.set_current_step(0, 2)
    assert live.sliders.following
    live.sliders._followed_at = 0.0  # long ago
    put(item(9, t=5))
    assert displayed(viewer, "raw").max() == 9


def test_a_new_axis_and_a_new_dimension_are_taken_in(viewer, live, source, put):
    put(item(1, t=0))
    put(item(2, t=0, channel="a"))
    put(item(3, layer="stack", shape=(4, 32, 48), t=1))
    assert viewer.layers["raw"].ndim == viewer.layers["stack"].ndim == 5
    assert viewer.dims.axis_labels == ("channel", "t", "z", "y", "x")
    assert source.ledger().balanced
    assert source.ledger().total.shown == 3


def test_sizes_may_differ(viewer, live, source, put):
    put(item(1, t=0, shape=(10, 20)), item(2, t=1, shape=(30, 5)))
    assert viewer.layers["raw"].data.shape == (2, 30, 20)


def test_colour_images_are_shown_in_colour(viewer, live, source, put):
    picture = Item("photo", "image", np.zeros((20, 30, 3), "u1"), {"t": 0}, rgb=True)
    put(picture)
    assert viewer.layers["photo"].rgb


def test_an_update_in_place_is_seen_without_growing(viewer, live, source, put):
    put(item(1, t=0))
    put(item(8, t=0))
    assert displayed(viewer, "raw").max() == 8
    assert viewer.layers["raw"].data.shape == (1, 32, 48)


def test_items_without_a_position_come_one_after_the_other(viewer, live, source, put):
    put(*[item(n) for n in (3, 1, 2)])
    assert viewer.dims.axis_labels[0] == "item"
    assert [int(plane.max()) for plane in np.asarray(viewer.layers["raw"].data)] == [3, 1, 2]


@pytest.mark.drops("colour and grey images", "labels on a layer of image", "not a picture")
def test_what_cannot_be_shown_is_counted_and_the_rest_is_shown(viewer, live, source, put):
    put(
        item(1, t=0),
        item(1, "raw", "labels", t=1),
        Item("raw", "image", np.zeros((5, 5, 3), "u1"), {"t": 2}, rgb=True),
        Item("flat", "image", np.zeros(5), {"t": 3}),
        item(2, t=4),
    )
    tallies = source.ledger()
    assert tallies.balanced
    assert tallies.total.shown == 2
    assert tallies["raw"].dropped["labels on a layer of image"] == 1
    assert tallies["flat"].dropped == {"not a picture": 1}
    assert "flat" not in [layer.name for layer in viewer.layers]


@pytest.mark.drops("hidden")
def test_a_layer_that_the_user_removed_does_not_stop_the_stream(viewer, live, source, put):
    put(item(1, t=0))
    viewer.layers.clear()
    put(item(2, t=1), item(3, "other", t=0))
    assert source.ledger().balanced
    assert source.ledger().total.pending == 0


def test_the_screenshot_shows_all_that_has_arrived(viewer, live, source, put):
    import imageio.v3 as iio

    source.board.put(item(60_000, t=0))
    answers: list[object] = []
    source.requests.put(Request("screenshot", {}, lambda *answer: answers.append(answer)))
    source.requests.put(Request("dance", {}, lambda *answer: answers.append(answer)))
    live._serve()
    (result, error), (_, unknown) = answers
    assert error == ""
    assert iio.imread(io.BytesIO(result["png"])).ndim == 3
    assert "dance" in unknown
    assert "raw" in viewer.layers


def test_an_option_that_napari_refuses_is_left_out_and_nothing_else(
    viewer, live, source, put, caplog
):
    options = {"colormap": "no such map", "opacity": 0.5}
    source.specs["odd"] = LayerSpec("odd", "image", options=options)
    put(item(1, "odd", t=0), item(2, "fine", t=0))
    put(item(1, "odd", t=1), item(2, "fine", t=1))
    assert {"odd", "fine"} <= {layer.name for layer in viewer.layers}
    assert viewer.layers["odd"].opacity == 0.5
    assert sum("without the option 'colormap'" in r.getMessage() for r in caplog.records) == 1
    live.dock.refresh()
    assert "odd: shown without the option 'colormap'" in "\n".join(live.dock.messages.notes)
    assert source.ledger().total.shown == 4


@pytest.mark.parametrize("gamma", [-3, 0, "much"])
def test_a_gamma_that_only_the_window_refuses_makes_no_layer_a_tick(
    viewer, live, source, put, gamma
):
    source.specs["odd"] = LayerSpec("odd", "image", options={"gamma": gamma, "opacity": 0.5})
    for t in range(3):
        put(item(1, "odd", t=t))
    assert [layer.name for layer in viewer.layers] == ["odd"]
    assert (viewer.layers["odd"].gamma, viewer.layers["odd"].opacity) == (1, 0.5)


@pytest.mark.drops("too many axes", "too many layers")
def test_layers_and_axes_are_few_whatever_comes(viewer, live, source, put, monkeypatch):
    monkeypatch.setattr("dask_napari.viewer.layers._arrangement.MOST_LAYERS", 3)
    put(*(item(n, f"layer {n}", t=0) for n in range(10)))
    assert len(viewer.layers) == 3
    monkeypatch.setattr("dask_napari.viewer.layers._arrangement.MOST_LAYERS", 100)
    put(*(item(n, f"axes {n}", **{f"a{n}_{k}": 0 for k in range(6)}) for n in range(10)))
    deep = Item("raw", "image", np.zeros((1,) * 20, np.uint8), {"t": 0})
    spots = Item("spots", "points", np.zeros((2, 20)), {"t": 0})
    wide = item(1, "layer 0", t=0, **{f"b{k}": 0 for k in range(12)})  # on a layer that is there
    put(deep, spots, wide)
    dropped = source.ledger().total.dropped
    assert dropped == {"too many layers": 7, "too many axes": 9 + 3}
    assert viewer.dims.ndim == 9
    assert source.ledger().balanced


def test_the_dock_names_taps_that_match_nothing(live, source):
    live.dock.refresh()
    assert live.dock.hint.isHidden()
    source.silent = ['tap "segment" has matched no task yet; did you mean "segment-cell"?']
    live.dock.refresh()
    assert live.dock.hint.text() == source.silent[0]
    assert not live.dock.hint.isHidden()


def test_the_dock_shows_why_the_workers_cannot_show_something(live, source):
    live.dock.refresh()
    assert not live.dock.messages.errors
    source.errors = [
        ("tcp://w1:1#a", Report("cells", "no position", "segment-1", "ValueError: <b>oops</b>")),
        ("tcp://w2:1#b", Report("cells", "no position", "segment-2", "ValueError: again")),
        ("tcp://w2:1#b", Report("", "no sink", "", "MemoryError")),
    ]
    source.errors += [("w", Report("raw", f"cause {n}", "k", "text")) for n in range(9)]
    live.dock.refresh()
    assert len(live.dock.messages.errors) == 11
    assert live.dock.panels.headings["Messages"].text() == "Messages (11)"
    del source.errors[3:]
    live.dock.refresh()
    assert live.dock.messages.errors == [
        "tcp://w2:1: no sink: MemoryError",
        "cells: no position, task segment-2: ValueError: again",
    ]


def test_the_dock_shows_notes_of_workers_as_information(live, source):
    note = Report("cells", "holes", "", "polygons are shown without their holes", note=True)
    source.errors = [("w1", note), ("w2", note)]
    live.dock.refresh()
    assert live.dock.messages.notes == ["cells: polygons are shown without their holes"]
    assert not live.dock.messages.errors


def test_the_dock_tells_what_is_going_on(live, source, put):
    assert "waiting for workers at tcp://127.0.0.1:5577" in live.dock.header.state.text()
    source.found = [PeerInfo("w", "host", "shared-memory", True, 10, 1000)]
    source.totals = {"raw": 10}
    put(item(1, t=0))
    live.dock.refresh()
    assert live.dock.header.state.text() == "1 worker · shared memory"
    assert live.dock.rows["raw"].counts.text() == "1 / 10"
    assert "1 selected = 1 shown" in live.dock.total.text()


def test_a_tick_keeps_to_its_budget(live, source, put):
    for n in range(2000):
        source.board.put(item(n, t=n, shape=(64, 64)))
    live.pump.tick(budget=0.0)
    assert len(source.board) == 2000
    live.pump.drain()
    assert len(source.board) == 0


def test_a_window_is_closed_between_two_ticks(live, monkeypatch):
    """Napari lets events in while it makes a layer, which a closed window cannot have."""
    closed: list[bool] = []
    monkeypatch.setattr(live, "viewer", SimpleNamespace(close=lambda: closed.append(True)))
    monkeypatch.setattr(live.layers, "update", lambda *_, **__: live.end())
    live.pump.tick()
    assert not closed
    eventually(lambda: QApplication.processEvents() or closed)
