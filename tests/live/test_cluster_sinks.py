"""The sinks of a handle on a real cluster, without a viewer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import dask
import pytest
from distributed import Client, LocalCluster, wait

import cluster_tasks as tasks
from dask_napari.live import _dialed_addresses
from dask_napari.live._cluster_requests import ClusterRequests
from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.live._viewer_endpoint import ViewerEndpoint
from dask_napari.live._watch import _check_client
from dask_napari.live._worker_reports import WorkerReports
from dask_napari.model import Tally
from dask_napari.sink import NapariSink, TapsUpdate
from dask_napari.stream.receive import ANY_IPC
from dask_napari.tap import Tap


@pytest.fixture
def sinks(client) -> Iterator[ClusterSinks]:
    sinks = ClusterSinks(client, NapariSink("tcp://127.0.0.1:1", name="dask-napari-0f"))
    sinks.register()
    yield sinks
    sinks.close()


def plugins(dask_worker: object) -> list[str]:
    return [name for name in dask_worker.plugins if name.startswith("dask-napari")]


def test_what_was_put_on_the_cluster_is_taken_away(client, sinks):
    (found,) = client.run(plugins).values()
    assert found == ["dask-napari-0f", "dask-napari-0f-taps"]
    left = lambda dask_scheduler: [n for n in dask_scheduler.plugins if "napari" in n]  # noqa: E731
    assert client.run_on_scheduler(left) == ["dask-napari-0f-owner"]
    sinks.close()
    assert client.run_on_scheduler(left) == []
    assert client.run(plugins) == {address: [] for address in client.scheduler_info()["workers"]}
    assert sinks.counts() == []
    with pytest.raises(RuntimeError, match="this Live is closed"):
        sinks.change(lambda taps: taps.added([Tap("frame")]))


def test_what_is_selected_is_counted(client, sinks):
    sinks.change(lambda taps: taps.added([Tap("frame", layer="raw"), Tap("nobody")]))
    futures = client.map(tasks.frame, range(5), pure=False)
    wait(futures)
    ((found,),) = [
        [(layer, tally) for layer, tally in worker["counts"].items() if tally.selected]
        for worker in sinks.counts()
    ]
    assert found == ("raw", Tally(selected=5, pending=5))


def test_taps_that_contradict_each_other_are_not_sent(client, sinks):
    sinks.change(lambda taps: taps.added([Tap("frame")]))
    with pytest.raises(ValueError, match="both"):
        sinks.change(lambda taps: taps.added([Tap("segment", kind="labels", layer="frame")]))
    assert [tap.kind for tap in sinks.taps] == ["image"]
    sent = lambda dask_worker: len(dask_worker.plugins["dask-napari-0f-taps"].taps)  # noqa: E731
    assert [*client.run(sent).values()] == [1]


def test_the_viewer_listens_where_the_workers_can_reach_it(client):
    assert ViewerEndpoint.for_client(client, None, False).addresses == (
        ANY_IPC,
        "tcp://127.0.0.1:*",
    )
    assert ViewerEndpoint.for_client(client, "tcp://127.0.0.1:5577", False).addresses == (
        "tcp://127.0.0.1:5577",
    )
    with dask.config.set({"distributed.comm.require-encryption": True}):
        assert ViewerEndpoint.for_client(client, None, False).security.encrypted
        with pytest.raises(ValueError, match="encrypt"):
            ViewerEndpoint.for_client(client, None, True)


def test_workers_are_told_addresses_that_they_can_dial(client):
    endpoint = ViewerEndpoint.for_client(client, "tcp://0.0.0.0:*", False)
    bound = ("ipc:///run/viewer", "tcp://0.0.0.0:5577")
    (private, told) = endpoint.told(bound)
    assert (private, told) == (bound[0], "tcp://127.0.0.1:5577")
    with pytest.raises(ConnectionError, match=r"ssh -R.*advertise="):
        ViewerEndpoint.for_client(client, "tcp://127.0.0.1:*", False, "tcp://127.0.0.1:1")
    with pytest.raises(ValueError, match="no port"):
        ViewerEndpoint.for_client(client, "tcp://127.0.0.1:*", False, "tcp://127.0.0.1:*")
    with pytest.raises(ValueError, match="needs listen="):
        ViewerEndpoint.for_client(client, None, False, "tcp://127.0.0.1:1")


def test_workers_that_come_later_and_cannot_dial_the_viewer_are_named_once(
    client, caplog, monkeypatch
):
    monkeypatch.setattr(_dialed_addresses, "NEWCOMERS_INTERVAL", 0.0)
    reports = WorkerReports()
    newcomers = _dialed_addresses.Newcomers(ClusterRequests(client), reports)
    (worker,) = client.scheduler_info()["workers"]
    for answers in (False, True, True):  # a viewer that is stopped cannot be dialed, and goes on
        newcomers.check(["ipc:///run/viewer", "tcp://127.0.0.1:1"], lambda a=answers: a)
        assert answers or worker not in caplog.text
    assert caplog.text.count(worker) == 1
    assert caplog.text.count("advertise=") == 1
    ((named, reason, text),) = reports.changed()
    assert (named, reason) == (worker, "cannot reach the viewer")
    assert "tcp://127.0.0.1:1" in text


async def beside_an_asynchronous_client() -> list[str]:
    async with (
        LocalCluster(n_workers=1, asynchronous=True, dashboard_address=None) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        with pytest.raises(TypeError, match=r"asyncio\.to_thread\(Client"):
            _check_client(client)
        address = cluster.scheduler_address
        beside = await asyncio.to_thread(Client, address, set_as_default=False)
        _check_client(beside)
        sinks = ClusterSinks(beside, NapariSink("tcp://127.0.0.1:1", name="dask-napari-0a"))
        await asyncio.to_thread(sinks.register)
        await asyncio.to_thread(sinks.change, lambda taps: taps.added([Tap("frame")]))
        await client.gather(client.map(tasks.frame, range(3)))
        counts = await asyncio.to_thread(sinks.counts)
        await asyncio.to_thread(sinks.close)
        await asyncio.to_thread(beside.close)
        return [f"{worker['counts']['frame'].selected} selected" for worker in counts]


def test_the_advice_to_asynchronous_programs_works():
    assert asyncio.run(beside_an_asynchronous_client()) == ["3 selected"]


def test_a_client_that_is_of_no_use_is_refused(client):
    _check_client(client)
    with pytest.raises(TypeError, match=r"distributed\.Client, not str"):
        _check_client("tcp://127.0.0.1:8786")
    with Client(client.scheduler.address) as other:
        pass
    with pytest.raises(ValueError, match="the client is closed"):
        _check_client(other)


def die_when_told() -> None:
    """Have this worker end while it is told of taps; the one in its place does not."""
    TapsUpdate.setup = lambda self, worker: os._exit(1)  # type: ignore[method-assign]


def test_taps_change_though_a_worker_ends_while_it_is_told(client, sinks):
    client.run(die_when_told)
    (before,) = client.run(os.getpid).values()
    sinks.change(lambda taps: taps.added([Tap("frame")]))
    assert [tap.layer for tap in sinks.taps] == ["frame"]
    wait(client.map(tasks.frame, range(3), pure=False), timeout=60)
    (counts,) = sinks.counts()
    assert counts["counts"]["frame"].selected == 3
    assert [*client.run(os.getpid).values()] != [before]


def test_taps_after_the_end_of_the_client_are_refused_in_plain_words():
    with LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        client = Client(cluster, set_as_default=False)
        sinks = ClusterSinks(client, NapariSink("tcp://127.0.0.1:1", name="dask-napari-0e"))
        sinks.register()
        sinks.change(lambda taps: taps.added([Tap("frame")]))
        client.shutdown()
        with pytest.raises(RuntimeError, match=r"client is closed.*watch\(client\)"):
            sinks.change(lambda taps: taps.added([Tap("other")]))
        with pytest.raises(RuntimeError, match="client is closed"):
            sinks.change(lambda taps: taps.without([*taps]))
        assert sinks.counts() == []
        sinks.close()
