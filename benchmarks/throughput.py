"""Measure GB/s from an array on a worker to the canvas, with a ceiling and the usual designs.

A publisher in a child process sends to a receiver and a canvas in this process. In one mode, items
*update* 16 positions in turn (a preview); in the other, each item *grows* the canvas (a plate).
Growing needs fresh memory, which costs page faults, so only updates compare with the warm ceiling.
"""

from __future__ import annotations

import multiprocessing as mp
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.report import publish, table
from dask_napari.canvas import CanvasAxes
from dask_napari.canvas.pixels import Canvas
from dask_napari.model import Item
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher

REPEATS = 3
SIZES = {"16 KiB": 16 << 10, "64 KiB": 64 << 10, "2 MiB": 2 << 20, "8 MiB": 8 << 20}
TOTAL = 1 << 30
"""Most bytes that a run moves."""

TICK = 0.005
"""Seconds between ticks. The viewer's tick is 33 ms; no viewer takes items one by one."""

_spawn = mp.get_context("spawn")


def _count(nbytes: int, growing: bool = False) -> int:
    return min((TOTAL // 2 if growing else TOTAL) // nbytes, 20_000)


def _warm_count(nbytes: int) -> int:
    """Return the number of items that touch every slot, slab and position."""
    return max(8 * peers.PLACES, (128 << 20) // nbytes)


def _put(publisher: Publisher, layer: str, array: Any, count: int, growing: bool) -> None:
    # The queue never overflows: the benchmark measures the stream, not its drops.
    for n in range(count):
        while len(publisher.outbox) > 256 or publisher.outbox.nbytes > 64 << 20:
            time.sleep(0.0005)
        position = {"worker": publisher.name, "n": n if growing else n % peers.PLACES}
        publisher.put(Item(layer, "image", array, position), "keep")


def _publish(
    address: str, name: str, transport: Any, nbytes: int, count: int, growing: bool, start: Any
) -> None:
    array = np.ones((nbytes // 512, 512), np.uint8)
    with Publisher(
        address, name=name, transport=transport, queue_bytes=256 << 20, insecure=True
    ) as publisher:
        _put(publisher, "warm", array, _warm_count(nbytes), growing)
        start.wait()
        _put(publisher, "raw", array, count, growing)
        publisher.close(timeout=60)


def _fill(board: Board, canvas: Canvas, layer: str, wanted: int) -> None:
    """Put items on the canvas, as the viewer does, until all have arrived."""
    arrived = 0
    while arrived < wanted:
        time.sleep(TICK)
        if not board.wait(timeout=30):
            raise RuntimeError(f"only {arrived} of {wanted} items came: {board.tallies()}")
        items = board.take(max_bytes=64 << 20)
        for item in items:
            canvas.put(item.position, item.data)
        board.shown(items)
        # Items that were replaced on the board have travelled, too.
        tallies = [t for (_, name), t in board.tallies().items() if name == layer]
        arrived = sum(t.shown + t.coalesced for t in tallies)


def stream(
    nbytes: int, count: int, scheme: str, transport: str, workers: int = 1, growing: bool = False
) -> float:
    """Return the seconds from the start until the last item is on the canvas."""
    board = Board()
    canvas = Canvas(CanvasAxes())
    start = _spawn.Barrier(workers + 1)
    # Plain TCP, as the peers have.
    listen = ["ipc://*", "tcp://127.0.0.1:*"]
    with Receiver(listen, board, insecure=True) as receiver:
        (address,) = [a for a in receiver.addresses if a.startswith(scheme)]
        children = [
            _spawn.Process(
                target=_publish,
                args=(address, f"w{n}", transport, nbytes, count // workers, growing, start),
            )
            for n in range(workers)
        ]
        for child in children:
            child.start()
        _fill(board, canvas, "warm", _warm_count(nbytes) * workers)
        start.wait()
        began = time.perf_counter()
        _fill(board, canvas, "raw", count // workers * workers)
        took = time.perf_counter() - began
        for child in children:
            child.join()
    return took


def _runs(nbytes: int) -> dict[str, tuple[int, Callable[[int, int], float]]]:
    """Return the runs by name: the number of items, and the function that moves them."""
    count, growing = _count(nbytes), _count(nbytes, True)
    return {
        "(a) warm ring memcpy": (count, peers.ring),
        "(b) fresh segment per item": (max(20, count // 8), peers.segments),
        "(c) inline frames, ipc": (count, peers.frames_ipc),
        "(d) bare DEALER/ROUTER, TCP": (count, peers.frames_tcp),
        "shared memory": (count, partial(stream, scheme="ipc", transport="auto")),
        "shared memory, 2 workers": (
            count,
            partial(stream, scheme="ipc", transport="auto", workers=2),
        ),
        "TCP": (count, partial(stream, scheme="tcp", transport="inline")),
        "TCP, 2 workers": (count, partial(stream, scheme="tcp", transport="inline", workers=2)),
        "shared memory, growing": (
            growing,
            partial(stream, scheme="ipc", transport="auto", growing=True),
        ),
    }


def main() -> None:
    rows: list[list[object]] = []
    for label, nbytes in SIZES.items():
        runs = _runs(nbytes)
        # Runs are interleaved, so that a noisy neighbour affects all of them alike.
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(REPEATS):
            for name, (count, run) in runs.items():
                times[name].append(run(nbytes, count) / count)
        each = {name: statistics.median(found) for name, found in times.items()}
        for name, seconds in each.items():
            rows.append(
                [
                    label,
                    name,
                    nbytes / seconds / 1e9,
                    1 / seconds,
                    each["(a) warm ring memcpy"] / seconds,
                    each["(b) fresh segment per item"] / seconds,
                    each["(d) bare DEALER/ROUTER, TCP"] / seconds,
                ]
            )
    columns = ["item", "way", "GB/s", "items/s", "of (a)", "of (b)", "of (d)"]
    publish(
        "throughput",
        "python -m benchmarks.throughput",
        table(f"Worker array to canvas, median of {REPEATS} interleaved runs", columns, rows),
    )


if __name__ == "__main__":
    main()
