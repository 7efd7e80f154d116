"""Hovering: the status bar and the tooltip say which task made what is under the pointer."""

from __future__ import annotations

import time

import numpy as np
import pytest
from msgspec import structs
from qtpy.QtWidgets import QApplication

from dask_napari.model import FEATURE, Item, ItemMeta, LayerSpec, Layout, Provenance, TaskStatus
from headless import eventually

PLATE = {"well": Layout(plate=96), "field": Layout(rows=2, columns=2)}
MOSAIC = {"well": "mosaic", "field": "mosaic"}


def made_by(key: str, seconds: float = 3.2) -> Provenance:
    return Provenance(key, "tcp://10.0.0.1:4567", 1, 1e9, 1e9 + seconds)


def item(value, layer="raw", kind="image", shape=(10, 20), key="", run=1, **position) -> Item:
    array = np.full(shape, value, np.uint8 if kind == "labels" else np.uint16)
    return Item(layer, kind, array, position, made_by(key or f"task-{value}"), run=run)


@pytest.fixture
def hover(viewer, live, mouse):
    """Move the mouse to a place in the world, and return the text of the status bar."""

    def hover(*place: float, layer: str | None = None) -> str:
        if layer is not None:
            viewer.layers.selection.active = viewer.layers[layer]
        mouse.move(*place)
        viewer.mouse_over_canvas = True  # whatever the screen's own pointer does
        viewer.update_status_from_cursor()  # at once; napari's thread may be behind
        return viewer.window._status_bar._coordinates.text()

    yield hover
    viewer.mouse_over_canvas = False


def test_a_pixel_names_its_place_its_value_and_its_task(viewer, put, hover):
    put(item(1234, well="C05", field=2), item(77, well="C06", field=2))
    viewer.dims.set_current_step(0, 0)
    said = "well C05 · field 2 | 1234 | task-1234 · 10.0.0.1:4567 · 3.2 s"
    assert hover(5, 7).startswith(f"{said} | [")
    assert not hover(5, 40).startswith("well"), "nothing lies there"
    viewer.dims.set_current_step(0, 1)
    assert hover(5, 7).startswith("well C06 · field 2 | 77 | task-77")


def test_several_runs_are_told_apart(viewer, put, hover, live):
    put(item(5, t=0), item(6, t=0, run=2))
    assert "| 6 | task-6 · 10.0.0.1:4567 · 3.2 s · run 2" in hover(2, 2)
    live.layers.choose_run("all")
    live.pump.drain()
    viewer.dims.set_current_step(0, 0)
    assert "| 5 | task-5 · 10.0.0.1:4567 · 3.2 s · run 1" in hover(2, 2)


def test_a_layer_a_channel_names_the_channel(source, put, hover):
    names = {"channel": Layout(names={"1": "DAPI"})}
    source.specs["raw"] = LayerSpec("raw", "image", {"channel": "layer"}, layouts=names)
    put(item(5, well="A01", channel=1), item(9, well="A01", channel=2))
    assert hover(2, 2, layer="raw [DAPI]").startswith("well A01 · DAPI | 5 | task-5")
    assert hover(2, 2, layer="raw [2]").startswith("well A01 · 2 | 9 | task-9")


def test_a_mosaic_names_the_tile_and_nothing_in_gaps(source, put, hover):
    layouts = {**PLATE, "well": Layout(plate=96, gutter=0.5)}
    source.specs["raw"] = LayerSpec("raw", "image", MOSAIC, layouts=layouts)
    put(item(7, well="B02", field=4), item(5, well="A01", field=1), item(6, well="A01", field=2))
    assert hover(5, 7).startswith("well A01 · field 1 | 5 | task-5")
    assert hover(5, 27).startswith("well A01 · field 2 | 6 | task-6")
    assert hover(30 + 15, 60 + 25).startswith("well B02 · field 4 | 7 | task-7")
    assert not hover(25, 7).startswith("well"), "between the wells"
    assert not hover(5, 60 + 25).startswith("well"), "a well that has no item"


def test_chunks_and_pyramids_name_the_chunk(viewer, put, hover):
    chunks = []
    for n, origin in enumerate(((0, 0), (0, 3000), (3000, 0), (3000, 3000))):
        chunk = item(n + 1, shape=(3000, 3000), key=f"('x', {n})")
        chunk.amend(origin=origin, array_shape=(6000, 6000))
        chunks.append(chunk)
    put(*chunks)
    assert viewer.layers["raw"].multiscale
    assert hover(100, 5000).startswith("chunk at 0, 3000 | 2 | ('x', 1)")
    assert hover(5000, 2900).startswith("chunk at 3000, 0 | 3 | ('x', 2)")


