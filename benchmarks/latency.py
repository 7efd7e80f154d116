"""Measure the time from the end of a task until its item is on the canvas, and painted."""

from __future__ import annotations

import time

import napari
import numpy as np
from distributed import Client, LocalCluster
from qtpy.QtCore import QTimer

from benchmarks.report import publish, table
from dask_napari.sink import NapariSink
from dask_napari.stream.receive import Board, Receiver
from dask_napari.tap import Tap
from dask_napari.viewer.app._live_viewer import LiveViewer

COUNT = 300
WARM = 60
"""Items that are not counted; the first of them makes the layer, its textures and shaders."""


def shot(n: int) -> np.ndarray:
    """Return an image of 512 x 512 after 30 ms."""
    time.sleep(0.03)
    return np.full((512, 512), n, np.uint16)


def _ms(seconds: list[float], percentile: float) -> float:
    return 1e3 * float(np.percentile(seconds, percentile))


def main() -> None:
    board = Board()
    viewer = napari.Viewer(show=True)
    on_canvas: list[float] = []
    painted: list[float] = []
    waiting: list[float] = []
    with (
        Receiver("ipc://*", board) as receiver,
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        live = LiveViewer(viewer, receiver, board)
        put = live.layers.put

        def timed_put(item, spec):
            put(item, spec)
            # Both processes run on one host and read one clock.
            on_canvas.append(time.time() - item.provenance.stop)
            waiting.append(item.provenance.stop)

        live.layers.put = timed_put

        def on_draw(event) -> None:
            now = time.time()
            painted.extend(now - stop for stop in waiting)
            waiting.clear()

        viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(on_draw, position="last")
        client.register_plugin(NapariSink(receiver.addresses, [Tap("shot")]))
        futures = client.map(shot, range(WARM + COUNT), pure=False)
        watch = QTimer()

        def over() -> None:
            if len(painted) >= WARM + COUNT - 1 and all(future.done() for future in futures):
                viewer.close()

        watch.timeout.connect(over)
        watch.start(100)
        QTimer.singleShot(60_000, viewer.close)
        napari.run()
        live.close()
    rows = [
        [name, len(found[WARM:]), *(_ms(found[WARM:], p) for p in (50, 95, 99)), 1e3 * found[0]]
        for name, found in (("on the canvas", on_canvas), ("painted", painted))
    ]
    publish(
        "latency",
        "python -m benchmarks.latency",
        table(
            "Milliseconds after the end of a task, 512 x 512 uint16, about 30 a second, 33 ms pump",
            ["until", "items", "p50", "p95", "p99", "very first"],
            rows,
        ),
    )


if __name__ == "__main__":
    main()
