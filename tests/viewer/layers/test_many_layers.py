"""Many layers that come or go at once: napari draws them once, and makes controls when needed."""

from __future__ import annotations

import functools
import gc

import numpy as np
import pytest
from napari._vispy.visuals.volume import Volume
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.events import EmitterGroup
from qtpy.QtWidgets import QApplication

from dask_napari.model import Item

WELLS = [f"{row}{column:02d}" for row in "AB" for column in range(1, 7)]


@pytest.fixture
def plate(live, put):
    """A plate on a slider."""
    put(*(Item("raw", "image", np.full((8, 8), n, "u1"), {"well": w}) for n, w in enumerate(WELLS)))
    QApplication.processEvents()
    return live.layers


def lay_out(live, mode) -> list[int]:
    """Choose a mode and return how many layers there were after each tick until it was there."""
    live.layers.choose("well", mode)
    counts = []
    while not counts or live.layers.in_progress[0]:
        live.pump.tick()
        QApplication.processEvents()
        counts.append(len(live.viewer.layers))
    return counts


def test_a_layout_of_many_layers_is_drawn_once(viewer, live, plate, monkeypatch):
    drawn, collected = [], []
    collect = gc.collect
    canvas = viewer.window._qt_viewer.canvas
    canvas.events.draw.connect(lambda event: drawn.append(len(viewer.layers)))
    monkeypatch.setattr(gc, "collect", lambda *args: collected.append(args) or collect(*args))
    counts = lay_out(live, "layer")
    assert len(counts) > 4, "it waits for nothing between the layers"
    assert counts[-1] == len(WELLS)
    lay_out(live, "slider")
    QApplication.processEvents()
    assert set(drawn) <= {1, len(WELLS)}, "no picture of a layout that is half done"
    assert len(collected) <= 2
    assert viewer.layers["raw"].data.shape == (12, 8, 8)


def test_the_picture_is_that_of_all_layers_after_the_batch(viewer, live, plate):
    lay_out(live, "layer")
    for layer in viewer.layers:
        layer.blending, layer.contrast_limits, layer.colormap = "additive", (0, 11 * 6), "gray"
    viewer.reset_view()
    QApplication.processEvents()
    picture = viewer.screenshot(flash=False)
    assert picture[..., :3].max() >= 250, "the sum of all"


def test_controls_are_made_for_the_layer_that_is_selected(viewer, live, plate):
    lay_out(live, "layer")
    controls = viewer.window._qt_viewer.controls
    assert len(controls.widgets) < 4
    layer = viewer.layers[f"raw [{WELLS[7]}]"]
    viewer.layers.selection.active = layer
    assert controls.currentWidget() is controls.widgets[layer]
    mine = viewer.add_image(np.zeros((4, 4)))
    assert controls.currentWidget() is controls.widgets[mine]
    viewer.layers.remove(layer)
    viewer.layers.remove(mine)
    assert mine not in controls.widgets
    assert not controls.widgets.keys() & {layer, mine}


def test_several_selected_layers_stay_selected_when_another_comes(viewer, live, put):
    put(Item("raw", "image", np.ones((4, 4), "u1"), {}))
    mine = viewer.add_image(np.ones((4, 4)), name="mine")
    viewer.layers.selection = {viewer.layers["raw"], mine}
    put(Item("other", "image", np.ones((4, 4), "u1"), {}))
    assert {layer.name for layer in viewer.layers.selection} == {"raw", "mine"}
    own = viewer.add_image(np.ones((4, 4)), name="own")
    assert viewer.layers.selection.active is own


@pytest.mark.errors("cannot be drawn|an error of this package|tick failed")
def test_a_layer_that_cannot_be_made_does_not_keep_the_others_from_the_screen(
    viewer, live, plate, monkeypatch
):
    insert = type(viewer.layers).insert

    def refuse(layers, index, layer):
        if isinstance(layer, Image) and layer.name.endswith("[B03]"):
            raise RuntimeError("no more textures")
        insert(layers, index, layer)

    monkeypatch.setattr(type(viewer.layers), "insert", refuse)
    live.layers.choose("well", "layer")
    for _ in range(2 * len(WELLS)):
        live.pump.tick()
    assert len(viewer.layers) == len(WELLS) - 1
    assert viewer.window._qt_viewer.canvas.native.updatesEnabled()
    assert viewer.window._qt_viewer.layers.updatesEnabled()


def test_what_shows_an_image_in_space_is_made_when_that_is_looked_at(
    viewer, live, plate, put, monkeypatch
):
    made, make = [], Volume.__init__
    monkeypatch.setattr(Volume, "__init__", lambda *a, **k: made.append(a[0]) or make(*a, **k))
    lay_out(live, "layer")
    put(Item("mask", "labels", np.ones((8, 8), "u1"), {"well": "A01"}))
    assert made == []
    lay_out(live, "slider")
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    QApplication.processEvents()
    assert len(made) == len(viewer.layers) == 2
    assert viewer.screenshot(flash=False)[..., :3].any()
    viewer.dims.ndisplay = 2
    QApplication.processEvents()
    assert viewer.screenshot(flash=False)[..., :3].any()


def test_the_sliders_are_those_of_the_layers_that_come_go_and_change(viewer, live):
    def add(shape, name, labels=None, scale=1.0):
        viewer.add_image(np.zeros(shape, "u1"), name=name, axis_labels=labels, scale=[scale] * 2)

    def set_(name, **values):
        for attribute, value in values.items():
            setattr(viewer.layers[name], attribute, value)

    for change in (
        lambda: add((4, 4), "a", ("p", "q")),
        lambda: add((4, 4), "b", ("p", "q")),
        lambda: add((4, 4), "c", ("x", "y")),  # which reaches as far, and has other names
        lambda: viewer.layers.remove("c"),
        lambda: add((4, 9), "c", scale=0.5),
        lambda: set_("b", units=("um", "um")),
        lambda: set_("a", units=("um", "um")),
        lambda: set_("c", units=("um", "um"), scale=(3.0, 3.0)),
        lambda: viewer.layers.remove("c"),
        lambda: viewer.add_image(np.zeros((3, 4, 4), "u1"), name="d"),
        # what was set by hand is napari's again with the next change of a layer
        lambda: setattr(viewer.dims, "range", [(0, 50, 1)] * 3) or viewer.layers.remove("b"),
        lambda: viewer.layers.remove("d"),
        lambda: viewer.layers.remove("a"),
        lambda: add((4, 4), "a"),
    ):
        change()
        found = viewer.dims.model_dump(exclude={"rollable", "last_used"})
        ViewerModel._on_layers_change.__wrapped__(viewer)  # napari's own
        assert viewer.dims.model_dump(exclude={"rollable", "last_used"}) == found


class _Listener:
    def with_event(self, event):
        self.heard = event

    def without(self):
        self.heard = "nothing"


@pytest.mark.parametrize("name", ["with_event", "without"])
@pytest.mark.parametrize("again", [1, 2])
def test_callbacks_of_events_get_the_event_if_they_take_it(live, name, again):
    events, listener, others = EmitterGroup(changed=None, other=None), _Listener(), []
    events.changed.connect(getattr(listener, name))
    events.changed.connect(lambda event: others.append(event))
    events.changed.connect(lambda: others.append("nothing"))
    events.changed.connect(functools.partial(others.append))
    events.changed.connect(events.other)
    events.changed(value=again)
    assert getattr(listener.heard, "value", listener.heard) in (again, "nothing")
    assert (listener.heard == "nothing") == (name == "without")
    assert len(others) == 3
    assert "nothing" in others
