"""New taps: scans of what is in memory, which end with their taps, and updates out of order."""

from __future__ import annotations

import time

from distributed import Client, wait

import cluster_tasks as tasks
from dask_napari.sink import SINK_NAME, TapsUpdate, worker_counts
from dask_napari.tap import Tap
from headless import eventually


def selected(client: Client, layer: str) -> int:
    (counts,) = client.run(worker_counts, SINK_NAME).values()
    return counts["counts"][layer].selected if layer in counts["counts"] else 0


def scans(client: Client) -> int:
    (number,) = client.run(
        lambda dask_worker: len(dask_worker.plugins[SINK_NAME]._session.stored_outputs._scans)
    ).values()
    return number


def slowly(key: object) -> bool:
    time.sleep(0.02)
    return str(key).startswith("frame")


def test_a_scan_ends_with_its_tap_and_goes_on_with_other_changes(client, viewer):
    futures = client.map(tasks.frame, range(300), size=8, pure=False)
    wait(futures)
    removed, kept = Tap(slowly, layer="removed"), Tap("frame", layer="kept")
    client.register_plugin(TapsUpdate({"a": removed}))
    eventually(lambda: selected(client, "removed"))
    client.register_plugin(TapsUpdate({"a": removed, "b": kept}))
    assert scans(client) >= 1
    before = selected(client, "removed")
    eventually(lambda: selected(client, "removed") > before)
    client.register_plugin(TapsUpdate({"b": kept}))
    eventually(lambda: not scans(client))
    assert selected(client, "removed") < 300
    assert selected(client, "kept") == 300
    viewer.until_settled()


def test_an_update_that_comes_late_replaces_no_newer_one(client, viewer):
    old, new = Tap("frame", layer="old"), Tap("frame", layer="new")
    client.register_plugin(TapsUpdate({"new": new}, number=2))
    client.register_plugin(TapsUpdate({"old": old}, number=1))
    wait(client.map(tasks.frame, range(3), size=8, pure=False))
    viewer.until_shown("new", 3)
    assert selected(client, "old") == 0
