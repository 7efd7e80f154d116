"""New taps: scans of what is in memory, which end with their taps, and updates out of order."""

from __future__ import annotations

import time
from typing import Any

import dask.array as da
from distributed import Client, Future, Worker, futures_of, wait

import cluster_tasks as tasks
from dask_napari.sink import SINK_NAME, TapsUpdate, dask_internals, worker_counts
from dask_napari.tap import Tap, TapSet
from headless import eventually


def selected(client: Client, layer: str) -> int:
    (counts,) = client.run(worker_counts, SINK_NAME).values()
    return counts["counts"][layer].selected if layer in counts["counts"] else 0


def scans(client: Client) -> int:
    (number,) = client.run(
        lambda dask_worker: len(dask_worker.plugins[SINK_NAME]._session.stored_outputs._scans)
    ).values()
    return number


def kept(client: Client) -> list[Future]:
    """Have a worker keep frames, what was read, and an array of two chunks."""
    frames = client.map(tasks.frame, range(300), size=8, key=[f"frame-{n}" for n in range(300)])
    read = client.map(tasks.read, "abc")
    futures = [*frames, *read, *futures_of(client.persist(ARRAY))]
    wait(futures)
    return futures


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


ARRAY = da.ones((8, 8), chunks=(4, 8), name="ones-of-scans")


def stored(taps: list[Tap], dask_worker: Worker) -> list[Any]:
    found = TapSet(taps)
    return dask_internals.stored_keys(dask_worker, found.names, found.keys)


def test_only_keys_that_a_tap_may_choose_are_listed(client):
    futures = kept(client)
    for selects, count in (
        (["elsewhere"], 0),
        (["read"], 3),
        (["frame", "read"], 303),
        ([ARRAY], 2),
        ([["frame-3", "frame-4", "elsewhere-1"]], 2),
        (["frame-5"], 300),
        ([["frame-6"], "read"], 4),
        ([lambda key: False, "elsewhere"], 305),
    ):
        (listed,) = client.run(stored, [Tap(select) for select in selects]).values()
        assert len(listed) == len(set(listed)) == count, selects
    del futures


def test_a_tap_on_keys_shows_what_is_in_memory(client, viewer):
    futures = kept(client)
    taps = {"a": Tap(futures[3:5], layer="two"), "b": Tap(ARRAY, layer="array")}
    client.register_plugin(TapsUpdate({**taps, "c": Tap("frame-7", layer="one")}))
    viewer.until_shown("two", 2)
    viewer.until_shown("array", 2)
    viewer.until_shown("one", 1)


def test_an_update_that_comes_late_replaces_no_newer_one(client, viewer):
    old, new = Tap("frame", layer="old"), Tap("frame", layer="new")
    client.register_plugin(TapsUpdate({"new": new}, number=2))
    client.register_plugin(TapsUpdate({"old": old}, number=1))
    wait(client.map(tasks.frame, range(3), size=8, pure=False))
    viewer.until_shown("new", 3)
    assert selected(client, "old") == 0
