"""Data that a client scatters, and copies of them, on a cluster of two workers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from distributed import Client, LocalCluster, wait

import cluster_tasks as tasks
from dask_napari.sink import NapariSink, TapsUpdate
from dask_napari.tap import Tap
from headless import Headless, eventually
from joining_workers import joined

SINK = "dask-napari-scattered"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.amm.stop()  # it removes copies every two seconds
        yield client


@pytest.fixture
def viewer(client) -> Iterator[Headless]:
    with Headless() as viewer:
        client.register_plugin(NapariSink(viewer.receiver.addresses, name=SINK))
        yield viewer
        client.unregister_worker_plugin(SINK)


def tap(client: Client, *taps: Tap) -> None:
    client.register_plugin(TapsUpdate({f"tap {n}": tap for n, tap in enumerate(taps)}, SINK))


@pytest.mark.parametrize("first", ["tap", "scatter"])
def test_scattered_data_are_shown_once_before_and_after_a_tap(client, viewer, first):
    pictures = [np.full((8, 8), n, np.uint16) for n in range(6)]
    if first == "tap":
        tap(client, Tap(np.ndarray, layer="data"))
    futures = client.scatter(pictures, hash=False)
    if first == "scatter":
        tap(client, Tap(np.ndarray, layer="data"))
    viewer.until_shown("data", 6)
    # Copies for tasks elsewhere, and those that a client asks for, are no new data.
    client.replicate(futures)
    wait(client.map(np.sum, futures, pure=False))
    viewer.until_settled()
    assert sorted(int(item.data[0, 0]) for item in viewer.items) == [*range(6)]
    assert viewer.receiver.ledger().total.selected == 6


@pytest.mark.parametrize("first", ["tap", "scatter"])
def test_data_for_all_workers_are_shown_once_before_and_after_a_tap(client, viewer, first):
    if first == "tap":
        tap(client, Tap(np.ndarray, layer="data"))
    pictures = [np.full((8, 8), n, np.uint16) for n in range(4)]
    futures = client.scatter(pictures, broadcast=True, hash=False)
    assert all(len(workers) == 2 for workers in client.who_has(futures).values())
    if first == "scatter":
        tap(client, Tap(np.ndarray, layer="data"))
    viewer.until_shown("data", 4)
    viewer.until_settled()
    assert viewer.receiver.ledger().total.selected == len(viewer.items) == 4
    del futures


def test_copies_are_shown_where_they_were_computed(client, viewer):
    futures = client.map(tasks.frame, range(4), pure=False)
    client.replicate(futures)
    tap(client, Tap("frame", layer="frames"), Tap(np.ndarray, layer="arrays"))
    viewer.until_shown("arrays", 4)
    viewer.until_settled()
    ledger = viewer.receiver.ledger()
    assert (ledger["frames"].selected, ledger["arrays"].selected) == (4, 4)


def test_copies_whose_worker_is_gone_are_shown_once(client, viewer, tmp_path):
    two = set(client.scheduler_info(n_workers=-1)["workers"])
    with joined(client, tmp_path) as third:
        futures = client.map(tasks.frame, range(4), workers=[third], pure=False)
        client.replicate(futures)
        client.retire_workers([third], close_workers=False)
    eventually(lambda: all({*held} == two for held in client.who_has(futures).values()))
    tap(client, Tap("frame", layer="frames"))
    viewer.until_shown("frames", 4)
    viewer.until_settled()
    assert viewer.receiver.ledger()["frames"].selected == 4


def test_copies_of_what_tasks_returned_are_not_shown(client, viewer):
    tap(client, Tap(np.ndarray, layer="data"))
    futures = client.map(tasks.frame, range(4), pure=False)
    wait(futures)
    viewer.until_shown("data", 4)
    client.replicate(futures)
    marker = client.scatter([np.full((8, 8), 9, np.uint16)], hash=False)
    viewer.until_shown("data", 5)
    viewer.until_settled()
    assert viewer.receiver.ledger().total.selected == 5
    del marker
