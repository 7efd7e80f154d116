"""Measure what hovering and the states of tasks over the pictures cost the viewer.

A plate of 1536 wells at 65 times: 100 000 entries, half of them tasks without an item. Hovering is
one text of the status bar, the peer is napari's own text of that layer. Drawing is one
frame of the canvas, without and with the states of a plate's tasks; an update is the work after a
change of one task.
"""

from __future__ import annotations

import time

import napari
import numpy as np
from napari.layers import Image

from benchmarks.report import milliseconds, publish, table
from dask_napari.model import (
    PLATES,
    Item,
    ItemMeta,
    LayerSpec,
    Layout,
    Provenance,
    TaskStatus,
    row_name,
)
from dask_napari.viewer.layers import Layers

WELLS = 1536
TIMES = 65

ROWS, COLUMNS = PLATES[WELLS]


def main() -> None:
    """Fill a plate, and publish the figures."""
    viewer = napari.Viewer()
    layers = Layers(viewer)
    spec = LayerSpec("raw", "image", {"well": "mosaic"}, layouts={"well": Layout(plate=WELLS)})
    wells = [f"{row_name(row)}{column + 1:02d}" for row in range(ROWS) for column in range(COLUMNS)]
    pixels = np.ones((8, 8), np.uint8)

    def state(n: int, well: str, t: int, run_id: int = 1) -> None:
        word = ("expected", "running", "failed")[n % 3]
        task = Provenance(f"read-{well}-{t}", "tcp://10.0.0.1:1", run_id)
        layers.catalogue.learn(
            TaskStatus(ItemMeta("raw", "image", {"well": well, "t": t}, task), word, "error")
        )

    for t in range(TIMES):
        for n, well in enumerate(wells):
            if n % 2:
                state(n, well, t)
            else:
                task = Provenance(f"read-{well}-{t}", "tcp://10.0.0.1:1", 1, 1e9, 1e9 + 2)
                layers.put(Item("raw", "image", pixels, {"well": well, "t": t}, task), spec)
        layers.update(float(t), force=True)
    layer = viewer.layers["raw"]
    where = {"view_direction": None, "dims_displayed": [1, 2], "world": True}
    places = {"an item": (5.0, 4.0, 4.0), "a task": (5.0, 4.0, 12.0)}
    rows: list[list[object]] = [
        [f"hover over {name}", milliseconds(lambda place=place: layer.get_status(place, **where))]
        for name, place in places.items()
    ]
    plain = milliseconds(lambda: Image.get_status(layer, places["an item"], **where))
    rows.append(["napari's own text", plain])
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    off = milliseconds(canvas.render)
    began = time.perf_counter()
    layers.overlay.visible = True
    layers.update(1e6, force=True)
    first = 1e3 * (time.perf_counter() - began)
    on = milliseconds(canvas.render)
    turn = iter(range(2, 10**6))

    def change() -> None:
        number = next(turn)
        state(number, wells[1], TIMES // 2, number)
        layers.update(1e6 + number, force=True)

    rows += [
        ["a frame without states", off],
        ["a frame with states", on],
        ["update after a change", milliseconds(change)],
        ["switching states on", first],
    ]
    title = f"{len(layers.catalogue):,} entries, {WELLS} wells, {len(layers.overlay.cells)} marked"
    publish("Pointer", "python -m benchmarks.pointer", table(title, ["", "ms"], rows))
    viewer.close()


if __name__ == "__main__":
    main()
