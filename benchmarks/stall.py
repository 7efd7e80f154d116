"""Measure the stalls of the viewer's main thread while 200 images of 1024 x 1024 arrive a second.

A 5 ms timer on the main thread records how late it is called. The peers are the same window before
anything arrives, and one that shows pictures of a plain array, as often as the viewer redraws: most
of a stall is the drawing, and all of them grow with the load of the machine.
"""

from __future__ import annotations

import multiprocessing as mp
import time
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import Qt, QTimer

from benchmarks.report import publish, table
from dask_napari.model import Item
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher
from dask_napari.viewer.app._live_viewer import LiveViewer

RATE = 200
SECONDS = 10
PLACES = 50
BEAT_MS = 5

PLAIN_MS = 66
"""Milliseconds between pictures of the plain array: the viewer redraws some 15 times a second."""

PLAIN_SECONDS = 6

_spawn = mp.get_context("spawn")


def _send(address: str) -> None:
    pictures = [np.random.default_rng(n).integers(0, 255, (1024, 1024), "u1") for n in range(8)]
    with Publisher(address, name="camera") as publisher:
        began = time.monotonic()
        for n in range(RATE * SECONDS):
            while time.monotonic() < began + n / RATE:
                time.sleep(0.0005)
            publisher.put(Item("raw", "image", pictures[n % 8], {"t": n % PLACES}))


def main() -> None:
    board = Board()
    viewer = napari.Viewer(show=True)
    names = idle_name, plain_name, live_name = "nothing arrives", "a plain array", "200 images/s"
    delays: dict[str, list[float]] = {name: [] for name in names}
    state: dict[str, Any] = {"name": "", "then": time.perf_counter()}
    beat = QTimer()
    beat.setTimerType(Qt.TimerType.PreciseTimer)

    def on_beat() -> None:
        now = time.perf_counter()
        if state["name"]:
            delays[state["name"]].append(1e3 * (now - state["then"]) - BEAT_MS)
        state["then"] = now

    beat.timeout.connect(on_beat)
    with Receiver("ipc://*", board) as receiver:
        live = LiveViewer(viewer, receiver, board)
        child = _spawn.Process(target=_send, args=(receiver.addresses[0],))

        def idle() -> None:
            state["name"] = idle_name

        array = np.random.default_rng(0).integers(0, 255, (8, 1024, 1024), "u1")
        plain = QTimer()
        plain.timeout.connect(
            lambda: viewer.dims.set_current_step(0, (viewer.dims.current_step[0] + 1) % len(array))
        )

        def show_plain() -> None:
            state["name"] = ""
            viewer.add_image(array)
            viewer.dims.set_current_step(0, 0)
            plain.start(PLAIN_MS)
            QTimer.singleShot(1000, lambda: state.update(name=plain_name))

        def start() -> None:
            state["name"] = ""
            plain.stop()
            viewer.layers.clear()
            child.start()

        def first() -> None:
            if receiver.peers() and receiver.peers()[0].items > RATE and not state["name"]:
                state["name"] = live_name
            if child.pid is not None and not child.is_alive():
                live.pump.drain()
                state["ledger"] = receiver.ledger().total  # with the window, all of it is hidden
                viewer.close()

        beat.start(BEAT_MS)
        QTimer.singleShot(1000, idle)
        QTimer.singleShot(4000, show_plain)
        QTimer.singleShot(5000 + 1000 * PLAIN_SECONDS, start)
        watch = QTimer()
        watch.timeout.connect(first)
        watch.start(50)
        napari.run()
        live.close()
    rows = [
        [name, len(found), *(float(np.percentile(found, p)) for p in (50, 95, 99)), max(found)]
        for name, found in delays.items()
    ]
    text = table(
        f"Milliseconds by which the main thread is late; {RATE} x 1024 x 1024 uint8 a second",
        ["while", "beats", "p50", "p95", "p99", "worst"],
        rows,
    )
    publish("stall", "python -m benchmarks.stall", f"{text}\nLedger: {state['ledger']}\n")


if __name__ == "__main__":
    main()
