"""Measure one receiver with many publishers, and the delay of Dask's event loops by the sink.

The publishers are threads in processes on the receiver's host. On a small machine they compete
with the receiver for the processor, so rates are those of the whole machine with both ends.
Fairness is the item count of the most served publisher divided by that of the least served one in
the same process, for the worst process: the share of each process is the system's choice.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing as mp
import statistics
import sys
import threading
import time
from typing import Any

import numpy as np
import psutil

from benchmarks.report import publish, table
from dask_napari.model import Item
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher

_spawn = mp.get_context("spawn")

TICK = 0.033
"""Seconds between ticks, as in the viewer."""

BACKLOG = 16
"""Items that wait at a publisher; three times what it puts between two messages at most."""


def _publish(
    address: str,
    process: int,
    threads: int,
    nbytes: int,
    rate: float,
    transport: str,
    ready: Any,
    stop: Any,
    out: Any,
) -> None:
    """Run publishers; each puts ``rate`` items a second, or for 0 keeps its queue full.

    One that is behind puts no more until it has caught up: on a busy machine, items beyond what it
    can send would wait for longer than the run.
    """
    data = np.zeros((nbytes // 256, 256), np.uint8)
    publishers = [
        Publisher(address, name=f"{process}-{n}", transport=transport)  # type: ignore[arg-type]
        for n in range(threads)
    ]
    for each in publishers:
        each.start()
    while any(each.state != "connected" for each in publishers):
        time.sleep(0.01)
    ready.wait()
    put = 0
    began = time.perf_counter()
    while not stop.is_set():
        # Put items in bursts every 10 ms, as tasks of workers end.
        due = int((time.perf_counter() - began) * rate) if rate else put + 8
        for n in range(put, due):
            for each in publishers:
                if len(each.outbox) < BACKLOG:
                    each.put(Item("raw", "image", data, {"t": time.time(), "n": n}), "keep")
        put = due
        time.sleep(0.01)
    for each in publishers:
        each.close(30.0)
    out.put(
        [
            (each.name, *[(c.selected, c.sent, c.coalesced, c.dropped, c.pending) for c in counts])
            for each in publishers
            if (counts := each.counts().values())
        ]
    )


def _messages(receiver: Receiver) -> int:
    with receiver.protocol.publishers.lock:
        return sum(peer.number for peer in receiver.protocol.peers.values())


def _unfairness(done: dict[str, int]) -> float:
    by_process: dict[str, list[int]] = {}
    for name, number in done.items():
        by_process.setdefault(name.partition("-")[0], []).append(number)
    return max(max(numbers) / max(1, min(numbers)) for numbers in by_process.values())


def load(
    processes: int,
    threads: int,
    nbytes: int,
    rate: float,
    seconds: float,
    transport: str,
    *,
    ratio: float = math.inf,
) -> dict[str, Any]:
    """Run publishers and a receiver for a while; return the figures by name.

    It is longer than ``seconds``, up to a minute, until "most/least" is at most ``ratio``.
    """
    board = Board()
    ready, stop, out = _spawn.Barrier(processes + 1), _spawn.Event(), _spawn.Queue()
    latencies: list[float] = []
    ended = threading.Event()

    def consume() -> None:
        while not ended.wait(TICK) or len(board):
            items = board.take()
            now = time.time()
            latencies.extend(now - item.position["t"] for item in items[::10])  # type: ignore[operator]
            board.shown(items)

    with Receiver("tcp://127.0.0.1:*", board) as receiver:
        consumer = threading.Thread(target=consume)
        consumer.start()
        children = [
            _spawn.Process(
                target=_publish,
                args=(
                    *(receiver.addresses[0], process, threads, nbytes, rate),
                    *(transport, ready, stop, out),
                ),
            )
            for process in range(processes)
        ]
        for child in children:
            child.start()
        ready.wait()
        time.sleep(1.0)
        latencies.clear()
        before = {peer.name: peer.items for peer in receiver.peers()}
        messages = _messages(receiver)
        began = time.perf_counter()
        took, done = 0.0, dict.fromkeys(before, 0)
        while took < seconds or (took < 60.0 and _unfairness(done) > ratio):
            time.sleep(min(0.1, seconds))
            took = time.perf_counter() - began
            done = {peer.name: peer.items - before[peer.name] for peer in receiver.peers()}
        messages = (_messages(receiver) - messages) / took
        late = sorted(latencies)
        shm = sum(psutil.Process(child.pid).memory_info().shared for child in children)
        rss = psutil.Process().memory_info().rss
        stop.set()
        sides = [row for _ in children for row in out.get()]
        for child in children:
            child.join()
        ended.set()
        consumer.join()
        ledger = receiver.ledger()
        sent = sum(counts[0] for _, counts in sides)
        total = ledger.total
        exact = ledger.balanced and not total.pending and total.selected == sent
        # Items that the receiver refuses cost next to nothing, so they must not count.
        exact = exact and not any(reason.startswith("malformed") for reason in total.dropped)
    return {
        "items/s": sum(done.values()) / took,
        "GB/s": sum(done.values()) * nbytes / took / 1e9,
        "most/least": _unfairness(done),
        "p50 ms": 1000 * late[len(late) // 2] if late else float("nan"),
        "p99 ms": 1000 * late[int(len(late) * 0.99)] if late else float("nan"),
        "messages/s": messages,
        "arenas MiB": shm / 2**20,
        "receiver MiB": rss / 2**20,
        "dropped": total.dropped.total(),
        "ledger": "exact" if exact else f"WRONG: {total}, sent {sent}",
    }


# -- event loops ---------------------------------------------------------------------------------


async def _beats(seconds: float) -> list[float]:
    """Return the seconds by which this event loop calls a 5 ms timer late."""
    import asyncio

    loop = asyncio.get_running_loop()
    found = []
    end = loop.time() + seconds
    while (due := loop.time() + 0.005) < end:
        await asyncio.sleep(0.005)
        found.append(loop.time() - due)
    return found


def _frame(n: int) -> np.ndarray:
    end = time.perf_counter() + 0.005
    array = np.full((256, 256), n % 60_000, np.uint16)
    while time.perf_counter() < end:
        pass
    return array


def loops(repeats: int, seconds: float) -> list[list[object]]:
    """Measure event loops of workers and scheduler, without and with the sink in turn."""
    from distributed import Client, LocalCluster

    from benchmarks.overhead import viewer
    from dask_napari.sink import SINK_NAME, NapariSink
    from dask_napari.tap import Tap

    found: dict[tuple[str, str], list[float]] = {}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):

        def measure(name: str) -> None:
            futures = client.map(_frame, range(int(seconds * 300)), pure=False)
            time.sleep(0.5)
            scheduler: list[float] = []
            beside = threading.Thread(
                target=lambda: scheduler.extend(client.run_on_scheduler(_beats, seconds))
            )
            beside.start()
            workers = client.run(_beats, seconds)
            beside.join()
            found.setdefault((name, "workers"), []).extend(
                beat for beats in workers.values() for beat in beats
            )
            found.setdefault((name, "scheduler"), []).extend(scheduler)
            client.cancel(futures)

        measure("warm-up")
        found.clear()
        for _ in range(repeats):
            measure("no sink")
            with viewer() as (address, _):
                client.register_plugin(NapariSink(address, [Tap("_frame")]))
                try:
                    measure("all selected")
                finally:
                    client.unregister_worker_plugin(SINK_NAME)
    rows: list[list[object]] = []
    for (name, loop), beats in found.items():
        ms = sorted(1000 * beat for beat in beats)
        share = [ms[int(len(ms) * q)] for q in (0.5, 0.95, 0.99)]
        rows.append([loop, name, len(ms), *share, ms[-1], statistics.mean(ms)])
    return sorted(rows, key=lambda row: str(row[0]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--no-loops", action="store_true")
    options = parser.parse_args()
    everyone = options.processes * options.threads
    runs = {
        "20 000 items/s of 4 KiB": (4 << 10, 20_000 / everyone, "auto"),
        "20 000 items/s of 4 KiB, TCP": (4 << 10, 20_000 / everyone, "inline"),
        "1 GB/s in 512 KiB": (512 << 10, 1e9 / (512 << 10) / everyone, "auto"),
        "1 GB/s in 512 KiB, TCP": (512 << 10, 1e9 / (512 << 10) / everyone, "inline"),
        "as fast as possible, 512 KiB": (512 << 10, 0.0, "auto"),
        "as fast as possible, 512 KiB, TCP": (512 << 10, 0.0, "inline"),
    }
    rows: list[list[object]] = []
    columns: list[str] = []
    for name, (nbytes, rate, transport) in runs.items():
        figures = load(options.processes, options.threads, nbytes, rate, options.seconds, transport)
        print(name, figures, flush=True)
        columns = ["load", *figures]
        rows.append([name, *figures.values()])
    text = table(f"{everyone} publishers, {options.processes} processes", columns, rows)
    if not options.no_loops:
        columns = ["loop", "sink", "beats", "p50 ms", "p95 ms", "p99 ms", "worst", "mean"]
        text += "\n" + table("How late event loops are", columns, loops(3, 5.0))
    publish("load", "python -m benchmarks.load", text)
    return int(any("WRONG" in str(row[-1]) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
