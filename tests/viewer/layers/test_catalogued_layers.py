"""Layers are views of the catalogue: removed and shown again, run by run, in any layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from dask_napari.model import Item, LayerSpec, Provenance
from dask_napari.viewer.layers import Layers
from example_counts import examples

CHANNELS = LayerSpec("raw", "image", {"channel": "layer"})


def image(value=1, layer="raw", run=1, key="", **position) -> Item:
    data = np.full((4, 6), value, np.uint16)
    return Item(layer, "image", data, position, Provenance(key), run=run)


def points(value=1, run=1, **position) -> Item:
    return Item("spots", "points", np.full((2, 2), float(value)), position, run=run)


def names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


# -- layers that the user removes --------------------------------------------------------------


@pytest.mark.drops("hidden")
def test_what_the_user_removes_is_hidden_and_one_click_brings_it_back(viewer, live, source, put):
    put(image(1, t=0), image(2, t=1), points(t=0))
    viewer.layers.remove(viewer.layers["raw"])
    put(image(3, t=2))  # of the run that the user does not want to see
    assert names(viewer) == ["spots"]
    ledger = source.ledger()
    assert (ledger["raw"].shown, ledger["raw"].dropped) == (0, {"hidden": 3})
    assert ledger.balanced

    live.dock.refresh()
    button = live.dock.rows["raw"].details.show_hidden
    assert button.text() == "Show 3 hidden items"
    assert not live.dock.rows["spots"].details.show_hidden.isVisibleTo(live.dock)
    button.click()
    live.pump.drain()
    assert names(viewer) == ["raw", "spots"]
    assert np.asarray(viewer.layers["raw"].data)[:, 0, 0].tolist() == [1, 2, 3]
    assert (source.ledger()["raw"].shown, source.ledger()["raw"].dropped) == (3, {})
    assert source.ledger().balanced
    put(image(4, t=3))
    assert np.asarray(viewer.layers["raw"].data)[:, 0, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.drops("hidden")
def test_the_next_run_draws_a_layer_that_was_removed(viewer, live, source, put):
    put(image(1, t=0))
    viewer.layers.clear()
    put(image(1, t=1))
    assert names(viewer) == []
    put(image(7, t=0, run=2))
    assert names(viewer) == ["raw"]
    assert np.asarray(viewer.layers["raw"].data).max() == 7
    assert (source.ledger()["raw"].shown, source.ledger()["raw"].dropped) == (1, {"hidden": 2})


@pytest.mark.drops("hidden")
def test_a_channel_is_removed_and_the_others_stay(viewer, live, source, put):
    source.specs["raw"] = CHANNELS
    put(*(image(n, channel=c, t=t) for n, c in enumerate("ab") for t in range(2)))
    kept = viewer.layers["raw [a]"]
    viewer.layers.remove(viewer.layers["raw [b]"])
    put(image(5, channel="b", t=2), image(5, channel="a", t=2))
    assert viewer.layers[0] is kept
    assert names(viewer) == ["raw [a]"]
    assert source.ledger()["raw"].dropped == {"hidden": 3}
    live.layers.show_hidden("raw")
    live.pump.drain()
    assert names(viewer) == ["raw [a]", "raw [b]"]
    assert viewer.layers["raw [b]"].data.shape == (3, 4, 6)


@pytest.mark.drops("hidden")
def test_the_last_layer_with_an_axis_takes_it_along(viewer, live, put):
    still = image(3, "mask")
    still.amend(array_shape=(4, 6), origin=(0, 0))
    put(image(1, t=0), image(2, t=1), still)
    assert viewer.dims.ndim == 3
    viewer.layers.remove(viewer.layers["raw"])
    live.pump.drain()
    assert live.layers.axes.labels == ("y", "x")
    assert viewer.dims.ndim == 2
    assert viewer.layers["mask"].data.shape == (4, 6)
    live.layers.show_hidden("raw")
    live.pump.drain()
    assert live.layers.axes.labels == ("t", "y", "x")
    assert viewer.layers["raw"].data.shape == (2, 4, 6)


# -- runs --------------------------------------------------------------------------------------


def test_a_second_run_does_not_mix_with_the_first(viewer, live, source, put):
    put(*(image(1, t=t) for t in range(3)), points(1, t=1))
    layer = viewer.layers["raw"]
    layer.colormap = "green"
    put(image(2, t=1, run=2))
    assert viewer.layers["raw"] is layer
    assert layer.data.shape == (1, 4, 6)
    assert np.asarray(layer.data).max() == 2
    assert len(viewer.layers["spots"].data) == 2  # of a stream without a second run

    put(image(9, t=2, run=1))  # late
    assert layer.data.shape == (1, 4, 6)
    live.dock.refresh()
    choice = live.dock.runs
    assert [choice.itemText(n) for n in range(choice.count())] == [
        "newest run",
        "run 1",
        "run 2",
        "all runs",
    ]
    choice.setCurrentIndex(choice.findText("run 1"))
    live.pump.drain()
    assert np.asarray(layer.data)[:, 0, 0].tolist() == [1, 1, 9]
    assert layer.colormap.name == "green"

    choice.setCurrentIndex(choice.findText("all runs"))
    live.pump.drain()
    axes = live.layers.axes
    assert axes["live run"].coordinates == (1, 2)
    pictures = np.asarray(layer.data)
    order = axes.names.index("live run"), axes.names.index("t")
    first, second = np.moveaxis(pictures, order, (0, 1))[:, :, 0, 0].tolist()
    assert first == [1, 1, 9]
    assert second[1] == 2
    put(image(5, t=0, run=2))
    assert (np.asarray(layer.data) == 5).any()
    assert source.ledger()["raw"].shown == 6
    assert source.ledger().balanced


@pytest.mark.drops("cleared")
def test_a_run_is_cleared(viewer, live, source, put):
    put(image(1, t=0), image(1, t=1), image(2, t=0, run=2))
    live.dock.refresh()
    live.dock.runs.clear_run.trigger()
    live.pump.drain()
    assert live.layers.runs == (1,)
    assert np.asarray(viewer.layers["raw"].data)[:, 0, 0].tolist() == [1, 1]
    assert (source.ledger()["raw"].shown, source.ledger()["raw"].dropped) == (2, {"cleared": 1})
    live.dock.runs.clear_run.trigger()
    live.pump.drain()
    assert names(viewer) == []
    assert source.ledger()["raw"].dropped == {"cleared": 3}
    put(image(3, t=0, run=3))
    assert np.asarray(viewer.layers["raw"].data).max() == 3


# -- layouts -----------------------------------------------------------------------------------


def test_a_layout_with_too_many_layers_is_refused_with_its_number(viewer, live, put, source):
    wells = [f"{row}{column:02d}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]
    put(*(image(n, well=well) for n, well in enumerate(wells)))
    live.layers.choose("well", "layer")
    live.pump.drain()
    assert live.layers.mode("well") == "slider"
    assert viewer.layers["raw"].data.shape == (384, 4, 6)
    [report] = live.layers.reports.all()
    assert "it would take 384 layers, and 256 are the most" in str(report)


def test_many_layers_are_made_a_few_a_tick_and_that_can_be_cancelled(viewer, live, put):
    put(*(image(n, t=n) for n in range(12)))
    live.layers.choose("t", "layer")
    live.pump.tick()
    made = len(viewer.layers)
    assert made < 12
    live.dock.refresh()
    assert live.dock.axes.progress.isVisibleTo(live.dock)
    assert f"{made} of 12 are laid out" in live.dock.axes.progress.text()
    live.dock.axes.progress.click()
    live.pump.drain()
    assert live.layers.mode("t") == "slider"
    assert names(viewer) == ["raw"]
    assert np.asarray(viewer.layers["raw"].data)[:, 0, 0].tolist() == list(range(12))
    live.dock.refresh()
    assert not live.dock.axes.progress.isVisibleTo(live.dock)


def picture(arrangement) -> dict[str, object]:
    """All that an arrangement shows, in a form that can be compared."""
    axes = arrangement.context.axes
    found: dict[str, object] = {
        "axes": {axis.name: set(axis.coordinates) for axis in axes},
        "extent": axes.extent,
    }
    order = sorted(axes.names)
    for name, stream in arrangement.streams.items():
        if stream.kind == "points":
            stream.canvas.relayout(stream._shift)  # as the next update does
            rows = stream.canvas.all_rows().coordinates
            found[name] = len(rows), sorted(rows[:, -2:].tolist())
        else:
            pixels = np.asarray(stream.canvas)
            moved = np.moveaxis(pixels, [axes.names.index(a) for a in order], range(len(order)))
            found[name] = moved.tolist()
    return found


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("put"),
            st.sampled_from(["raw", "mask", "spots"]),
            st.sampled_from(["A01", "B03"]),
            st.integers(0, 2),
            st.integers(1, 2),
        ),
        st.tuples(
            st.just("mode"),
            st.sampled_from(["well", "t"]),
            st.sampled_from(["slider", "layer", "mosaic"]),
        ),
        st.tuples(st.just("remove"), st.integers(0, 3)),
        st.tuples(st.just("reveal"), st.sampled_from(["raw", "mask", "spots"])),
        st.tuples(st.just("run"), st.sampled_from([1, 2, "newest", "all"])),
    ),
    min_size=3,
    max_size=14,
)


@given(steps)
@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])
def test_any_sequence_ends_in_the_picture_that_is_built_fresh(steps):
    viewer = ViewerModel()
    layers = Layers(viewer)
    places = {}
    for n, (name, *arguments) in enumerate(steps, 1):
        match name:
            case "put":
                layer, well, t, run = arguments
                at = {"well": well, "t": t, "run": run}
                item = points(n, **at) if layer == "spots" else image(n, layer, **at)
                state = layers.put(item, None)
                assert state in ("shown", "hidden")
                places[layer, well, t, run] = n
            case "mode":
                layers.choose(*arguments)
            case "remove":
                if viewer.layers:
                    viewer.layers.pop(arguments[0] % len(viewer.layers))
            case "reveal":
                layers.show_hidden(*arguments)
            case "run":
                layers.choose_run(*arguments)
        layers.update(float(n), force=True)
    assert {
        (e.meta.layer, e.meta.position["well"], e.meta.position["t"], e.run)
        for e in layers.catalogue.entries()
    } == set(places)
    assert picture(layers._arrangement) == picture(layers._draft().finished())
    assert set(layers.streams) <= {layer.name for layer in viewer.layers}
    viewer.layers.clear()