def elements(kind: str, key: str, **position) -> Item:
    """An item of a kind with something at (5, 7)."""
    arrays: dict[str, np.ndarray] = {}
    data = np.array([[2.0, 2.0], [5.0, 7.0]])
    if kind == "points":
        arrays = {f"{FEATURE}area": np.array([1.5, 2.5])}
    elif kind == "shapes":
        data = np.array([[4.0, 6.0], [4.0, 8.0], [6.0, 8.0], [6.0, 6.0]])
        arrays = {"offsets": np.array([0, 4]), "types": np.array([0])}
    elif kind == "tracks":
        data = np.array([[3, 0, 2.0, 2.0], [3, 1, 5.0, 7.0]])
    elif kind == "vectors":
        data = np.stack([data, np.ones((2, 2))], 1)
    elif kind == "surface":
        data = np.array([[4.0, 6.0], [4.0, 8.0], [6.0, 7.0]])
        arrays = {"faces": np.array([[0, 1, 2]]), "values": np.ones(3)}
    return Item("found", kind, data, position, made_by(key), arrays=arrays)


ELEMENTS = {
    "points": ["point"],
    "shapes": ["shape"],
    "tracks": ["track"],
    "vectors": [],
    "surface": [],
}
"""First word of what napari names at the pointer, by kind."""


@pytest.mark.parametrize("kind", ELEMENTS)
def test_elements_of_all_kinds_name_their_task(viewer, put, hover, kind):
    put(item(1, well="A01"), item(2, well="A02"))
    put(elements(kind, "find-1", well="A01"), elements(kind, "find-2", well="A02"))
    for step, well in enumerate(("A01", "A02")):
        viewer.dims.set_current_step(viewer.dims.axis_labels.index("well"), step)
        said = hover(5, 7, layer="found")
        place, *value, task, _ = said.split(" | ")
        assert place == f"well {well}"
        assert task == f"find-{step + 1} · 10.0.0.1:4567 · 3.2 s"
        assert [each.split(" ")[0] for each in value] == ELEMENTS[kind]
        assert ("area: 2.5" in said) == (kind == "points")


@pytest.mark.parametrize("kind", ELEMENTS)
def test_elements_in_a_mosaic_name_the_tile(source, put, hover, kind):
    source.specs["found"] = LayerSpec("found", kind, {"well": "mosaic"}, layouts=PLATE)
    put(item(1, well="A01"), item(2, well="B03"))
    put(elements(kind, "find-1", well="A01"), elements(kind, "find-2", well="B03"))
    assert hover(5, 7, layer="found").startswith("well A01")
    assert "find-1" in hover(5, 7, layer="found")
    assert "find-2" in hover(15, 47, layer="found")
    assert "find" not in hover(15, 7, layer="found")


def test_labels_name_their_features_too(put, hover):
    labels = item(7, "cells", "labels", t=0)
    labels.arrays = {f"{FEATURE}index": np.array([7]), f"{FEATURE}area": np.array([30])}
    put(labels)
    assert hover(5, 7).startswith("t 0 | label 7; area: 30 | task-7")


def test_a_voxel_in_3d_names_its_chunk(viewer, put, hover):
    for n in range(2):
        volume = item(n + 3, "cells", "labels", shape=(8, 8, 16), key=f"segment-{n}")
        volume.amend(origin=(0, 0, 16 * n), array_shape=(8, 8, 32))
        put(volume)
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    assert hover(4, 6).startswith("chunk at 0, 0, 0 | label 3 | segment-0")
    assert hover(4, 26).startswith("chunk at 0, 0, 16 | label 4 | segment-1")


def test_a_tooltip_says_the_same_and_is_no_markup(viewer, put, hover):
    put(item(5, t="<b>now</b>"))
    viewer.tooltip.visible = True
    try:
        hover(2, 2)
        assert viewer.tooltip.text.startswith("t &lt;b&gt;now&lt;/b&gt; | 5 | task-5")
    finally:
        viewer.tooltip.visible = False


def test_a_place_without_an_item_says_what_became_of_it(live, source, put, hover):
    source.specs["raw"] = LayerSpec("raw", "image", MOSAIC, layouts=PLATE)
    put(item(5, well="A01", field=1))
    lost = item(9, well="C05", field=2, key="task-lost")
    live.layers.catalogue.drop(lost, "too large")
    assert hover(2 * 20 + 5, 4 * 40 + 25).startswith(
        "well C05 · field 2 | dropped: too large | task-lost"
    )


