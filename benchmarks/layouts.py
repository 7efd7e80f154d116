"""Measure how long a plate takes from one layout to another, in a window.

Plates of 96, 384 and 1536 wells with 4 channels of 64 x 64, channels on a slider, go from the
slider to a mosaic and back; that of 96 wells also to a layer a well and back. The peer is a plain
napari that gets 96 arrays by ``add_image`` and loses them again, with a turn of the event loop for
each, as the window has it in the viewer. Seconds of the processor are beside those of the clock,
since others may use the machine.

And what happens to a window with 100 000 items when the user removes a layer, takes it back,
chooses and clears a run, and when a tap is changed or a run begins.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from benchmarks.report import publish, table
from dask_napari.model import PLATES, Item, LayerSpec, Provenance, row_name
from dask_napari.stream.receive import Board, Receiver
from dask_napari.viewer.app._live_viewer import LiveViewer

CHANNELS = 4
SIDE = 64
MANY = 96
ENTRIES = 100_000
COLUMNS = ["clock", "processor", "longest turn"]


def _wells(count: int) -> list[str]:
    rows, columns = PLATES[count]
    return [f"{row_name(row)}{n + 1:02d}" for row in range(rows) for n in range(columns)]


def _measure(name: str, change: Callable[[], float]) -> list[object]:
    """Return a row: what was done, seconds of the clock and of the processor, the worst turn.

    Of that turn, it is those of the main thread.
    """
    began, used = time.perf_counter(), time.process_time()
    worst = change()
    return [name, time.perf_counter() - began, time.process_time() - used, worst]


def _turns(step: Callable[[], bool]) -> float:
    """Step, and let the window act, until there is nothing left; return the longest turn."""
    worst, goes_on = 0.0, True
    while goes_on:
        began = time.thread_time()
        goes_on = step()
        QApplication.processEvents()
        worst = max(worst, time.thread_time() - began)
    return worst


def ours(count: int) -> list[list[object]]:
    """Measure the changes of layout of a plate."""
    board, viewer = Board(), napari.Viewer()
    receiver = Receiver("ipc://*", board)
    receiver.layers = lambda: {"raw": LayerSpec("raw", "image")}  # type: ignore[method-assign]
    live = LiveViewer(viewer, receiver, board)
    live.pump.stop()
    gc.freeze()  # as the viewer's own process does
    random = np.random.default_rng(0)
    for well in _wells(count):
        for channel in range(CHANNELS):
            data = random.integers(0, 255, (SIDE, SIDE), "u1")
            board.put(Item("raw", "image", data, {"well": well, "c": channel}, Provenance(well)))
    live.pump.drain()
    QApplication.processEvents()

    def step() -> bool:
        live.pump.tick()
        return bool(live.layers.in_progress[0])

    rows = []
    before = "slider"
    for mode in (*(["layer"] if count <= MANY else []), "mosaic", "slider"):

        def change(mode: str = mode) -> float:
            began = time.thread_time()
            live.layers.choose("well", mode)  # type: ignore[arg-type]
            chosen = time.thread_time() - began
            return max(chosen, _turns(step))

        rows.append(_measure(f"{count} wells, {before} to {mode}", change))
        before = mode
    live.close()
    viewer.close()
    return rows


def many() -> list[list[object]]:
    """Measure what lays out many items: two runs of one layer, beside another layer."""
    board, viewer = Board(), napari.Viewer()
    receiver = Receiver("ipc://*", board)
    specs = {"raw": LayerSpec("raw", "image"), "mask": LayerSpec("mask", "labels")}
    receiver.layers = lambda: specs  # type: ignore[method-assign]
    live = LiveViewer(viewer, receiver, board)
    live.pump.stop()
    gc.freeze()
    wells, data = _wells(384), np.ones((1, 1), "u1")

    def put(layer: str, kind: str, count: int, run: int = 1) -> None:
        for n in range(count):
            position = {"well": wells[n % len(wells)], "t": n // len(wells)}
            item = Item(layer, kind, data, position, Provenance(f"{layer}-{n}"), run=run)  # type: ignore[arg-type]
            board.put(item)
            if not n % 1000:
                live.pump.drain()
        live.pump.drain()

    put("raw", "image", ENTRIES // 2)
    put("raw", "image", ENTRIES // 4, run=2)
    put("mask", "labels", ENTRIES // 4)
    QApplication.processEvents()

    def step() -> bool:
        live.pump.tick()
        layers = live.layers
        return bool(layers.in_progress[0] or layers.shown_entries.cleared or len(board))

    def tap() -> None:
        specs["mask"] = LayerSpec("mask", "labels", {"well": "mosaic"})
        board.put(Item("mask", "labels", data, {"well": "A01", "t": 0}, Provenance("mask-0")))

    def run() -> None:
        board.put(
            Item("mask", "labels", data, {"well": "A01", "t": 0}, Provenance("mask-0"), run=3)
        )

    def measured(name: str, act: Callable[[], object]) -> list[object]:
        def change() -> float:
            began = time.thread_time()
            act()
            return max(time.thread_time() - began, _turns(step))

        return _measure(name, change)

    layers = live.layers
    rows = [
        measured("run 1 is chosen", lambda: layers.choose_run(1)),
        measured("all runs are chosen", lambda: layers.choose_run("all")),
        measured("the newest run is chosen", lambda: layers.choose_run("newest")),
        measured("a layer is removed", lambda: viewer.layers.remove("mask")),
        measured("the layer is shown again", lambda: layers.show_hidden("mask")),
        measured("a tap asks for a mosaic", tap),
        measured("a run begins", run),
        measured("run 1 is cleared", lambda: layers.clear_run(1)),
    ]
    live.close()
    viewer.close()
    return rows


def plain() -> list[list[object]]:
    """Measure layers of dense arrays in a plain napari."""
    viewer = napari.Viewer()
    QApplication.processEvents()
    arrays = [np.zeros((CHANNELS, SIDE, SIDE), np.uint8) for _ in range(MANY)]
    rest = list(arrays)

    def add() -> bool:
        viewer.add_image(rest.pop())
        return bool(rest)

    def remove() -> bool:
        viewer.layers.remove(viewer.layers[-1])
        return bool(viewer.layers)

    rows = [
        _measure(f"plain napari, {MANY} times add_image", lambda: _turns(add)),
        _measure(f"plain napari, {MANY} times remove", lambda: _turns(remove)),
    ]
    viewer.close()
    return rows


def main() -> None:
    """Measure all, and publish it."""
    rows = [row for count in (96, 384, 1536) for row in ours(count)] + plain()
    seconds = {str(row[0]): row for row in rows}
    ours_cpu = float(seconds[f"{MANY} wells, slider to layer"][2])  # type: ignore[arg-type]
    plain_cpu = float(seconds[f"plain napari, {MANY} times add_image"][2])  # type: ignore[arg-type]
    text = table(
        f"Seconds from one layout to another; {CHANNELS} channels of {SIDE} x {SIDE} a well",
        ["change", *COLUMNS],
        rows,
    )
    large = table(f"Seconds to lay out {ENTRIES:,} items anew", ["change", *COLUMNS], many())
    ratio = f"Processor time of {MANY} layers against plain napari: {ours_cpu / plain_cpu:.2f}\n"
    publish("layouts", "python -m benchmarks.layouts", f"{text}\n{ratio}\n{large}")


if __name__ == "__main__":
    main()
