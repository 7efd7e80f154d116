"""Others who have an account on this host, at the TCP port of a viewer that `watch` has opened."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import psutil
import pytest
import zmq
from distributed import Client, LocalCluster, wait

import cluster_tasks as tasks
import dask_napari as dn
from dask_napari.stream import Control, ViewerGone
from dask_napari.stream.auth import Security
from dask_napari.stream.wire import messages as wire
from headless import windowless

DEADLINE = 60.0
FLOOD = 400 << 20
"""Bytes that a stranger would have the viewer keep."""
QUIET = 500
"""Milliseconds in which an answer would have come, many times over."""


@pytest.fixture(scope="module")
def live() -> Iterator[dn.Live]:
    with (
        windowless(),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        dn.watch(client) as live,
    ):
        yield live


@pytest.fixture
def port(live) -> int:
    (address,) = (a for a in live.addresses if a.startswith("tcp://127.0.0.1:"))
    return int(address.rpartition(":")[2])


def greeting(mechanism: bytes) -> bytes:
    return b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + bytes(32)


READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
PART = b"\x03" + struct.pack(">Q", 1 << 20)
"""A frame of 1 MiB that says that another one follows."""


@pytest.mark.parametrize("mechanism", [b"NULL", b"CURVE", b"PLAIN", b"NONE"])
def test_endless_frames_cost_nothing(live, port, mechanism):
    viewer = psutil.Process(live._viewer.process.pid)
    before = viewer.memory_info().rss
    sent = most = 0
    with (
        contextlib.suppress(ConnectionError),  # it is cut, which is what we want
        socket.create_connection(("127.0.0.1", port), timeout=10) as link,
    ):
        link.sendall(greeting(mechanism) + b"\x04" + bytes([len(READY)]) + READY)
        while sent < FLOOD:
            link.sendall(PART + bytes(1 << 20))
            sent += 1 << 20
            most = max(most, viewer.memory_info().rss - before)
    assert sent < FLOOD / 4, "nothing cuts a stranger off"
    assert most < 50 << 20
    # Workers are not disturbed.
    live.tap("frame", layer=mechanism.decode())
    wait(live.client.map(tasks.frame, range(5), pure=False))
    assert live.wait(DEADLINE)[mechanism.decode()].shown >= 5


def test_a_handshake_of_any_size_is_cut_off_too(live, port):
    """What comes before the keys are looked at: ZeroMQ takes a frame in as a whole."""
    viewer = psutil.Process(live._viewer.process.pid)
    before = viewer.memory_info().rss
    for kind in (b"\x02", b"\x06"):  # a long message, a long command
        sent = 0
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(("127.0.0.1", port), timeout=10) as link,
        ):
            link.sendall(greeting(b"CURVE") + kind + struct.pack(">Q", (4 << 30) - 1))
            while sent < FLOOD:
                link.sendall(bytes(1 << 20))
                sent += 1 << 20
        assert sent < FLOOD / 4
    assert viewer.memory_info().rss - before < 50 << 20


def test_without_the_keys_nobody_gets_an_answer(live, port):
    address = f"tcp://127.0.0.1:{port}"
    with zmq.Context() as context, context.socket(zmq.DEALER) as link:
        link.linger = 0
        link.connect(address)
        roles = "client", "publisher"
        hellos = [wire.Hello(wire.WIRE_VERSION, "0", role, "stranger") for role in roles]
        # Once it was turned away, a socket takes no more: it would block.
        with contextlib.suppress(zmq.Again):
            for message in (*hellos, wire.RequestMessage(1, "ledger")):
                link.send(wire.encode(message), zmq.DONTWAIT)
        threading.Event().wait(QUIET / 1000)
        assert not link.poll(0)
    with pytest.raises(ViewerGone, match="does not answer"):
        Control([address], security=Security.generate().client(), timeout=QUIET / 1000)


def test_the_keys_reach_the_sinks_and_their_secret_half_does_not(live):
    def keys(dask_worker: object) -> list[Security]:
        sinks = dask_worker.plugins.values()
        return [sink.security for sink in sinks if hasattr(sink, "security")]

    (found,) = live.client.run(keys).values()
    assert [security.encrypted for security in found] == [True]
    assert [security.server_secret for security in found] == [""]
