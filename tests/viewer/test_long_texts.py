"""Long texts among features: what the viewer builds of them is bounded."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from dask_napari.canvas import CanvasAxes
from dask_napari.canvas.elements import Block, RaggedCanvas
from dask_napari.model import FEATURE, Item, LayerSpec
from dask_napari.viewer.napari_internals import TEXT_BUDGET


def points(*names: str, **position) -> Item:
    data = np.random.default_rng(0).uniform(0, 100, (len(names), 2))
    arrays = {FEATURE + "name": np.array(names)}
    return Item("spots", "points", data, position, arrays=arrays)


def test_one_long_text_does_not_widen_all_the_others():
    canvas = RaggedCanvas(CanvasAxes())
    tracemalloc.start()
    try:
        many = {f"column {n}": np.full(10_000, "abc") for n in range(10)}
        canvas.put({"t": 0}, Block(np.zeros((10_000, 2)), columns=many))
        one = {name: np.array(["x" * 1000]) for name in many}
        canvas.put({"t": 1}, Block(np.zeros((1, 2)), columns=one))
        rows = canvas.all_rows()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 64 << 20  # 400 MB as columns of one width
    for name in many:
        assert rows.columns[name][0] == "abc"
        assert rows.columns[name][-1] == "x" * 1000


@pytest.mark.parametrize("kind", ["points", "shapes"])
def test_texts_in_view_are_shortened_or_left_out(viewer, live, source, put, kind):
    source.specs["spots"] = LayerSpec("spots", kind, {}, {"text": "{name}"})
    for t, names in enumerate((["x" * 900] * 50, ["y" * 900] * 1100, ["z"] * 50)):
        item = points(*names, t=t)
        if kind == "shapes":
            item.meta = Item("spots", "shapes", item.data, {"t": t}).meta
            item.data = np.repeat(item.data, 2, axis=0)
            item.data[1::2] += 1
            item.arrays["offsets"] = np.arange(0, len(item.data) + 1, 2)
            item.arrays["types"] = np.full(len(names), 3)
        put(item)
    started = time.monotonic()
    live.sliders.follow(False)
    lengths = []
    for t in range(3):
        viewer.dims.set_current_step(0, t)
        live.pump.drain()
        lengths.append({len(text) for text in viewer.layers["spots"]._view_text})
    assert lengths == [{TEXT_BUDGET // 50}, {0}, {1}]
    assert time.monotonic() - started < 30
    assert viewer.layers["spots"].features["name"].str.len().max() == 900
    live.dock.refresh()
    assert "texts in view are too many" in "\n".join(live.dock.messages.notes)
