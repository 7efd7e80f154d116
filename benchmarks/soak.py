"""Run a cluster with a viewer for a long time, with restarts and kills: ``make soak``.

Two workers make 1 million items in 30 minutes (in proportion for other durations) for a viewer
without a window. At intervals, the run restarts or kills a worker or the viewer. At quiet points,
the ledger must balance and agree with the workers' own counts. At the end, nothing may be left, and
memory must have been flat. Its slope is fitted to all stretches between two restarts, each with its
own level, because a new connection takes some MiB once. The gain over each process's life shows
whether such levels add up. The exit status is 1 if any check fails.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import numpy as np
import psutil
from distributed import Client, LocalCluster, wait

from benchmarks.report import publish, table
from benchmarks.soak_tasks import fill_caches, named
from benchmarks.viewer_process import ViewerProcess
from dask_napari.sink import NapariSink, worker_counts
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.shm import arena, janitor
from dask_napari.tap import Tap

ITEMS_PER_MINUTE = 1_000_000 / 30
LAYERS = ("a", "b", "c")
PLACES = 256
BATCH = 60
WARM = 45.0
"""Seconds of a process's life that do not count: pools, caches and arenas fill."""

SETTLED = 20.0
"""Seconds after a restart or kill of any process that do not count either."""

ONCE = 12.0
"""MiB that a process may gain over its life from restarts: 5 for its first new connection, and as
much for memory that the allocator keeps."""

FLAT = 1.0
"""Most MiB a minute, without shared memory; that would be 30 MiB in 30 minutes."""

STEP = 4.0
"""MiB that a process must gain over its life before its slope counts: in a short stretch, one huge
page of the receiver's pool (2 MiB) looks like growth."""

DASK_LOGS = {
    "distributed.admin.low-level-log-length": 1000,
    "distributed.admin.log-length": 1000,
    "distributed.worker.profile.enabled": False,
}
"""Dask's default logs grow for longer than the run: 100 000 transitions, and a profile for every
second of an hour."""

QUIET_EVERY = 20.0


# -- the viewer's process ------------------------------------------------------------------------


def view(address: str) -> None:
    """Receive items, put them on canvases, and answer each line of input with the state."""
    from dask_napari.canvas import CanvasAxes
    from dask_napari.canvas.pixels import Canvas

    janitor.sweep()  # removes leftovers of a killed viewer, as the real one does
    board = Board()
    canvases = {layer: Canvas(CanvasAxes()) for layer in LAYERS}
    ended = threading.Event()
    with Receiver(["ipc://*", address], board) as receiver:

        def consume() -> None:
            while not ended.wait(0.033):
                items = board.take()
                for item in items:
                    canvases[item.layer].put({"n": item.position["n"] % PLACES}, item.data)  # type: ignore[operator]
                board.shown(items)

        consumer = threading.Thread(target=consume)
        consumer.start()
        print(json.dumps({"addresses": receiver.addresses}), flush=True)
        try:
            for _ in sys.stdin:
                ledger = receiver.ledger()
                total = ledger.total
                by_name: dict[str, int] = {}
                for (name, _layer), tally in ledger.tallies.items():
                    by_name[name] = by_name.get(name, 0) + tally.selected
                state = {
                    "balanced": ledger.balanced,
                    "selected": total.selected,
                    "shown": total.shown,
                    "coalesced": total.coalesced,
                    "dropped": dict(total.dropped),
                    "pending": total.pending,
                    "by_name": by_name,
                    "rejected": dict(receiver.rejected),
                }
                print(json.dumps(state), flush=True)
        finally:  # also after Ctrl-C
            ended.set()
            consumer.join()


# -- watching ------------------------------------------------------------------------------------


