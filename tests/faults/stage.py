"""The stage of the fault tests: a cluster in processes of its own, a sink and a computation."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from distributed import Client, wait

import cluster_tasks as tasks
from dask_napari.sink import SINK_NAME, NapariSink, worker_counts
from dask_napari.tap import Tap
from faults import leftovers
from faults.viewers import DEADLINE, Headless, eventually

WORKERS = 2
THREADS = 2

MEMORY = "700MB"
"""Of a worker; more than it ever needs, and soon filled on purpose."""

SIZE = 256
"""Pixels of a side; all pictures together are more than a viewer that is slow takes at once."""


def by_number(key: object, value: object, args: tuple[int, ...]) -> dict[str, int]:
    """The place of a picture: its number."""
    return {"n": args[0]}


TAP = Tap("slow_frame", layer="frames", at=by_number)


class Stage:
    """A scheduler and workers with nannies, each a process that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports: set[int] = set()
        self._numbers = itertools.count()
        self.file = folder / "scheduler.json"
        self.file.unlink(missing_ok=True)  # of a stage before
        self.scheduler = self._start("scheduler", "--port", "0", "--host", "127.0.0.1")
        eventually(self.file.exists)
        self.nannies: list[subprocess.Popen[bytes]] = []
        self.client = Client(scheduler_file=str(self.file), set_as_default=False)
        self.repair()

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", what, "--scheduler-file", str(self.file)]
        with (self.folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--no-dashboard", *arguments],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={
                    **leftovers.environment(self.folder),
                    "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "false",
                    "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "false",
                },
            )

    def repair(self) -> None:
        """Start what is missing of the workers, as a job queue would."""
        eventually(self._complete)

    def _complete(self) -> bool:
        # In the loop: a worker that was retired may take a while to end.
        self.nannies = [nanny for nanny in self.nannies if nanny.poll() is None]
        while len(self.nannies) < WORKERS:
            arguments = ["--nthreads", str(THREADS), "--memory-limit", MEMORY]
            arguments += ["--local-directory", str(self.folder / f"w{next(self._numbers)}")]
            self.nannies.append(self._start("worker", *arguments))
        return len(self.pids()) == WORKERS

    def pids(self) -> dict[str, int]:
        """Process ids of the workers that answer."""
        found = {a: pid for a, pid in self.client.run(os.getpid, on_error="ignore").items() if pid}
        self.ports |= {int(address.rpartition(":")[2]) for address in found}
        return found

    def one(self, rng: Random) -> tuple[str, int]:
        """Address and process id of some worker."""
        return rng.choice(sorted(self.pids().items()))

    # -- the computation -------------------------------------------------------------------

    @contextmanager
    def streaming(self, *viewers: Headless) -> Iterator[None]:
        """With a sink for each viewer; at the end, look at the workers' side of the ledgers."""
        names = [SINK_NAME, "second"][: len(viewers)]
        for viewer, name in zip(viewers, names, strict=True):
            self.client.register_plugin(NapariSink(viewer.addresses, [TAP], name=name))
        yield
        for name in names:
            for counts in self.client.run(worker_counts, name, on_error="ignore").values():
                for tally in counts["counts"].values() if counts else ():
                    gone = tally.coalesced + tally.dropped.total() + tally.pending
                    assert tally.selected == tally.sent + gone, tally
            self.client.unregister_worker_plugin(name)

    def start(self, count: int, seconds: float = 0.02) -> list[object]:
        """Start the computation."""
        return self.client.map(
            tasks.slow_frame, range(count), size=SIZE, seconds=seconds, pure=False
        )

    def check(self, futures: list[object]) -> None:
        """The results are right."""
        results = self.client.gather(futures)
        assert [int(picture[0, 0]) for picture in results] == list(range(len(futures)))

    def compute(self, count: int, seconds: float) -> float:
        """Seconds that the computation takes."""
        began = time.perf_counter()
        futures = self.start(count, seconds)
        with self.client.as_current():
            wait(futures)
        took = time.perf_counter() - began
        self.check(futures)
        return took

    def until_shown(self, viewer: Headless, count: int) -> None:
        """Everything is shown, and the viewer's ledger balances."""
        eventually(lambda: viewer.shows("frames", count), viewer.ledger)
        eventually(lambda: not viewer.ledger().total.pending, viewer.ledger)
        assert viewer.ledger().balanced, viewer.ledger()

    # -- the end ---------------------------------------------------------------------------

    def processes_and_files(self) -> list[str]:
        """What is there beyond the cluster itself."""
        allowed = [self.scheduler.pid, *(nanny.pid for nanny in self.nannies)]
        return leftovers.find(self.folder, self.ports, allowed)

    def left(self) -> list[str]:
        """The same, and what is left on the workers."""
        found = self.processes_and_files()
        for address, names in self.client.run(ours, on_error="ignore").items():
            found += [f"{address}: {name}" for name in names or ()]
        return found

    def close(self) -> None:
        """End the cluster; nothing at all may be left."""
        self.client.close()
        for process in self.nannies:
            process.terminate()
        for process in self.nannies:
            process.wait(DEADLINE)
        self.scheduler.terminate()
        self.scheduler.wait(DEADLINE)
        found = leftovers.none_within(lambda: leftovers.find(self.folder, self.ports))
        for process in leftovers.processes(self.folder):
            process.kill()
        assert not found, found


def ours(dask_worker: object) -> list[str]:
    """Plugins and threads of ours on a worker."""
    plugins = [f"plugin {name}" for name in dask_worker.plugins if "napari" in name]  # type: ignore[attr-defined]
    return plugins + [f"thread {name}" for name in leftovers.threads()]
