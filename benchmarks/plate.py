"""Measure the stalls of the viewer's main thread while a plate fills and the user pans over it.

A mosaic of 384 wells x 4 fields x 3 channels of 512 x 512 fills in random order. A 5 ms timer on
the main thread records how late it is called. The peer works like a plain script: it writes tiles
into one array per channel for the whole plate, and refreshes one napari layer per array at the
viewer's rate. When the plate is full, the benchmark measures the cost of panning alone.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable

import napari
import numpy as np
from qtpy.QtCore import Qt, QTimer

from benchmarks.report import publish, table
from dask_napari.model import PLATES, Item, LayerSpec, Layout, Provenance, row_name
from dask_napari.stream.receive import Board, Receiver
from dask_napari.viewer.app._live_viewer import LiveViewer

WELLS = 384
FIELDS = 4
CHANNELS = 3
SIDE = 512
RATE = 150
"""Tiles a second, which fill the plate in half a minute."""

BEAT_MS = 5
PAN_MS = 33

ROWS, COLUMNS = PLATES[WELLS]


def tiles() -> list[tuple[int, int, int, int]]:
    """Return row, column, field and channel of each tile, in random order."""
    every = list(itertools.product(range(ROWS), range(COLUMNS), range(FIELDS), range(CHANNELS)))
    np.random.default_rng(0).shuffle(every)
    return [tuple(each) for each in every]


class Watch:
    """Delays of the main thread, for each phase of a run."""

    def __init__(self) -> None:
        self.late: dict[str, list[float]] = {}
        self.now = ""
        self._then = time.perf_counter()
        self._beat = QTimer()
        self._beat.setTimerType(Qt.TimerType.PreciseTimer)
        self._beat.timeout.connect(self._on_beat)
        self._beat.start(BEAT_MS)

    def _on_beat(self) -> None:
        now = time.perf_counter()
        if self.now:
            self.late.setdefault(self.now, []).append(1e3 * (now - self._then) - BEAT_MS)
        self._then = now


def run(
    viewer: napari.Viewer,
    watch: Watch,
    name: str,
    lay: Callable[[tuple[int, int, int, int]], None],
    extent: tuple[float, float],
) -> None:
    """Lay all tiles at the rate of the benchmark, while the camera pans and zooms."""
    rest = tiles()
    began = time.monotonic()
    done = 0

    def feed() -> None:
        nonlocal done
        due = min(len(rest), int((time.monotonic() - began) * RATE))
        for tile in rest[done:due]:
            lay(tile)
        done = due
        if done == len(rest) and watch.now == name:
            watch.now = f"{name}, full"  # panning alone
            QTimer.singleShot(8000, viewer.close)

    def pan() -> None:
        turn = (time.monotonic() - began) / 8
        y, x = extent
        viewer.camera.center = (
            y * (0.5 + 0.4 * math.sin(2 * math.pi * turn)),
            x * (0.5 + 0.4 * math.cos(2 * math.pi * turn)),
        )
        # Zoom from the whole plate to a few wells, and back.
        viewer.camera.zoom = 0.04 * 12 ** (0.5 - 0.5 * math.cos(2 * math.pi * turn / 3))

    feeding, panning = QTimer(), QTimer()
    feeding.timeout.connect(feed)
    panning.timeout.connect(pan)
    feeding.start(20)
    panning.start(PAN_MS)
    QTimer.singleShot(3000, lambda: setattr(watch, "now", name))  # shaders are compiled by then
    napari.run()


def ours(pictures: list[np.ndarray]) -> Watch:
    """Measure the mosaic of the viewer."""
    board = Board()
    viewer = napari.Viewer()
    receiver = Receiver("ipc://*", board)
    spec = LayerSpec(
        "raw",
        "image",
        {"well": "mosaic", "field": "mosaic", "channel": "layer"},
        {"contrast_limits": [0, 4095]},
        {"well": Layout(plate=WELLS, gutter=0.06), "field": Layout(rows=2, columns=2)},
    )
    receiver.layers = lambda: {"raw": spec}  # type: ignore[method-assign]
    numbers = itertools.count()

    def lay(tile: tuple[int, int, int, int]) -> None:
        row, column, field, channel = tile
        position = {"well": f"{row_name(row)}{column + 1:02d}", "field": field, "channel": channel}
        n = next(numbers)
        board.put(Item("raw", "image", pictures[n % 8], position, Provenance(str(n))))

    with receiver:
        live = LiveViewer(viewer, receiver, board)
        watch = Watch()
        pitch = 2 * SIDE * 1.06
        run(viewer, watch, "mosaic", lay, (ROWS * pitch, COLUMNS * pitch))
        live.close()
    assert board.tallies()["", "raw"].shown == len(tiles())
    return watch


def plain(pictures: list[np.ndarray]) -> Watch:
    """Measure one array per channel, refreshed thirty times a second."""
    viewer = napari.Viewer()
    shape = ROWS * 2 * SIDE, COLUMNS * 2 * SIDE
    arrays = [np.zeros(shape, np.uint16) for _ in range(CHANNELS)]
    layers = [
        # Levels are strided views, as in a plain script.
        viewer.add_image(
            [array[:: 2**k, :: 2**k] for k in range(6)],
            contrast_limits=(0, 4095),
            blending="additive",
            multiscale=True,
        )
        for array in arrays
    ]
    numbers = itertools.count()
    dirty: set[int] = set()

    def lay(tile: tuple[int, int, int, int]) -> None:
        row, column, field, channel = tile
        y, x = 2 * row + field // 2, 2 * column + field % 2
        block = pictures[next(numbers) % 8]
        arrays[channel][y * SIDE : (y + 1) * SIDE, x * SIDE : (x + 1) * SIDE] = block
        dirty.add(channel)

    def refresh() -> None:
        for channel in dirty:
            layers[channel]._reset_thumbnail_level_data()
            layers[channel].refresh(extent=False, highlight=False, thumbnail=False)
        dirty.clear()

    refreshing = QTimer()
    refreshing.timeout.connect(refresh)
    refreshing.start(PAN_MS)
    watch = Watch()
    run(viewer, watch, "plain arrays", lay, shape)
    return watch


def main() -> None:
    """Run both, and publish the delays."""
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 4096, (SIDE, SIDE)).astype(np.uint16) for _ in range(8)]
    late = ours(pictures).late | plain(pictures).late
    rows = [
        [name, len(found), *(float(np.percentile(found, p)) for p in (50, 95, 99)), max(found)]
        for name, found in late.items()
    ]
    p99 = {str(row[0]): float(row[4]) for row in rows}
    ratio = p99["mosaic"] / p99["plain arrays"]
    text = table(
        f"Milliseconds by which the main thread is late; {WELLS} wells x {FIELDS} fields x "
        f"{CHANNELS} channels of {SIDE} x {SIDE}, {RATE} tiles a second, while panning",
        ["while", "beats", "p50", "p95", "p99", "worst"],
        rows,
    )
    publish(
        "plate", "python -m benchmarks.plate", f"{text}\np99 against plain arrays: {ratio:.2f}\n"
    )


if __name__ == "__main__":
    main()
