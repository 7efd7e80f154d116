"""A click on the canvas: the dock's panel says all that is known of what was clicked."""

from __future__ import annotations

import time

import numpy as np
import pytest
import tifffile
from qtpy.QtGui import QDesktopServices, QGuiApplication
from qtpy.QtWidgets import QFileDialog

from dask_napari.model import Item, ItemMeta, LayerSpec, Layout, Provenance, TaskStatus

PLATE = {"well": Layout(plate=96)}


def item(value, layer="raw", kind="image", **position) -> Item:
    began = time.time() - 10
    task = Provenance(f"read-{value}", "tcp://10.0.0.1:4567", 1, began, began + 3.2)
    array = np.full((10, 20), value, np.uint8 if kind == "labels" else np.uint16)
    return Item(layer, kind, array, position, task)


@pytest.fixture
def panel(live):
    return live.dock.under_cursor


def test_a_click_shows_task_times_and_bytes(source, put, mouse, panel):
    source.specs["raw"] = LayerSpec("raw", "image", {"well": "mosaic"}, layouts=PLATE)
    first, second = item(7, well="A01"), item(9, well="B02")
    second.arrived = second.provenance.stop + 0.25
    put(first, second)
    assert panel.isHidden()
    mouse.click(15, 27)
    assert not panel.isHidden()
    assert panel.place.text() == "well B02    value 9"
    assert panel.task.text() == "read-9\n10.0.0.1:4567 · run 1"
    began = time.strftime("%H:%M:%S", time.localtime(second.provenance.start))
    began_line, bytes_line = panel.times.text().split("\n")
    assert began_line == f"began {began} · took 3.2 s"
    assert bytes_line.startswith("400 B, 10 x 20 uint16 · arrived 250 ms after its task · drawn ")
    assert panel.state.isHidden()
    mouse.click(15, 7)
    assert panel.isHidden(), "a well that has no item"


def test_a_drag_and_a_tool_keep_the_click_to_themselves(viewer, put, mouse, panel):
    put(item(3, "cells", "labels", t=0))
    mouse.click(5, 7, to=(5, 12))
    assert panel.isHidden()
    cells = viewer.layers["cells"]
    cells.mode, cells.selected_label, cells.brush_size = "paint", 8, 1
    mouse.click(5, 7)
    assert panel.isHidden()
    assert np.asarray(cells.data)[0, 5, 7] == 8
    cells.mode = "pan_zoom"
    mouse.click(5, 3)
    assert panel.place.text() == "t 0    value label 3"


def test_the_selected_layer_comes_first_then_the_topmost(viewer, put, mouse, panel):
    put(item(5, t=0), item(3, "cells", "labels", t=0))
    viewer.add_image(np.ones((1, 10, 20)), name="mine")
    mouse.click(5, 7)
    assert "label 3" in panel.place.text()
    viewer.layers.selection.active = viewer.layers["raw"]
    mouse.click(5, 7)
    assert panel.place.text().endswith("value 5")


def test_a_failed_task_shows_its_traceback_and_can_be_retried(source, live, put, mouse, panel):
    source.specs["raw"] = LayerSpec("raw", "image", {"well": "mosaic"}, layouts=PLATE)
    put(item(7, well="A01"))
    meta = ItemMeta("raw", "image", {"well": "B02"}, Provenance("read-B02", "w1", 1, 1e9, 1e9 + 1))
    trace = "Traceback (most recent call last):\n  ...\nRuntimeError: camera timeout\n"
    live.layers.catalogue.learn(TaskStatus(meta, "failed", "RuntimeError: camera timeout", trace))
    mouse.click(15, 27)
    assert panel.place.text() == "well B02"
    assert panel.state.text() == f"failed: RuntimeError: camera timeout\n{trace.rstrip()}"
    assert not panel.retry.isEnabled(), "nobody is attached to the cluster"
    assert not panel.dashboard.isEnabled()
    assert not panel.save.isEnabled()
    source.cluster.hear(
        {"cluster": {"scheduler": "tcp://s:1", "dashboard": "http://s:8787/status"}}
    )
    live.dock.refresh()
    panel.retry.click()
    assert source.cluster.hear({}) == [{"name": "retry", "arguments": {"keys": ["read-B02"]}}]
    again = ItemMeta("raw", "image", {"well": "B02"}, Provenance("read-B02", "w1", 2, 1e9, 1e9 + 1))
    live.layers.catalogue.learn(TaskStatus(again, "running"))
    live.dock.refresh()
    assert panel.state.text() == "running"
    assert not panel.retry.isEnabled()


def test_the_buttons_copy_open_and_save(source, live, put, mouse, panel, monkeypatch, tmp_path):
    put(item(7, well="A01"))
    mouse.click(5, 7)
    panel.copy.click()
    assert QGuiApplication.clipboard().text() == "read-7"
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    source.cluster.hear(
        {"cluster": {"scheduler": "tcp://s:1", "dashboard": "http://s:8787/status"}}
    )
    live.dock.refresh()
    panel.dashboard.click()
    assert opened == ["http://s:8787/info/task/read-7.html"]
    for name, chosen in (("a.tif", ""), ("b", "NumPy (*.npy)")):
        answer = str(tmp_path / name), chosen
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, found=answer: found)
        panel.save.click()
    assert (tifffile.imread(tmp_path / "a.tif") == 7).all()
    assert np.load(tmp_path / "b.npy").shape == (10, 20)
