"""The feed on a real cluster, to a viewer without a screen."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import dask.array as da
import pytest
from distributed import Client, Event, LocalCluster, wait

import cluster_tasks as tasks
from dask_napari.live._cluster_feed import ClusterFeed
from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.model import TapProgress, TaskCounts, TaskGroup
from dask_napari.sink import NapariSink
from dask_napari.stream import Control
from dask_napari.tap import Tap
from headless import Headless, eventually


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


class Watched:
    """Sinks, a feed, and the viewer that hears both."""

    def __init__(self, client: Client, viewer: Headless) -> None:
        self.viewer = viewer
        name = f"dask-napari-{uuid.uuid4().hex[:8]}"
        self.sinks = ClusterSinks(client, NapariSink(viewer.receiver.addresses, name=name))
        self.sinks.register()
        self.control = Control(viewer.receiver.addresses)
        self.feed = ClusterFeed(self.sinks, self.control)
        self.feed.start()

    def close(self) -> None:
        self.feed.close(2.0)
        self.sinks.close()
        self.control.close()

    def tap(self, tap: Tap) -> None:
        self.sinks.change(lambda taps: taps.added([tap]))

    def group(self, name: str) -> TaskGroup | None:
        state = self.viewer.receiver.cluster.state()
        return (
            next((group for group in state.groups if group.name == name), None) if state else None
        )

    def progress(self, layer: str) -> TapProgress | None:
        state = self.viewer.receiver.cluster.state()
        return next((tap for tap in state.taps if tap.layer == layer), None) if state else None

    def counts(self, layer: str) -> TaskCounts | None:
        progress = self.progress(layer)
        return progress and progress.counts


@pytest.fixture
def watched(client) -> Iterator[Watched]:
    with Headless() as viewer:
        watched = Watched(client, viewer)
        yield watched
        watched.close()


def on_scheduler(dask_scheduler: object) -> list[str]:
    names = {*dask_scheduler.plugins, *dask_scheduler.handlers}
    return [name for name in names if name.endswith("-tasks")]


def test_groups_are_told_with_counts_types_and_durations(client, watched):
    gate = f"gate-{uuid.uuid4().hex}"
    futures = client.map(tasks.gated_frame, range(12), gate=gate, free=3, pure=False)
    eventually(lambda: (group := watched.group("gated_frame")) and group.counts.computed == 3)
    group = watched.group("gated_frame")
    assert group.counts.total == 12
    assert group.types == ("numpy.ndarray",)
    assert group.nbytes == 3 * 64 * 64 * 2
    assert group.seconds > 0
    state = watched.viewer.receiver.cluster.state()
    assert state.scheduler == client.scheduler.address
    assert state.workers == 1
    assert watched.viewer.receiver.cluster.attached
    Event(gate, client=client).set()
    eventually(lambda: watched.group("gated_frame").counts == TaskCounts(computed=12))
    del futures
    eventually(lambda: watched.group("gated_frame") is None)


def test_a_tap_is_told_from_the_first_moment_and_counts_its_tasks(client, watched):
    watched.tap(Tap("frame", layer="raw"))
    watched.tap(Tap("fail", layer="bad", kind="labels"))
    eventually(lambda: watched.progress("bad"))
    assert watched.progress("raw") == TapProgress("raw", "image", "frame")
    futures = client.map(tasks.frame, range(7), pure=False)
    failing = client.map(tasks.fail, range(2), pure=False)
    wait([*futures, *failing])
    eventually(lambda: watched.counts("bad") == TaskCounts(failed=2))
    eventually(lambda: watched.counts("raw") == TaskCounts(computed=7))
    assert watched.progress("raw").groups == ("frame",)


@pytest.mark.drops("not points")
def test_taps_by_array_keys_and_type_are_counted(client, watched):
    array = da.ones((40, 40), chunks=10, dtype="u1", name=f"ones-{uuid.uuid4().hex}") + 1
    futures = client.map(tasks.frame, range(3), pure=False)
    watched.tap(Tap(array, layer="array"))
    watched.tap(Tap(futures[1:], layer="keys"))
    watched.tap(Tap(float, layer="numbers", kind="points"))
    kept = array.persist()
    number = client.submit(float, 3, pure=False)
    wait([*futures, kept, number])
    eventually(lambda: watched.counts("array") == TaskCounts(computed=16))
    eventually(lambda: watched.counts("keys") == TaskCounts(computed=2))
    eventually(lambda: watched.counts("numbers") == TaskCounts(computed=1))
    del futures
    eventually(lambda: watched.group("frame") is None)
    assert watched.counts("keys") == TaskCounts(computed=2)


def test_cancelled_tasks_are_not_computed(client, watched):
    gate = f"gate-{uuid.uuid4().hex}"
    watched.tap(Tap("gated_frame", layer="raw"))
    futures = client.map(tasks.gated_frame, range(9), gate=gate, free=4, pure=False)
    eventually(lambda: (counts := watched.counts("raw")) and counts.computed == 4)
    client.cancel(futures[6:])
    eventually(lambda: watched.counts("raw").total == 6)
    assert watched.counts("raw").computed == 4
    Event(gate, client=client).set()


def test_the_scheduler_is_left_as_it_was(client, watched):
    eventually(lambda: watched.viewer.receiver.cluster.state())
    assert len(client.run_on_scheduler(on_scheduler)) == 1
    watched.feed.close(2.0)
    assert client.run_on_scheduler(on_scheduler) == []


def test_the_plugin_goes_with_its_client(client):
    with Headless() as viewer, Client(client.scheduler.address) as other:
        watched = Watched(other, viewer)
        eventually(lambda: viewer.receiver.cluster.state())
        other.close()
        eventually(lambda: client.run_on_scheduler(on_scheduler) == [])
        watched.close()
