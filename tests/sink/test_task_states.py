"""What a viewer hears of tapped tasks that run for long, fail, are retried, cancelled or killed."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator

import dask.array as da
import numpy as np
import pytest
from distributed import Client, Event, LocalCluster, wait

import cluster_tasks as tasks
from dask_napari.catalog import Catalogue, CatalogueEntry
from dask_napari.model import TaskStatus
from dask_napari.sink import SINK_NAME, NapariSink, TapsUpdate
from dask_napari.tap import Tap
from headless import Headless, eventually


class Screen:
    """A catalogue that hears what a viewer's pump would enter into it."""

    def __init__(self, viewer: Headless) -> None:
        self.viewer = viewer
        self.catalogue = Catalogue()
        self.told: list[TaskStatus] = []
        self._items = 0

    def until(self, condition: Callable[[], object]) -> None:
        def done() -> object:
            for run, status in self.viewer.receiver.cluster.take_statuses():
                self.told.append(status)
                self.catalogue.learn(status, run)
            for item in self.viewer.items[self._items :]:
                self.catalogue.put(item)
            self._items = len(self.viewer.items)
            return condition()

        self.viewer.until(done)

    def until_counted(self, **counts: int) -> None:
        self.until(lambda: self.catalogue.counts("raw") == counts)

    def wells(self, state: str) -> set[object]:
        entries = self.catalogue.entries()
        return {entry.meta.position.get("well") for entry in entries if entry.state == state}

    def entry(self, well: str) -> CatalogueEntry:
        entries = self.catalogue.entries()
        return next(entry for entry in entries if entry.meta.position.get("well") == well)


@pytest.fixture
def screen(viewer) -> Screen:
    return Screen(viewer)


@pytest.fixture
def gate(client) -> Iterator[Event]:
    """An event that tasks wait for; set in the end, since a thread cannot be stopped."""
    event = Event(f"gate-{uuid.uuid4().hex}", client=client)
    yield event
    event.set()


RAW = Tap("gated_read", layer="raw", at="{well}.tif")


def paths(*wells: str) -> list[str]:
    return [f"/data/{well}.tif" for well in wells]


def test_tasks_that_run_and_fail_are_at_their_places_and_a_retried_one_runs_again(
    client, screen, gate
):
    client.register_plugin(TapsUpdate({"raw": RAW}))
    mended = Event(f"mended-{uuid.uuid4().hex}", client=client)
    fine = client.submit(tasks.gated_read, *paths("A01"), gate.name, pure=False)
    bad = client.submit(tasks.gated_read, *paths("A02"), gate.name, mended.name, pure=False)
    screen.until(lambda: screen.wells("running") == {"A01", "A02"})
    entry = screen.entry("A02")
    provenance = entry.meta.provenance
    assert (provenance.key, provenance.stop, entry.meta.kind) == (bad.key, 0.0, "image")
    assert provenance.worker in client.scheduler_info()["workers"]
    assert provenance.start > 0
    gate.set()
    screen.until_counted(shown=1, failed=1)
    status = screen.catalogue.status(entry)
    assert status.error == "OSError: cannot read /data/A02.tif"
    assert "in gated_read" in status.traceback
    assert status.meta.provenance.stop >= status.meta.provenance.start > 0
    assert "raw" not in screen.viewer.receiver.ledger()["raw"].dropped  # it is no output
    gate.clear()
    bad.retry()
    screen.until(lambda: entry.state == "running")
    assert screen.catalogue.status(entry) is None
    mended.set()
    gate.set()
    screen.until_counted(shown=2)
    assert screen.catalogue.failed() == []
    del fine


def test_a_picture_stays_when_its_task_fails_at_a_recomputation(client, screen, gate):
    client.register_plugin(TapsUpdate({"raw": RAW}))
    mended = Event(f"mended-{uuid.uuid4().hex}", client=client)
    mended.set()
    gate.set()
    key = f"gated_read-{uuid.uuid4().hex}"
    first = client.submit(tasks.gated_read, *paths("A01"), gate.name, mended.name, key=key)
    screen.until_counted(shown=1)
    mended.clear()
    first.release()
    eventually(lambda: not any(client.run(lambda dask_worker: len(dask_worker.data)).values()))
    again = client.submit(tasks.gated_read, *paths("A01"), gate.name, mended.name, key=key)
    screen.until(lambda: screen.catalogue.failed("raw"))
    (entry,) = screen.catalogue.failed("raw")
    assert (entry.state, entry.item is not None) == ("shown", True)
    del again


