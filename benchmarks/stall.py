"""Measure the stalls of the viewer's main thread while 200 images of 1024 x 1024 arrive a second.

A 5 ms timer on the main thread records how late it is called. The peer is an equal window without
arriving images.
"""

from __future__ import annotations

import multiprocessing as mp
import time

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
    delays: dict[str, list[float]] = {"nothing arrives": [], "200 images/s": []}
    state = {"name": "", "then": time.perf_counter()}
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
            state["name"] = "nothing arrives"

        def start() -> None:
            state["name"] = ""
            child.start()

        def first() -> None:
            if receiver.peers() and receiver.peers()[0].items > RATE and not state["name"]:
                state["name"] = "200 images/s"
            if child.pid is not None and not child.is_alive():
                viewer.close()

        beat.start(BEAT_MS)
        QTimer.singleShot(1000, idle)
        QTimer.singleShot(4000, start)
        watch = QTimer()
        watch.timeout.connect(first)
        watch.start(50)
        napari.run()
        live.close()
        shown = receiver.ledger().total
    rows = [
        [name, len(found), *(float(np.percentile(found, p)) for p in (50, 95, 99)), max(found)]
        for name, found in delays.items()
    ]
    text = table(
        f"Milliseconds by which the main thread is late; {RATE} x 1024 x 1024 uint8 a second",
        ["while", "beats", "p50", "p95", "p99", "worst"],
        rows,
    )
    publish("stall", "python -m benchmarks.stall", f"{text}\nLedger: {shown}\n")


if __name__ == "__main__":
    main()