@pytest.mark.parametrize("in_mosaic", [True, False])
def test_a_place_whose_task_waits_or_failed_says_so(live, source, viewer, put, hover, in_mosaic):
    axes = MOSAIC if in_mosaic else {}
    source.specs["raw"] = LayerSpec("raw", "image", axes, layouts=PLATE if in_mosaic else {})
    put(item(5, well="A01", field=1), item(6, layer="other", well="C05", field=2))
    for well, state in (("C05", "expected"), ("C06", "failed")):
        meta = ItemMeta("raw", "image", {"well": well, "field": 2}, Provenance(f"read-{well}"))
        error = "RuntimeError: camera timeout" if state == "failed" else ""
        live.layers.catalogue.learn(TaskStatus(meta, state, error))
    place = (2 * 20 + 5, 4 * 40 + 25) if in_mosaic else (5, 7)
    if not in_mosaic:
        viewer.dims.current_step = (1, 1, 0, 0)
    assert hover(*place, layer="raw").startswith("well C05 · field 2 | waiting | read-C05 | ")
    if in_mosaic:
        said = hover(place[0], place[1] + 40)
        assert said.startswith(
            "well C06 · field 2 | failed: RuntimeError: camera timeout | read-C0"
        )


def test_a_task_that_fails_after_its_item_came_says_both(live, put, hover):
    put(item(5, t=0))
    (entry,) = live.layers.catalogue.entries()
    later = structs.replace(entry.meta.provenance, run_id=2)
    meta = structs.replace(entry.meta, provenance=later)
    live.layers.catalogue.learn(TaskStatus(meta, "failed", "ValueError: no"))
    assert hover(2, 2).startswith("t 0 | 5 | failed: ValueError: no | task-5")


def test_a_pointer_that_rests_hears_of_what_arrives(viewer, live, put, hover):
    put(item(5, t=0))
    hover(2, 2)
    viewer.window._qt_window.status_thread.start()
    try:
        put(item(9, t=0))
        viewer.mouse_over_canvas = True
        live.pump.tick()

        def says(text: str) -> bool:
            QApplication.processEvents()
            return text in viewer.window._status_bar._coordinates.text()

        eventually(lambda: says("t 0 | 9 | task-9"))
    finally:
        viewer.window._qt_window.status_thread.terminate()


def test_layers_of_the_users_own_stay_as_they_are(viewer, put, hover):
    put(item(5, t=0))
    viewer.add_image(np.ones((10, 20)), name="mine")
    assert hover(5, 7, layer="mine").startswith("[")


def test_names_are_said_while_the_main_thread_lays_out(viewer, live, source, put, hover):
    """Napari asks in its own thread, which must neither fail nor see anything half done."""
    put(item(1, well="w1000", shape=(4, 4)))
    hover(2, 2)
    thread = viewer.window._qt_window.status_thread
    errors = []
    thread.status_and_tooltip_changed.connect(lambda found: errors.append(found))
    calculate, failures = viewer._calc_status_from_cursor, []

    def calculated():
        try:
            return calculate()
        except Exception as error:
            failures.append(error)
            raise

    object.__setattr__(viewer, "_calc_status_from_cursor", calculated)
    thread.start()
    try:
        for n in range(60):
            put(*(item(1, well=f"w{(n * 7919 + k) % 2000}", shape=(4, 4)) for k in range(10)))
            thread.trigger_status_update()
        eventually(lambda: QApplication.processEvents() or len(errors) > 3)
    finally:
        object.__delattr__(viewer, "_calc_status_from_cursor")
        thread.terminate()
        thread.wait()
    assert not failures


def test_a_look_is_cheap_among_many_tiles(viewer, live, source, put, hover):
    source.specs["raw"] = LayerSpec(
        "raw", "image", {"well": "mosaic"}, layouts={"well": Layout(plate=1536)}
    )
    wells = [f"{row}{column:02}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 49)]
    put(*(item(n, shape=(4, 4), well=well) for n, well in enumerate(wells)))
    hover(2, 2)
    layer = viewer.layers["raw"]
    began = time.perf_counter()
    for _ in range(100):
        layer.get_status((2, 2), world=True, view_direction=None, dims_displayed=[0, 1])
    assert (time.perf_counter() - began) / 100 < 5e-3  # some 0.1 ms; a busy host takes longer
