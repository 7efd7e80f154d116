"""Measure a viewer with a memory limit: resident memory, stalls of the window, reading back.

Streams 2 GiB of images through a board and a napari window, without a limit and with 512 MiB,
each in a new process: ``python -m benchmarks.memory``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time

import numpy as np
import psutil

from benchmarks.report import publish, table

MIB = 1 << 20
SHAPE = (1024, 1024)
ITEM = 2 * MIB


class Rss:
    """Resident memory of this process without shared memory: at the start, and its peak."""

    def __init__(self) -> None:
        self.start = self.peak = self.now()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @staticmethod
    def now() -> int:
        memory = psutil.Process().memory_info()
        return int(memory.rss - memory.shared)

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.peak = max(self.peak, self.now())

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


def run(memory: int | None, total: int) -> dict[str, float]:
    import napari

    from dask_napari.model import Item
    from dask_napari.stream.receive import Receiver
    from dask_napari.stream.receive._pool import BlockPool
    from dask_napari.viewer.app._live_viewer import LiveViewer
    from dask_napari.viewer.storage import board_and_store

    board, store = board_and_store(memory)
    receiver = Receiver("tcp://127.0.0.1:*", board)
    receiver.start()
    viewer = napari.Viewer()
    live = LiveViewer(viewer, receiver, board, store)
    live.pump.stop()
    pool = BlockPool()
    n = total // ITEM

    def item(t: int) -> Item:
        array = pool.empty(SHAPE, np.dtype(np.uint16))
        array[:] = t
        return Item("raw", "image", array, {"t": t})

    board.put(item(0))
    live.pump.drain()
    rss = Rss()
    ticks: list[float] = []
    began = time.monotonic()

    def receive() -> None:
        for t in range(1, n):
            while board.full:  # as the receiver withholds credit
                threading.Event().wait(0.005)
            board.put(item(t))

    sender = threading.Thread(target=receive)
    sender.start()
    while sender.is_alive() or len(board):
        tick = time.monotonic()
        live.pump.tick()
        ticks.append(time.monotonic() - tick)
        threading.Event().wait(0.033)
    seconds = time.monotonic() - began
    store.settle(60)
    after = rss.now()
    reads, draws = [], []
    canvas = live.layers.streams["raw"].canvas
    for t in np.random.default_rng(0).permutation(n // 2)[:100]:
        one = time.monotonic()
        picture = canvas[int(t)]
        reads.append(time.monotonic() - one)
        assert int(np.asarray(picture)[5, 5]) == t
    for t in range(1, 60):
        one = time.monotonic()
        viewer.dims.set_current_step(0, t)
        draws.append(time.monotonic() - one)
    rss.close()
    found = {
        "seconds": seconds,
        "start": rss.start / MIB,
        "peak": rss.peak / MIB,
        "after": after / MIB,
        "on_disk": store.on_disk / MIB,
        "tick_median": float(np.median(ticks)) * 1e3,
        "tick_99": float(np.percentile(ticks, 99)) * 1e3,
        "tick_max": max(ticks) * 1e3,
        "read_median": float(np.median(reads)) * 1e3,
        "read_max": max(reads) * 1e3,
        "draw_median": float(np.median(draws)) * 1e3,
    }
    live.close()
    viewer.close()
    receiver.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--total", type=int, default=2048, help="MiB")
    parser.add_argument("--memory", type=int, default=512, help="MiB")
    parser.add_argument("--one", help="MiB or none: one run, as JSON")
    options = parser.parse_args()
    if options.one:
        memory = None if options.one == "none" else int(options.one) * MIB
        print(json.dumps(run(memory, options.total * MIB)))
        return
    rows = []
    for memory in ("none", str(options.memory)):
        command = [sys.executable, "-m", "benchmarks.memory", "--one", memory]
        command += ["--total", str(options.total)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        limit = "none" if memory == "none" else f"{memory} MiB"
        rows.append([limit, *(f"{value:,.1f}" for value in found.values())])
    title = f"{options.total} MiB streamed; MiB, and milliseconds"
    command = "python -m benchmarks.memory"
    publish("memory", command, table(title, ["limit", *found], rows))


if __name__ == "__main__":
    main()
