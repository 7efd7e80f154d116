"""Keys travel over Dask's own TLS connection; where Dask requires encryption, nothing is plain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dask
import distributed
import numpy as np
import pytest
from distributed import Client, LocalCluster, wait

import cluster_tasks as tasks
import dask_napari
from dask_napari.sink import NapariSink
from dask_napari.stream import Control, ViewerGone
from dask_napari.stream.auth import Security
from dask_napari.stream.receive import Board, Receiver
from dask_napari.tap import Tap
from headless import DEADLINE, eventually, windowless


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A cluster that speaks TLS and nothing else."""
    tls = distributed.Security.temporary()
    assert tls.require_encryption
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, security=tls
        ) as cluster,
        Client(cluster) as client,
    ):
        assert cluster.scheduler_address.startswith("tls://")
        yield client


@contextmanager
def sink(client: Client, *arguments: object, **options: object) -> Iterator[None]:
    plugin = NapariSink(*arguments, **options)  # type: ignore[arg-type]
    try:
        client.register_plugin(plugin)
        yield
    finally:
        client.unregister_worker_plugin(plugin.name)


@pytest.mark.parametrize("transport", ["auto", "inline"])
def test_keys_reach_the_workers_over_dasks_tls_and_open_the_viewer(client, transport):
    security = Security.generate()
    board = Board()
    with (
        Receiver("tcp://127.0.0.1:*", board, security=security) as receiver,
        sink(
            client,
            receiver.addresses,
            [Tap("frame")],
            security=security,  # pickled without the secret key
            transport=transport,
        ),
    ):
        futures = client.map(tasks.frame, range(20), pure=False)
        wait(futures)
        got: dict[int, np.ndarray] = {}

        def arrived() -> bool:
            items = board.take()
            got.update((int(item.data[0, 0]), item.data) for item in items)
            board.shown(items)
            return len(got) == 20

        eventually(arrived)
        for n, data in got.items():
            np.testing.assert_array_equal(data, tasks.frame(n))
        held = client.run(lambda dask_worker: str(vars(dask_worker.plugins["dask-napari"])))
        assert all(security.server_secret not in text for text in held.values())
        with pytest.raises(ViewerGone):
            Control(receiver.addresses, timeout=0.5)
        eventually(lambda: not receiver.ledger().total.pending)
        assert receiver.ledger().balanced
    # The next viewer would be sent what is still there, and count what is released meanwhile.
    del futures
    eventually(lambda: not any(client.has_what().values()))


def test_a_sink_refuses_plain_tcp_where_dask_requires_encryption(client):
    with Receiver("tcp://127.0.0.1:*", Board(), insecure=True) as receiver:
        for security in (None, Security.generate(encrypt=False)):
            with (
                pytest.raises(
                    ValueError, match=r"requires encryption.*would have none.*--security-file"
                ),
                sink(client, receiver.addresses, [Tap("frame")], security=security, insecure=True),
            ):
                pass
        assert client.submit(tasks.frame, 3).result()[0, 0] == 3
        assert not receiver.peers()


def test_a_private_socket_needs_no_keys(client):
    board = Board()
    with (
        Receiver(["ipc://*", "tcp://127.0.0.1:*"], board) as receiver,
        sink(client, receiver.addresses[:1], [Tap("frame")]),
    ):
        future = client.submit(tasks.frame, 5, pure=False)
        eventually(lambda: [item for item in board.take() if item.data[0, 0] == 5])
        assert future.result()[0, 0] == 5


def test_plain_tcp_is_never_tried_even_if_the_private_socket_is_gone(client):
    """The list of addresses may hold both; where the first is not to be had, the second is not."""
    with (
        Receiver("tcp://127.0.0.1:*", Board(), insecure=True) as receiver,
        pytest.raises(ValueError, match="requires encryption"),
        sink(client, ["ipc:///nowhere/viewer", *receiver.addresses], [Tap("frame")], insecure=True),
    ):
        pass


def test_watch_refuses_to_be_insecure_where_dask_requires_encryption(client):
    with pytest.raises(ValueError, match=r"requires encryption.*without insecure=True"):
        dask_napari.watch(client, insecure=True)


def test_watch_refuses_by_the_configuration_alone():
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
        dask.config.set({"distributed.comm.require-encryption": True}),
        pytest.raises(ValueError, match="requires encryption"),
    ):
        dask_napari.watch(client, insecure=True)


def test_watch_makes_keys_where_dask_requires_encryption(client):
    with windowless(), dask_napari.watch(client) as live:
        live.tap("frame")
        wait(client.map(tasks.frame, range(8), pure=False))
        assert live.wait(DEADLINE)["frame"].shown == 8
        (tcp,) = [address for address in live.addresses if address.startswith("tcp")]
        with pytest.raises(ViewerGone):
            Control([tcp], timeout=0.5)