class Memory:
    """Memory samples of processes, by role; private memory excludes shared memory."""

    def __init__(self) -> None:
        self.samples: dict[str, dict[int, list[tuple[float, float, float, int, int]]]] = {}
        self._born: dict[int, float] = {}
        self._stretch, self._since = 0, 0.0

    def disturbed(self) -> None:
        """Begin a new stretch."""
        self._stretch, self._since = self._stretch + 1, time.monotonic()

    def sample(self, role: str, pid: int) -> None:
        try:
            process = psutil.Process(pid)
            used, files = process.memory_info(), process.num_fds()
        except psutil.Error:
            return
        now = time.monotonic()
        age = now - self._born.setdefault(pid, now)
        lives = self.samples.setdefault(role, {})
        stretch = self._stretch if now - self._since > SETTLED else -1
        row = (age, used.rss / 2**20, (used.rss - used.shared) / 2**20, files, stretch)
        lives.setdefault(pid, []).append(row)

    def slope(self, role: str, column: int) -> float:
        """Return the MiB a minute over all stretches of all lives of a role."""
        ages, levels = [], []
        for rows in self.samples.get(role, {}).values():
            for stretch in {row[4] for row in rows} - {-1}:
                kept = [row for row in rows if row[4] == stretch and row[0] > WARM]
                if len(kept) >= 5:
                    ages += [row[0] - np.mean([r[0] for r in kept]) for row in kept]
                    levels += [row[column] - np.mean([r[column] for r in kept]) for row in kept]
        if not ages:
            return float("nan")
        x, y = np.array(ages) / 60, np.array(levels)
        return float((x * y).sum() / (x * x).sum())

    def gains(self, role: str) -> Iterator[tuple[float, float]]:
        """Yield the private MiB that each life has gained since it was warm, and the minutes."""
        for rows in self.samples.get(role, {}).values():
            warm = [row for row in rows if row[0] > WARM]
            if warm:
                yield warm[-1][2] - warm[0][2], (warm[-1][0] - warm[0][0]) / 60

    def levels(self) -> str:
        """Return the newest private MiB of each role, as text."""
        newest = {role: [*lives.values()][-1][-1] for role, lives in self.samples.items()}
        return ", ".join(f"{role} {row[2]:.1f}" for role, row in newest.items())

    def rows(self) -> Iterator[list[object]]:
        for role, lives in self.samples.items():
            last = [rows[-1] for rows in lives.values()]
            first = [next((r for r in rows if r[0] > WARM), rows[-1]) for rows in lives.values()]
            yield [
                role,
                len(lives),
                f"{first[0][1]:.0f}",
                f"{last[-1][1]:.0f}",
                f"{self.slope(role, 1):+.2f}",
                f"{self.slope(role, 2):+.2f}",
                f"{first[0][3]} to {last[-1][3]}",
            ]


