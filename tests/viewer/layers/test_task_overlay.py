"""States of tasks over the pictures, at the places of their items."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from dask_napari.model import Item, ItemMeta, LayerSpec, Layout, Provenance, TaskStatus

PLATE = {"well": Layout(plate=96, gutter=0.06)}
MOSAIC = {"well": "mosaic"}


@pytest.fixture
def learn(live):
    """Tell the state of the task of a position."""

    def learn(state: str, run_id: int = 1, error: str = "", **position) -> None:
        task = Provenance(f"read-{position}", "tcp://10.0.0.1:1", run_id)
        live.layers.catalogue.learn(
            TaskStatus(ItemMeta("raw", "image", position, task), state, error)
        )

    return learn


def item(value: int = 0, **position) -> Item:
    array = np.full((40, 40), value, np.uint8)
    return Item("raw", "image", array, position, Provenance(f"read-{position}", run_id=1))


def tick(live) -> None:
    live.pump.tick(force=True)


def test_tiles_are_marked_by_the_states_of_their_tasks(viewer, live, source, put, learn):
    source.specs["raw"] = LayerSpec("raw", "image", MOSAIC, layouts=PLATE)
    put(item(well="A01"), item(well="A02"))
    learn("expected", well="B01")
    learn("running", well="B02")
    learn("failed", error="ValueError: no", well="B03")
    overlay = live.layers.overlay
    tick(live)
    assert not overlay.cells, "it is off"
    live.dock.states.click()
    tick(live)
    cells = {dict(cell)["well"]: state for cell, state in overlay.cells.items()}
    assert cells == {"B01": "expected", "B02": "running", "B03": "failed"}
    assert [layer.name for layer in viewer.layers] == ["raw"], "it is no layer"
    picture = viewer.window.screenshot(flash=False, canvas_only=True)[..., :3].astype(int)
    red = (picture[..., 0] > 150) & (picture[..., 1:] < 110).all(-1)
    assert red.sum() > 50
    put(item(well="B03"))
    learn("expected", run_id=1, well="A01")  # its item is shown, and its task is to run again
    tick(live)
    cells = {dict(cell)["well"]: state for cell, state in overlay.cells.items()}
    assert cells == {"A01": "expected", "B01": "expected", "B02": "running"}
    live.dock.states.click()
    tick(live)
    assert not overlay.cells
    picture = viewer.window.screenshot(flash=False, canvas_only=True)[..., :3].astype(int)
    assert not ((picture[..., 0] > 150) & (picture[..., 1:] < 110).all(-1)).any()


def test_sliders_mark_the_place_that_is_shown(viewer, live, source, put, learn):
    put(item(t=0), item(t=1), structs_layer(item(t=2), "other"))
    learn("running", t=2)
    live.layers.overlay.visible = True
    viewer.dims.set_current_step(0, 0)
    tick(live)
    assert not live.layers.overlay.cells
    viewer.dims.set_current_step(0, 2)
    tick(live)
    assert live.layers.overlay.cells == {(): "running"}


def structs_layer(each: Item, layer: str) -> Item:
    each.meta = structs.replace(each.meta, layer=layer)
    return each


def test_an_older_run_is_dimmed(viewer, live, source, put, learn):
    source.specs["raw"] = LayerSpec("raw", "image", MOSAIC, layouts=PLATE)
    put(item(255, well="A01"))
    live.layers.overlay.visible = True
    tick(live)
    assert not live.layers.overlay._shade.visible
    meta = ItemMeta("raw", "image", {"well": "A02"}, Provenance("read-again"))
    live.layers.catalogue.learn(TaskStatus(meta, "running"), run=2)
    tick(live)
    assert live.layers.overlay._shade.visible
