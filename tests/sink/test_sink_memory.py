"""A sink on a worker that is short of memory: it holds little, loses nothing, and tells Dask."""

from __future__ import annotations

import socket

import dask
import pytest
from distributed import Client, LocalCluster, Worker, wait
from distributed.core import Status

import cluster_tasks as tasks
from dask_napari.sink import SINK_NAME, NapariSink, memory_of_sinks
from dask_napari.stream.send._budget import SQUEEZED
from dask_napari.stream.send._outbox import Outbox
from dask_napari.tap import Tap
from headless import Headless, eventually

MIB, PAGE = 1 << 20, 4096
LIMIT = 900 * MIB
BATCH = 6 * MIB  # what is made once there is room for its first byte, and one output


@pytest.fixture
def client():
    # Not paused: that is another test's; only the target is near.
    memory = {"target": 0.6, "spill": False, "pause": False, "terminate": False}
    with (
        dask.config.set({f"distributed.worker.memory.{k}": v for k, v in memory.items()}),
        LocalCluster(
            n_workers=1, threads_per_worker=1, memory_limit=LIMIT, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def held(client: Client) -> dict[str, int]:
    (found,) = client.run(lambda dask_worker: memory_of_sinks(dask_worker)).values()
    return found


def process_memory(dask_worker: Worker) -> int:
    return dask_worker.monitor.get_process_memory()


def outbox(dask_worker: Worker) -> Outbox:
    return dask_worker.plugins[SINK_NAME]._session.publisher.outbox


def budget(client: Client) -> int:
    (found,) = client.run(lambda dask_worker: outbox(dask_worker).budget.limit).values()
    return found


def squeezed(client: Client) -> bool:
    return budget(client) == SQUEEZED


def test_near_the_limits_little_is_held_and_nothing_lost(client):
    with Headless() as viewer:
        client.register_plugin(NapariSink(viewer.receiver.addresses, [Tap("frame")]))
        # The settings are more than a worker so small has. (A connection that is lost on a busy
        # host has no arena for a moment.)
        eventually(
            lambda: 12 * MIB < held(client).get("arena_bytes", 0) <= LIMIT // 16 + 2 * PAGE,
            lambda: held(client),
        )
        assert budget(client) == LIMIT // 16
        client.run(tasks.take_memory, int(0.65 * LIMIT))
        eventually(lambda: squeezed(client))
        futures = client.map(tasks.frame, range(64), size=1024, pure=False)  # 2 MiB each
        most = 0
        while not all(future.done() for future in futures):
            now = held(client)
            most = max(most, now["queued_bytes"] + now["sent_bytes"])
            viewer.take()
        wait(futures)
        viewer.until_shown("frame", 64)
        viewer.until_settled()
        assert most <= SQUEEZED + BATCH
        assert viewer.receiver.ledger().balanced
        client.run(tasks.take_memory, 0)
        eventually(lambda: not squeezed(client))


def test_a_pause_is_noticed_without_a_task_and_so_is_its_end(client):
    with Headless() as viewer:
        client.register_plugin(NapariSink(viewer.receiver.addresses, [Tap("frame")]))

        def withheld() -> str:
            (reason,) = client.run(
                lambda dask_worker: outbox(dask_worker).budget.withholds
            ).values()
            return reason

        def set_status(status: str, dask_worker) -> None:
            dask_worker.status = Status[status]

        client.run(set_status, "paused")
        eventually(lambda: withheld() == "worker-paused")
        client.run(set_status, "running")
        eventually(lambda: withheld() == "")


def test_dask_is_told_what_is_held(client):
    with Headless() as viewer:
        client.register_plugin(NapariSink(viewer.receiver.addresses, [Tap("frame")]))

        def reported() -> dict[str, int]:
            (worker,) = client.scheduler_info()["workers"].values()
            return worker["metrics"].get(SINK_NAME, {})

        eventually(lambda: reported().get("arena_bytes", 0) >= 1 << 20, reported)
        assert reported().keys() == {"queued_bytes", "sent_bytes", "arena_bytes", "queued"}
        client.unregister_worker_plugin(SINK_NAME)
        names = client.run(lambda dask_worker: list(dask_worker.metrics))
        assert all(SINK_NAME not in found for found in names.values())


@pytest.mark.drops("released")
@pytest.mark.parametrize(
    "at",
    [None, "{n:d}", lambda key, value, args: {"n": args[1]}],
    ids=["no place", "a pattern", "a function"],
)
def test_outputs_do_not_keep_large_arguments_alive(client, at):
    """Of 30 MiB each, while the viewer does not answer."""
    with (
        socket.socket() as silent,
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GiB"}),
    ):
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        client.register_plugin(NapariSink(address, [Tap("frame_of", at=at, policy="keep")]))
        (before,) = client.run(process_memory).values()
        for n in range(8):
            client.submit(tasks.frame_of, bytes([n]) * (30 * MIB), n, pure=False).result()
        (after,) = client.run(process_memory).values()
        found = held(client)
    assert found["queued"] == 8
    assert found["queued_bytes"] <= LIMIT // 16
    assert after - before < 120 * MIB


@pytest.mark.drops("released")
@pytest.mark.parametrize("wrapped", [False, True], ids=["views", "wrapped views"])
def test_views_do_not_keep_large_arrays_alive(client, wrapped):
    """Of 30 MiB each, while the viewer does not answer."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        client.register_plugin(NapariSink(address, [Tap("crop")]))
        (before,) = client.run(process_memory).values()
        for n in range(20):
            client.submit(tasks.crop, n, wrapped, pure=False).result()
        (after,) = client.run(process_memory).values()
        found = held(client)
        (counts,) = client.run(lambda dask_worker: dask_worker.plugins[SINK_NAME].counts()).values()
    tally = counts["counts"]["crop"]
    assert tally.selected == 20
    if wrapped:  # by key: those that are released before they have a place are dropped
        assert tally.pending + tally.dropped["released"] == 20
        assert found["queued_bytes"] <= LIMIT // 16
    else:  # as copies
        assert tally.pending == 20
        assert found["queued_bytes"] == 20 * 64 * 64
    assert after - before < 150 * MIB