class Soak:
    """Soak run with its batches, restarts and checks."""

    def __init__(self, client: Client, cluster: LocalCluster, viewer: ViewerProcess) -> None:
        self.client = client
        self.cluster = cluster
        self.viewer = viewer
        self.memory = Memory()
        self.wrong: list[str] = []
        self.items = 0
        self.number = 0
        self.checks = 0
        self.names: set[str] = set()
        self.events: list[str] = []
        self.kept = self._workers()[0]

    def _workers(self) -> list[str]:
        return sorted(self.client.scheduler_info()["workers"])

    def check(self, true: object, what: str) -> None:
        if not true:
            self.wrong.append(what)
            print(f"WRONG: {what}", flush=True)

    def batch(self) -> None:
        numbers = range(self.number, self.number + BATCH)
        self.number += BATCH
        names = [f"f-{n}" for n in numbers]
        futures = self.client.map(named, names, pure=False)
        done = wait(futures, timeout=120)
        self.check(not done.not_done, "tasks did not end")
        self.check(all(f.status == "finished" for f in done.done), "tasks failed")
        self.items += BATCH * len(LAYERS)

    def sample(self) -> None:
        self.memory.sample("viewer", self.viewer.process.pid)
        for worker in self.cluster.workers.values():
            if worker.process is not None and worker.worker_address is not None:
                kept = worker.worker_address == self.kept
                self.memory.sample(
                    "worker, kept" if kept else "worker, restarted", worker.process.pid
                )

    def quiet(self) -> None:
        """Wait until all items are shown, and compare both ends."""
        self.checks += 1
        self.client.wait_for_workers(2, timeout=60)
        end = time.monotonic() + 60
        while True:
            counts = [c for c in self.client.run(worker_counts, on_error="ignore").values() if c]
            self.names |= {c["name"] for c in counts}
            sides = {
                c["name"]: sum(tally.selected for tally in c["counts"].values()) for c in counts
            }
            state = self.viewer.ask()
            self.check(state["balanced"], f"ledger: {state}")
            same = all(state["by_name"].get(name, 0) == n for name, n in sides.items())
            if len(sides) == 2 and same and not state["pending"]:
                print(f"{self.items} items; private MiB: {self.memory.levels()}", flush=True)
                return
            if time.monotonic() > end:
                self.check(False, f"ends do not agree: viewer {state}, workers {counts}")
                return
            time.sleep(0.1)

    def disturb(self, number: int) -> None:
        what = ("kill worker", "restart viewer", "restart worker", "kill viewer")[number % 4]
        self.events.append(what)
        self.memory.disturbed()
        print(f"{what} after {self.items} items", flush=True)
        futures = self.client.map(named, [f"f-{n}" for n in range(BATCH)], pure=False)
        if what.endswith("viewer"):
            self.viewer.end(kill=what.startswith("kill"))
            self.batch()
            self.viewer.start()
        else:
            (other,) = [w for w in self._workers() if w != self.kept]
            if what.startswith("kill"):
                pid = next(
                    worker.process.pid
                    for worker in self.cluster.workers.values()
                    if worker.worker_address == other and worker.process is not None
                )
                os.kill(pid, signal.SIGKILL)
            else:
                self.client.restart_workers([other], timeout=60)
        wait(futures, timeout=120)
        self.items += BATCH * len(LAYERS)
        self.client.wait_for_workers(2, timeout=60)
        self.client.run(fill_caches)
        self.memory.disturbed()

    def run(self, minutes: float, every: float) -> None:
        self.client.run(fill_caches)
        began = time.monotonic()
        end = began + 60 * minutes
        sampled = checked = disturbed = began
        number = 0
        while (now := time.monotonic()) < end:
            if self.items < (now - began) / 60 * ITEMS_PER_MINUTE + BATCH * len(LAYERS):
                self.batch()
            else:
                time.sleep(0.02)
            if now - sampled > 2:
                sampled = now
                self.sample()
            if now - checked > QUIET_EVERY:
                checked = now
                self.quiet()
            if now - disturbed > every and end - now > WARM:
                disturbed = now
                self.disturb(number)
                number += 1
        self.quiet()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=0.0, help="seconds between restarts")
    parser.add_argument("--control", action="store_true", help="nothing is tapped: Dask alone")
    parser.add_argument("--viewer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.viewer:
        view(options.viewer)
        return 0
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    env = {k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"}
    viewer = ViewerProcess(
        "benchmarks.soak", "tcp://127.0.0.1:0", 1, env={**env, "TMPDIR": str(folder)}
    )
    dask.config.set(DASK_LOGS)
    try:
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            taps = [Tap("named", layer=x, at="f-{n:d}", policy="keep") for x in LAYERS]
            client.register_plugin(NapariSink([viewer.address], [] if options.control else taps))
            soak = Soak(client, cluster, viewer)
            soak.run(options.minutes, options.every or max(75.0, options.minutes * 60 / 12))
            last = viewer.ask()
    finally:
        viewer.end(kill=False)
    owners = {"".join(c if c.isalnum() else "-" for c in name)[-40:] for name in soak.names}
    names = [path.name for path in Path(arena.DIRECTORY).rglob("dask-napari-*")]
    segments = [name for name in names if any(owner in name for owner in owners)]
    soak.check(not segments, f"segments are left: {segments}")
    soak.check(not os.listdir(folder), f"directories are left: {os.listdir(folder)}")
    shutil.rmtree(folder, ignore_errors=True)
    left = [
        p
        for p in psutil.Process().children(recursive=True)
        if "resource_tracker" not in str(p.cmdline())
    ]
    soak.check(not left, f"processes are left: {left}")
    for role in soak.memory.samples:
        slope, gains = soak.memory.slope(role, 2), list(soak.memory.gains(role))
        grows = slope > FLAT and any(gain > STEP for gain, _ in gains)
        soak.check(not grows, f"{role} grows by {slope:.2f} MiB a minute")
        for gain, minutes in gains:
            fine = gain <= ONCE + FLAT * minutes
            soak.check(fine, f"{role} has gained {gain:.1f} MiB in {minutes:.1f} minutes")
    columns = [
        "process",
        "lives",
        "RSS MiB warm",
        "last",
        "RSS MiB/min",
        "private MiB/min",
        "files",
    ]
    text = table(
        f"{soak.items} items in {options.minutes:g} minutes; {soak.checks} quiet points; "
        f"{', '.join(soak.events)}",
        columns,
        list(soak.memory.rows()),
    )
    verdict = "WRONG: " + "; ".join(soak.wrong) if soak.wrong else "All right."
    text += f"\nThe last viewer: {last}\n\n{verdict}\n"
    publish("soak", f"python -m benchmarks.soak --minutes {options.minutes:g}", text)
    return bool(soak.wrong)


if __name__ == "__main__":
    sys.exit(main())
