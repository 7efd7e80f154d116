"""Faults of workers and nannies while they stream: results, ledger and leftovers after each."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

import cluster_tasks as tasks
from dask_napari.sink import NapariSink
from faults.leftovers import none_within, segments
from faults.moments import MOMENTS, moments, nothing_left
from faults.stage import TAP, Stage
from faults.viewers import DEADLINE, Headless, eventually

COUNT = 150
SPAN = 1.0
"""Seconds that the computation takes, about."""

pytestmark = [
    pytest.mark.timeout(120 + 60 * MOMENTS),
    pytest.mark.drops("worker-lost", "viewer-gone", "worker-paused", "worker-memory", "released"),
]


def sigkill(stage: Stage, viewer: Headless, rng: Random) -> None:
    os.kill(stage.one(rng)[1], signal.SIGKILL)


def sigterm(stage: Stage, viewer: Headless, rng: Random) -> None:
    os.kill(stage.one(rng)[1], signal.SIGTERM)


def sigkill_in_the_handshake(stage: Stage, viewer: Headless, rng: Random) -> None:
    """The moment in which a segment has a name; a sink that replaces another makes one."""
    pids = {int(address.rpartition(":")[2]): pid for address, pid in stage.pids().items()}
    eventually(lambda: not segments(pids))
    deadline = time.monotonic() + DEADLINE
    with ThreadPoolExecutor(1) as pool:
        registered = pool.submit(stage.client.register_plugin, NapariSink(viewer.addresses, [TAP]))
        while not (names := segments(pids)):  # without a pause: it lasts some 40 ms
            assert time.monotonic() < deadline
        os.kill(next(pid for port, pid in pids.items() if f"-{port}-" in names[0]), signal.SIGKILL)
        registered.exception(DEADLINE)  # the worker may be lost while it answers


def out_of_memory(stage: Stage, viewer: Headless, rng: Random) -> None:
    flag = stage.folder / f"hog-{rng.random()}"
    hog = stage.client.submit(tasks.hog_once, str(flag), pure=False, priority=10)
    assert hog.result(DEADLINE) == "again"


def sigkill_nanny(stage: Stage, viewer: Headless, rng: Random) -> None:
    rng.choice(stage.nannies).kill()


def restart(stage: Stage, viewer: Headless, rng: Random) -> None:
    stage.client.restart()


def retire(stage: Stage, viewer: Headless, rng: Random) -> None:
    stage.client.retire_workers([stage.one(rng)[0]])


FAULTS: dict[str, Callable[[Stage, Headless, Random], None]] = {
    "SIGKILL of a worker": sigkill,
    "SIGTERM to a worker": sigterm,
    "SIGKILL in the handshake": sigkill_in_the_handshake,
    "out of memory": out_of_memory,
    "SIGKILL of a nanny": sigkill_nanny,
    "restart": restart,
    "retire_workers": retire,
}


@pytest.mark.parametrize("name", FAULTS)
def test_workers(stage, folder, name):
    fault = FAULTS[name]
    for rng in moments(name):
        stage.repair()
        viewer = Headless(folder)
        with stage.streaming(viewer):
            futures = stage.start(COUNT)
            threading.Event().wait(rng.uniform(0, SPAN))
            fault(stage, viewer, rng)
            if fault is restart:  # it cancels what runs
                futures = stage.start(COUNT)
            stage.check(futures)
            stage.until_shown(viewer, COUNT)
            nothing_left(name, none_within(lambda: segments(stage.ports)))
            del futures
        viewer.close()
        stage.repair()
        nothing_left(name, none_within(stage.left))
