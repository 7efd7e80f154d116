"""Code of taps that runs on a worker's event loop: its cost is told, by tap."""

from __future__ import annotations

import asyncio
import re

import numpy as np
from distributed import wait

import cluster_tasks as tasks
from dask_napari.sink import NapariSink, TapsUpdate
from dask_napari.tap import Tap
from headless import Headless, eventually

STORED = 100


def quick(key) -> bool:
    return "frame" in str(key)


def told(viewer: Headless) -> dict[str, str]:
    return {r.layer: r.text for _, r in viewer.receiver.reports() if r.reason.startswith("slow")}


def test_a_slow_predicate_is_reported_with_its_tap_and_cost(client):
    with Headless() as viewer:
        taps = [Tap(tasks.slow_predicate, layer="slow one"), Tap(quick, layer="quick one")]
        client.register_plugin(NapariSink(viewer.receiver.addresses, taps))
        wait(client.map(tasks.frame, range(20), pure=False))
        viewer.until_shown("quick one", 20)
        viewer.until(lambda: told(viewer))
        assert list(told(viewer)) == ["slow one"]
        (cost,) = re.findall(r"select= takes ([\d.]+) ms for each task", told(viewer)["slow one"])
        assert float(cost) >= 5


def test_slow_eager_copies_are_reported_too(client):
    def large(n: int) -> np.ndarray:
        return np.full((6000, 6000), n, np.uint8)  # three times what is slow on a fast host

    with Headless() as viewer:
        tap = Tap("large", layer="large", copy="eager")
        client.register_plugin(NapariSink(viewer.receiver.addresses, [tap]))
        for n in range(6):  # one by one, for which the queue has room
            wait(client.submit(large, n, pure=False))
            viewer.until_shown("large", n + 1)
        viewer.until(lambda: told(viewer))
        assert "copy='eager' takes" in told(viewer)["large"]


def test_a_scan_of_stored_outputs_leaves_the_event_loop_free(client):
    """A tap that comes late looks at all of them."""

    async def count(dask_worker) -> None:
        dask_worker.most_calls, before = 0, len(tasks.SLOW_CALLS)
        end = before + STORED
        while before < end:
            await asyncio.sleep(0)
            calls = len(tasks.SLOW_CALLS)
            dask_worker.most_calls = max(dask_worker.most_calls, calls - before)
            before = calls
        dask_worker.scanned = True

    with Headless() as viewer:
        client.register_plugin(NapariSink(viewer.receiver.addresses))
        futures = client.map(tasks.frame, range(STORED), size=2, pure=False)
        wait(futures)
        client.run(count, wait=False)
        client.register_plugin(TapsUpdate({"late": Tap(tasks.slow_predicate, layer="late")}))
        eventually(
            lambda: all(client.run(lambda dask_worker: hasattr(dask_worker, "scanned")).values())
        )
        (most,) = client.run(lambda dask_worker: dask_worker.most_calls).values()
        assert 1 <= most <= 5  # by turn of the event loop; all at once would be 100
        del futures