def test_short_tasks_cost_nothing_on_the_wire(client, screen):
    client.register_plugin(TapsUpdate({"raw": Tap("frame", layer="raw")}))
    wait(client.map(tasks.frame, range(200), pure=False))
    screen.until(lambda: screen.catalogue.count("raw", "shown") == 200)
    assert len({status.meta.provenance.key for status in screen.told}) <= 10  # stalls of the host


def test_cancelled_tasks_and_removed_taps_are_withdrawn(client, screen, gate):
    client.register_plugin(TapsUpdate({"raw": RAW, "copy": Tap("gated_read", layer="copy")}))
    futures = client.map(tasks.gated_read, paths("A01", "A02"), gate=gate.name, pure=False)
    screen.until_counted(running=2)
    screen.until(lambda: screen.catalogue.counts("copy") == {"running": 2})
    client.cancel(futures[:1])
    screen.until(lambda: screen.wells("running") == {"A02", None})
    client.register_plugin(TapsUpdate({"raw": RAW}))
    screen.until(lambda: not screen.catalogue.counts("copy"))
    gate.set()
    screen.until_counted(shown=1)
    assert screen.catalogue.failed() == []


def test_new_taps_hear_of_tasks_that_run_and_have_failed(client, screen, gate):
    gate_of_failed, never = Event(client=client), Event(client=client)
    gate_of_failed.set()
    failed = client.map(
        tasks.gated_read,
        paths(*(f"B{n}" for n in range(20))),
        gate=gate_of_failed.name,
        mended=never.name,
        pure=False,
    )
    wait(failed)
    running = client.submit(tasks.gated_read, *paths("A01"), gate.name, pure=False)
    client.register_plugin(TapsUpdate({"raw": RAW}))
    screen.until_counted(failed=20, running=1)
    keys = [future.key for future in failed[:3]]
    client.register_plugin(TapsUpdate({"raw": RAW, "keys": Tap(keys, layer="keys")}))
    screen.until(lambda: screen.catalogue.counts("keys") == {"failed": 3})
    del running


def test_chunks_are_at_their_origins(client, screen, gate):
    event = gate.name

    def hang(block: np.ndarray) -> np.ndarray:
        Event(event).wait(60)
        return block

    zeros = da.zeros((8, 16), chunks=8, dtype="u1")
    flat = zeros.map_blocks(hang, meta=np.empty((0, 0), "u1"))  # which is not tried here
    client.register_plugin(TapsUpdate({"flat": Tap(flat, layer="raw")}))
    kept = client.persist(flat)
    screen.until_counted(running=2)
    entries = list(screen.catalogue.entries())
    assert {(*entry.meta.origin, *entry.meta.array_shape) for entry in entries} == {
        (0, 0, 8, 16),
        (0, 8, 8, 16),
    }
    gate.set()
    screen.until_counted(shown=2)
    del kept


def test_another_viewer_at_the_address_hears_of_all_tasks(client, gate, tmp_path):
    address, late = f"ipc://{tmp_path}/viewer", "late"
    mended = Event(client=client)
    with Headless(address) as viewer:
        screen = Screen(viewer)
        client.register_plugin(NapariSink(address, [RAW], name=late))
        bad = client.submit(tasks.gated_read, *paths("A02"), gate.name, mended.name, pure=False)
        gate.set()
        screen.until_counted(failed=1)
        gate.clear()
        hanging = client.submit(tasks.gated_read, *paths("A01"), gate.name, pure=False)
        screen.until_counted(failed=1, running=1)
    with Headless(address) as viewer:
        Screen(viewer).until_counted(failed=1, running=1)
        client.unregister_worker_plugin(late)
    del bad, hanging


@pytest.mark.drops("worker-lost")
def test_tasks_of_a_worker_that_is_killed_are_withdrawn_and_run_elsewhere():
    with (
        Headless() as viewer,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        screen = Screen(viewer)
        client.register_plugin(NapariSink(viewer.receiver.addresses, [RAW], name=SINK_NAME))
        gate = Event("gate of killed", client=client)
        future = client.submit(tasks.gated_read, *paths("A01"), gate.name)
        screen.until_counted(running=1)
        first = screen.entry("A01").meta.provenance
        pids = client.run(os.getpid)
        os.kill(pids[first.worker], signal.SIGKILL)
        screen.until(lambda: any(status.state == "withdrawn" for status in screen.told))
        screen.until_counted(running=1)
        screen.until(lambda: screen.entry("A01").meta.provenance.run_id > first.run_id)
        gate.set()
        screen.until_counted(shown=1)
        del future
