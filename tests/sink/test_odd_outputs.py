"""Outputs that hang or mislead, on a real cluster: each counted, and none holds others up."""

from __future__ import annotations

import threading

import dask
import pytest
from distributed import Client, LocalCluster, wait

import cluster_tasks as tasks
from dask_napari.sink import SINK_NAME, NapariSink, TapsUpdate
from dask_napari.tap import Tap
from headless import Headless, eventually


@pytest.fixture(scope="module")
def client():
    with (
        dask.config.set({"dask-napari.output-timeout": "0.3s"}),
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("dask-napari")]


@pytest.mark.drops("not read within", "earlier outputs hang")
def test_an_output_that_hangs_is_named_and_the_others_are_shown(client):
    with Headless() as viewer:
        taps = [Tap("frame"), Tap("unreadable", layer="dead mount")]
        client.register_plugin(NapariSink(viewer.receiver.addresses, taps))
        hanging = client.map(tasks.unreadable, range(5), pure=False)
        wait(hanging)
        frames = client.map(tasks.frame, range(50), pure=False)
        wait(frames)
        viewer.until_shown("frame", 50)
        viewer.until(lambda: viewer.receiver.ledger().total.selected == 55)
        viewer.until_settled()
        ledger = viewer.receiver.ledger()
        assert ledger.balanced
        assert ledger["dead mount"].dropped == {
            "not read within 0.3 s": 2,
            "earlier outputs hang": 3,
        }
        reports = [r for _, r in viewer.receiver.reports() if r.reason.startswith("not read")]
        assert {(r.layer, r.key in {f.key for f in hanging}) for r in reports} == {
            ("dead mount", True)
        }
        client.unregister_worker_plugin(SINK_NAME)
        (left,) = client.run(threads).values()
        assert left == ["dask-napari-loader"] * 2


@pytest.mark.drops("not placed within")
def test_an_argument_that_hangs_holds_up_no_other_output(client):
    """A pattern asks paths for their names, which is their authors' code."""
    with Headless() as viewer:
        taps = [Tap("frame"), Tap("frame_of", at="frame_{n:d}.tif")]
        client.register_plugin(NapariSink(viewer.receiver.addresses, taps))
        hanging = client.submit(tasks.frame_of, tasks.CloudPath(), 0, pure=False)
        named = client.map(tasks.frame_of, [f"frame_{n}.tif" for n in range(5)], range(5))
        frames = client.map(tasks.frame, range(5), pure=False)
        wait([hanging, *named, *frames])
        viewer.until_shown("frame", 5)
        viewer.until_shown("frame_of", 5)
        viewer.until_settled()
        assert viewer.receiver.ledger()["frame_of"].dropped == {"not placed within 0.3 s": 1}


def test_sizes_that_mislead_change_no_count(client):
    with Headless() as viewer:
        taps = [Tap("frame"), Tap("misleading")]
        client.register_plugin(NapariSink(viewer.receiver.addresses, taps))
        wait(client.map(tasks.misleading, range(3), pure=False))
        wait(client.map(tasks.frame, range(10), pure=False))
        viewer.until_shown("frame", 10)
        viewer.until_shown("misleading", 3)
        viewer.until_settled()
        assert viewer.receiver.ledger().balanced

        def held(dask_worker) -> dict[str, int]:
            return dask_worker.plugins[SINK_NAME].memory()

        eventually(lambda: next(iter(client.run(held).values()))["queued_bytes"] == 0)


@pytest.mark.drops("actor")
def test_an_actor_has_a_reason_of_its_own(client):
    with Headless() as viewer:
        before, after = Tap("Counter", layer="before"), Tap("Counter", layer="after")
        client.register_plugin(NapariSink(viewer.receiver.addresses, {"before": before}))
        actor = client.submit(tasks.Counter, actor=True).result(timeout=60)
        client.register_plugin(TapsUpdate({"before": before, "after": after}))
        viewer.until(lambda: viewer.receiver.ledger().total.selected == 2)
        viewer.until_settled()
        ledger = viewer.receiver.ledger()
        assert [ledger[layer].dropped for layer in ("before", "after")] == [{"actor": 1}] * 2
        del actor
        client.unregister_worker_plugin(SINK_NAME)
