"""Many layers that come or go at once: napari draws them once, and makes controls when needed."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from napari.layers import Image
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
