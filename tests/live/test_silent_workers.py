"""A worker that does not answer holds up no call of the client."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from distributed import Client, LocalCluster, wait

import cluster_tasks as tasks
import dask_napari as dn
from dask_napari.live._cluster_requests import REQUEST_TIMEOUT, ClusterRequests
from headless import DEADLINE, eventually, windowless

AT_MOST = 2 * REQUEST_TIMEOUT
"""Seconds; a worker is stopped for the whole test."""


@pytest.fixture
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def one_stopped(client: Client) -> Iterator[str]:
    worker, pid = next(iter(client.run(os.getpid).items()))
    os.kill(pid, signal.SIGSTOP)
    try:
        yield worker
    finally:
        os.kill(pid, signal.SIGCONT)


def seconds(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def sinks(dask_worker: object) -> list[str]:
    return [name for name in dask_worker.plugins if name.startswith("dask-napari")]


@pytest.mark.errors("broadcast to")
def test_no_call_of_the_handle_waits_for_a_worker_that_is_stopped(client, caplog):
    with windowless():
        live = dn.watch(client)
    live.tap("frame")
    wait(client.map(tasks.frame, range(10), pure=False))
    assert live.wait(DEADLINE)["frame"].shown == 10
    with one_stopped(client) as worker:
        assert seconds(lambda: live.wait(timeout=2.0)) < AT_MOST
        assert worker in caplog.text
        for call in (live.wait, live.ledger, lambda: live.tap("slow_frame")):
            assert seconds(call) < AT_MOST
        others = [w for w in client.scheduler_info()["workers"] if w != worker]
        wait(client.map(tasks.slow_frame, range(5), pure=False, workers=others))
        assert live.wait(DEADLINE)["slow_frame"].shown == 5
        assert seconds(live.close) < 3 * AT_MOST
        assert live._viewer.process.returncode == 0
    # It hears of the end when it goes on.
    eventually(lambda: not any(client.run(sinks).values()), lambda: client.run(sinks))


def test_each_silent_worker_costs_its_time_once_and_is_asked_again(client):
    requests = ClusterRequests(client)
    both = set(client.scheduler_info()["workers"])
    assert requests.workers(os.getpid).keys() == both
    with one_stopped(client) as worker:
        assert requests.workers(os.getpid).keys() == both - {worker}
        assert requests.silent == (worker,)
        assert seconds(lambda: requests.workers(os.getpid)) < REQUEST_TIMEOUT / 3
    eventually(lambda: not requests.silent)
    assert requests.workers(os.getpid).keys() == both
    assert requests.workers(lambda: 1 / 0) == {}
