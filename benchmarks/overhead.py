"""Measure the cost of the sink for a computation: makespans without it, and in each state.

Three graphs: many trivial tasks, which would show the cost of the hook; a filter whose tasks make
2 MiB each; and tasks that make 2 MiB in almost no time, the worst case: every core runs a worker,
so copies and the viewer take time from the tasks.

The variants take turns, so that a noisy neighbour affects all of them alike. The spread of the runs
without a plugin is the noise.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from distributed import Client, LocalCluster, wait
from scipy import ndimage

from benchmarks.report import publish, table
from dask_napari.sink import SINK_NAME, NapariSink
from dask_napari.tap import Tap

VIEWER = """
import sys, time
from dask_napari.stream import Board, Receiver
board = Board()
with Receiver("ipc://*", board) as receiver:
    print(receiver.addresses[0], flush=True)
    while True:
        time.sleep(0.033)  # as the viewer's pump
        board.shown(board.take())
"""


def small(n: int) -> np.ndarray:
    return np.zeros((8, 8), np.uint8)


def smooth(n: int) -> np.ndarray:
    """Return 2 MiB from a filter that is common in pipelines."""
    random = np.random.default_rng(n)
    picture = random.integers(0, 60_000, (1024, 1024), np.uint16)
    return ndimage.gaussian_filter(picture, 3)


def frame(n: int) -> np.ndarray:
    """Return 2 MiB with almost no work besides memory access."""
    picture = np.arange(1 << 20, dtype=np.uint16).reshape(1024, 1024)
    for _ in range(4):
        picture = picture ^ (picture >> np.uint16(1)) + np.uint16(n % 7)
    return picture


@contextmanager
def viewer() -> Iterator[tuple[str, int]]:
    """Run a consumer; yield its address and process id."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(VIEWER)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    try:
        yield address, process.pid
    finally:
        process.kill()
        process.communicate()


def run(client: Client, function: object, count: int) -> float:
    began = time.perf_counter()
    futures = client.map(function, range(count), pure=False)
    wait(futures)
    took = time.perf_counter() - began
    client.cancel(futures)
    return took


def variant(client: Client, name: str, function: object, count: int) -> float:
    if name == "no plugin":
        return run(client, function, count)
    end = {"viewer stopped": signal.SIGSTOP, "viewer killed": signal.SIGKILL}.get(name)
    with viewer() as (address, pid):
        tap = Tap(function.__name__ if name != "nothing selected" else "nobody", layer="x")
        client.register_plugin(NapariSink(address, [tap]))
        try:
            run(client, function, 50)
            if end is not None:
                os.kill(pid, end)
            return run(client, function, count)
        finally:
            client.unregister_worker_plugin(SINK_NAME)


VARIANTS = ["no plugin", "nothing selected", "all selected", "viewer stopped", "viewer killed"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=10_000)
    options = parser.parse_args()
    rows: list[list[object]] = []
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        graphs = [
            (small, options.tasks),
            (smooth, options.tasks // 50),
            (frame, options.tasks // 20),
        ]
        for function, count in graphs:
            run(client, function, count // 4)  # warm up imports and the scheduler's estimates
            times: dict[str, list[float]] = {name: [] for name in VARIANTS}
            for _ in range(options.repeats):
                for name in VARIANTS:
                    times[name].append(variant(client, name, function, count))
            base = statistics.median(times["no plugin"])
            for name, found in times.items():
                middle = statistics.median(found)
                rows.append(
                    [
                        f"{count} x {function.__name__}",
                        name,
                        middle,
                        f"{min(found):.2f} to {max(found):.2f}",
                        f"{100 * (middle / base - 1):+.1f} %",
                        f"{100 * (min(found) / min(times['no plugin']) - 1):+.1f} %",
                    ]
                )
    columns = ["graph", "variant", "median s", "range s", "median vs none", "best vs none"]
    publish(
        "overhead",
        "python -m benchmarks.overhead",
        table(f"Makespan, {options.repeats} interleaved runs", columns, rows),
    )


if __name__ == "__main__":
    main()
