"""What the fault tests run as a script of its own, since it is to be killed or to scale.

python -m faults.scripts watch SCHEDULER_FILE
python -m faults.scripts adaptive ADDRESS COUNT WAVES SEED
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

from distributed import Client, Event, LocalCluster

import cluster_tasks as tasks
import dask_napari as dn
from faults.stage import TAP

SCALES = 40.0
"""Seconds in which a cluster has to grow as it gets work, and to shrink when it has none; on a busy
host the start of a worker alone takes ten."""


def watch(scheduler_file: str) -> None:
    """Watch a cluster at work until standard input closes."""
    client = Client(scheduler_file=scheduler_file)
    live = dn.watch(client)
    live.tap(TAP)
    futures = client.map(tasks.slow_frame, range(10_000), seconds=0.02, pure=False)
    while not live.ledger().total.shown:
        threading.Event().wait(0.02)
    print("ready", flush=True)
    sys.stdin.read()
    live.close()
    del futures
    client.close()


def until_scaled(client: Client, reached: Callable[[int], bool]) -> None:
    """Wait for a number of workers, as long as one may have to."""
    end = time.monotonic() + SCALES
    while not reached(len(client.scheduler_info()["workers"])) and time.monotonic() < end:
        threading.Event().wait(0.05)


def adaptive(address: str, count: int, waves: int, seed: str) -> None:
    """Compute in waves on a cluster that grows and shrinks with them."""
    rng = Random(seed)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        cluster.adapt(minimum=1, maximum=3, interval="100ms", wait_count=2, target_duration="0.2s")
        client.register_plugin(dn.NapariSink(address, [replace(TAP, select="gated_frame")]))
        for wave in range(waves):
            gate = f"wave {wave}"  # the work waits for the workers, which may take longer to start
            futures = client.map(tasks.gated_frame, range(count), gate=gate, free=0, pure=False)
            until_scaled(client, lambda workers: workers == 3)
            Event(gate).set()
            results = client.gather(futures)
            assert [int(picture[0, 0]) for picture in results] == list(range(count))
            del futures, results
            if not wave:  # on a busy host no random pause is sure to be long enough
                until_scaled(client, lambda workers: workers == 1)
            threading.Event().wait(rng.uniform(0.3, 1.5))
        events = client.get_events("all")
    workers = {event["worker"] for _, event in events if event["action"] == "add-worker"}
    print(json.dumps({"workers": sorted(workers)}), flush=True)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "watch":
        watch(*arguments)
    else:
        adaptive(arguments[0], int(arguments[1]), int(arguments[2]), arguments[3])
